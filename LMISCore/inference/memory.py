"""How much memory a run will take, said before it starts; and what counts as running out of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

FLOAT = 4
# Measured as the peak of the resident memory of TIRNet runs on a processor (width 32, 256 x 256, 1 to 8 pictures at a
# time, 1 to 5 sentences), which these two reproduce to 4 %: tensors of the largest layer's size that are alive together
# while one picture is decoded, the library's reordered copies among them, and what the library takes once.
WORKING_TENSORS = 15
LIBRARY_BYTES = 100_000_000
MAP_BYTES = 8 * 1024**2


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes needed beyond the volume itself and the program.

    Attributes:
        network: weights.
        working: features, activations and pictures of one batch, and the library's own buffers.
        masks: one byte a voxel for each distinct sentence, and one copy while a mask is turned to the volume's grid.
        probabilities: two bytes a voxel for each distinct sentence, only when they are kept.
        batch_size: slices at a time that ``working`` was counted for.
    """

    network: int
    working: int
    masks: int
    probabilities: int
    batch_size: int

    @property
    def total(self) -> int:
        return self.network + self.working + self.masks + self.probabilities

    @property
    def device(self) -> int:
        """The part that lies on the accelerator, if there is one."""
        return self.network + self.working

    def sentence(self) -> str:
        """The estimate for people."""
        return (
            f"Memory needed is about {readable_bytes(self.total)}: {readable_bytes(self.device)} for the network with "
            f"{self.batch_size} slices at a time, {readable_bytes(self.masks + self.probabilities)} for the masks."
        )


def readable_bytes(count: int) -> str:
    """A number of bytes for people, in decimal units."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def weight_bytes(network: nn.Module) -> int:
    """Bytes of parameters and buffers, and of weights packed for a kernel."""
    plain = sum(t.numel() * t.element_size() for t in (*network.parameters(), *network.buffers()))
    return plain + sum(int(getattr(module, "packed_bytes", 0)) for module in network.modules())


def largest_layer_elements(network: nn.Module, size: tuple[int, int]) -> tuple[int, int]:
    """Count what one picture of ``size`` (h, w) needs, from one run on a picture of two strides a side.

    Returns:
        elements of all image features together, and of the largest single layer output.
    """
    stride = int(network.stride)  # type: ignore[arg-type]
    side = 2 * stride
    largest = 0

    def watch(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal largest
        if isinstance(output, torch.Tensor) and output.dim() == 4:
            largest = max(largest, output.numel())

    parameter = next(network.parameters())
    handles = [m.register_forward_hook(watch) for m in network.modules() if not any(m.children())]
    try:
        with torch.inference_mode():
            image = torch.zeros(1, 3, side, side, device=parameter.device, dtype=parameter.dtype)
            features = network.encode_image(image)  # type: ignore[operator]
            width = int(network.text_width)  # type: ignore[arg-type]
            states = torch.zeros(1, 2, width, device=parameter.device, dtype=parameter.dtype)
            network.decode(features, states, torch.ones(1, 2, dtype=torch.bool, device=parameter.device))  # type: ignore[operator]
    finally:
        for handle in handles:
            handle.remove()
    padded = [side_ + (-side_ % stride) for side_ in size]
    scale = padded[0] * padded[1] / side**2
    kept = sum(level.numel() for level in features.levels)
    return round(kept * scale), round(largest * scale)


def picture_bytes(network: nn.Module, size: tuple[int, int], dtype: torch.dtype | None = None) -> tuple[int, int]:
    """Working memory of one picture of ``size`` (h, w), with maps in ``dtype`` (None: float32), and its largest map's.

    Returns:
        both in bytes.
    """
    kept, largest = largest_layer_elements(network, size)
    each = FLOAT if dtype is None else dtype.itemsize
    return each * (kept + WORKING_TENSORS * largest) + FLOAT * 3 * size[0] * size[1], each * largest


def free_bytes(device: str) -> int | None:
    """Memory free for new work on a device; None where the system does not say."""
    kind = torch.device(device).type
    if kind == "cuda":
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    if kind == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def default_batch_size(device: str, bytes_per_picture: int, largest_map: int = 0) -> int:
    """Slices at a time: as many as fit a quarter of the free memory, at most 4 on a processor and 32 on a GPU.

    A processor takes no more than keep the largest map within ``MAP_BYTES``: pictures of 224 x 224 pixels and 64
    channels one by one took a fifth less time each than two or four at a time, whose maps the system hands out anew for
    every layer. Small pictures gain from company, up to 4, from where on the cores are busy all the time.
    """
    most = 32
    if torch.device(device).type == "cpu":
        most = max(1, min(4, MAP_BYTES // max(largest_map, 1)))
    free = free_bytes(device)
    fitting = most if free is None else int(free / 4 / max(bytes_per_picture, 1))
    batch = 1
    while batch * 2 <= min(most, fitting):
        batch *= 2
    return batch


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device.

    PyTorch has a class for it on accelerators only; its CPU allocator raises a plain RuntimeError.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        words in text
        for words in ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
    )
