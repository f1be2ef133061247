"""How much memory a run will take, said before it starts; and what counts as running out of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

from LMISCore.inference.prepared_layers import Convolution
from LMISCore.inference.prepared_winograd import PATCH

FLOAT = 4
# Tensors of the largest layer's size that are alive together while one picture is decoded by a network as it was
# trained, and what the library takes once: from the peak of the resident memory of TIRNet runs on a processor.
WORKING_TENSORS = 15
LIBRARY_BYTES = 100_000_000
# The same for prepared networks, which say themselves how many maps are alive (``maps_alive``). Measured with RecLMIS
# and TIRNet at width 64 and 224 x 224 pixels, in float32 and bfloat16, with 1 and 5 sentences: the estimate lies 4 to
# 30 % above the peak, with the small bundled weights 55 %. The library's part holds its kernels, the holes that freed
# maps leave in the heap, and what reading and packing the weights left there.
PREPARED_LIBRARY_BYTES = 130_000_000
WINOGRAD_BYTES = 40_000_000
SENTENCE_BYTES = 4_000_000
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


def packed_weight_bytes(network: nn.Module, size: tuple[int, int]) -> int:
    """Bytes of a network's weights once its layers have packed them for pictures of ``size`` (h, w).

    Filters for Winograd's products take four times the memory of the weights they stand for; which layers will have
    some is found by one run on a picture of two strides a side. A network that has packed its weights is measured.
    """
    total = weight_bytes(network)
    layers = [module for module in network.modules() if isinstance(module, Convolution)]
    if any(layer.weight is None for layer in layers) or not any(_is_float3x3(layer) for layer in layers):
        return total
    fused = {layer: layer.fused for layer in layers}
    stride, grows = int(network.stride), 0  # type: ignore[arg-type]
    scales = [(side + (-side % stride)) / (2 * stride) for side in size]

    def watch(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal grows
        batch, channels, height, width = inputs[0].shape
        there = (batch, channels, round(height * scales[0]), round(width * scales[1]))
        assert isinstance(module, Convolution) and module.weight is not None
        if fused[module] and module.pays_winograd(torch.empty(there, device="meta")):
            grows += FLOAT * module.weight.numel() * (PATCH**2 - 9) // 9

    handles = [layer.register_forward_pre_hook(watch) for layer in layers]
    for layer in layers:
        layer.fused = False
    try:
        _run_small(network)
    finally:
        for handle in handles:
            handle.remove()
        for layer in layers:
            layer.fused = fused[layer]
    return total + grows


def _is_float3x3(layer: Convolution) -> bool:
    return layer.weight is not None and layer.weight.dtype == torch.float32 and layer.weight.shape[2:] == (3, 3)


def _run_small(network: nn.Module) -> None:
    side, width = 2 * int(network.stride), int(network.text_width)  # type: ignore[arg-type]
    with torch.inference_mode():
        network(torch.zeros(1, 3, side, side), torch.zeros(1, 2, width), torch.ones(1, 2, dtype=torch.bool))


def working_bytes(network: nn.Module, plain: tuple[int, int], pictures: int, texts: int) -> int:
    """Memory beside the weights while so many pictures at a time are asked so many sentences.

    Args:
        network: what runs.
        plain: of :func:`picture_bytes`, for the network as it was trained.
        pictures: at a time.
        texts: sentences.
    """
    each, largest = plain
    alive = getattr(network, "maps_alive", None)
    if alive is None:
        return LIBRARY_BYTES + pictures * each
    layers = (module for module in network.modules() if isinstance(module, Convolution))
    scraps = WINOGRAD_BYTES if any(layer.winograd is not None or _is_float3x3(layer) for layer in layers) else 0
    each -= (WORKING_TENSORS - int(alive)) * largest
    return PREPARED_LIBRARY_BYTES + scraps + SENTENCE_BYTES * max(0, texts - 1) + pictures * each


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
