"""Runs a network over batches of pictures on one device, and gives way when memory runs out."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from LMISCore.errors import OutOfMemoryError, is_out_of_memory
from LMISCore.inference.allocator import give_back_freed_memory
from LMISCore.inference.backend import Backend
from LMISCore.inference.devices import DeviceChoice, PrecisionChoice, choose_precision
from LMISCore.inference.memory import (
    default_batch_size,
    free_bytes,
    packed_weight_bytes,
    picture_bytes,
    weight_bytes,
    working_bytes,
)
from LMISCore.inference.prepared import prepare, runs_under_autocast
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.metrics.platt import Platt
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.text.states import TextStates


class Engine:
    """A network on a device.

    Args:
        network: in float32. On a processor it runs as a copy (see ``prepared``), elsewhere it moves to the device.
        device, precision: where and in which arithmetic.
        size: (h, w) of pictures.
        batch_size: pictures at a time; None takes what fits.
        calibration: of the card.
        prepared: false runs the network itself on a processor too, with the same masks in float32.
        backend: what may compute the copy; None leaves it to PyTorch.
        keep: whether ``network`` stays as it is; false where nobody else needs it, so that it goes layer by layer while
            a copy is made, and the two are never both in memory.

    Attributes:
        network: what runs.
        device: where it runs now and why; the CPU where the device's memory ran out, be it for the weights alone.
        precision: float32, or bfloat16 by the weights or by autocast.
        weight_bytes: of the network, once it has seen a picture.
        batch_size: pictures at a time; halved each time that memory runs out.
        calibration: of the probabilities, as the card says; slope 1 and offset 0 where it says nothing.
        warnings: what had to give way, in sentences, since the caller last cleared it.
    """

    def __init__(
        self,
        network: nn.Module,
        device: DeviceChoice,
        precision: PrecisionChoice,
        size: tuple[int, int],
        batch_size: int | None = None,
        calibration: Platt | None = None,
        prepared: bool = True,
        backend: Backend | None = None,
        keep: bool = True,
    ) -> None:
        self.backend = backend or Backend()
        self.calibration = calibration or Platt()
        self.device = device
        self.precision = precision
        self.size = size
        self.warnings: list[str] = []
        if keep and (network.training or next(network.parameters()).device.type != device.kind):
            network, keep = copy.deepcopy(network), False
        if device.kind == "cpu":
            give_back_freed_memory()
        self.picture_bytes, self._map_bytes = picture_bytes(network.eval(), size, precision.dtype)
        self.network: Any = network
        self._prepares = prepared
        self._batch_wish = batch_size
        # Until the first answer: layers bring their weights into another order when they see their first map.
        self._is_fresh = False
        exhausted = False
        try:
            self._move(device, keep)
        except RuntimeError as error:
            # A network that belongs to someone else and lies on the device already stays where it is.
            if keep or device.kind == "cpu" or not is_out_of_memory(error):
                raise
            exhausted = True
        # Outside the except block, as in in_batches.
        if exhausted:
            self._to_processor()

    def _to_processor(self) -> None:
        name = self.device.name
        self.precision = choose_precision("fp32", "cpu")
        self._move(DeviceChoice("cpu", f"cpu, after memory ran out on {name}."))
        _empty_cache(name)

    def _move(self, device: DeviceChoice, keep: bool = False) -> None:
        self.device = device
        prepared = None
        if self._prepares and device.kind == "cpu":
            here = self.network if keep else self.network.to(device.device)
            prepared = prepare(here, self.precision.dtype or torch.float32, keep)
        if prepared is None:
            own = copy.deepcopy(self.network) if keep else self.network
            # Channels last takes a quarter off the encoder's time and a tenth off the decoder's (TIRNet, width 32).
            prepared = own.to(device.device).to(memory_format=torch.channels_last)
        self.network = prepared
        on_processor = device.kind == "cpu"
        self.weight_bytes = packed_weight_bytes(prepared, self.size) if on_processor else weight_bytes(prepared)
        self._is_fresh = on_processor
        if self._is_fresh:
            give_back_freed_memory()
        self.batch_size = self._batch_wish or default_batch_size(device.name, self.picture_bytes, self._map_bytes)

    def working_bytes(self, pictures: int, texts: int) -> int:
        """Memory beside the weights while so many pictures at a time are asked so many sentences."""
        return working_bytes(self.network, (self.picture_bytes, self._map_bytes), pictures, texts)

    def expect(self, pictures: int, answers: int) -> None:
        """Let the backend be chosen for a run of so many slices, and answers about them (see ``backend``)."""
        self.network = self.backend.network_for(self.network, self.size, pictures, answers)

    def show_maps(self) -> None:
        """From now on outputs have the network's inner maps."""
        self.network = self.backend.back_to_torch(self.network)

    def features(self, pictures: np.ndarray) -> ImageFeatures:
        """Text-free features of pictures ``(B, 3, h, w)`` float32 in [0, 1]."""
        image = torch.from_numpy(pictures).to(self.device.device, memory_format=torch.channels_last)
        with torch.inference_mode(), self._arithmetic():
            features: ImageFeatures = self.network.encode_image(image)
        if self._is_fresh:
            give_back_freed_memory()
        return features

    def output(self, features: ImageFeatures, states: TextStates) -> NetworkOutput:
        """Ask B pictures one sentence ``(1, L, D)``, or each its own ``(B, L, D)``."""
        count = features.levels[0].shape[0]
        there = states.to(self.device.device)
        with torch.inference_mode(), self._arithmetic():
            output: NetworkOutput
            if isinstance(self.network, PreparedNetwork):
                output = self.network.decode(features, there.states, there.mask)
            else:
                output = self.network.decode(features, there.states.expand(count, -1, -1), there.mask.expand(count, -1))
        if self._is_fresh:
            give_back_freed_memory()
            self._is_fresh = False
        return output

    def probability(self, features: ImageFeatures, states: TextStates) -> Tensor:
        """Probability ``(B, h, w)`` float32 on the CPU; sentences as for :meth:`output`."""
        return self.probability_of(self.output(features, states).logits[:, 0]).cpu()

    def probability_of(self, logits: Tensor) -> Tensor:
        """Probabilities of logits of any shape, float32, calibrated as the card says."""
        logits = logits.float()
        if self.calibration != Platt():
            logits = self.calibration.scale * logits + self.calibration.offset
        return logits.sigmoid()

    def in_batches(self, indices: Sequence[int], work: Callable[[list[int]], None]) -> None:
        """Call ``work`` on consecutive parts of ``indices``.

        When memory runs out the same part is tried again smaller, so ``work`` must bear being repeated.

        Raises:
            OutOfMemoryError: if not even one picture fits the CPU.
        """
        position = 0
        while position < len(indices):
            part = list(indices[position : position + self.batch_size])
            exhausted = False
            try:
                work(part)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                exhausted = True
            # Outside the except block: there the error's traceback would still hold the batch's tensors.
            if exhausted:
                self._give_way(len(part))
            else:
                position += len(part)

    def _give_way(self, tried: int) -> None:
        kind = self.device.kind
        _empty_cache(self.device.name)
        if tried > 1:
            self.batch_size = tried // 2
            self.warnings.append(
                f"Memory ran out on {self.device.name} with {tried} slices at a time; went on with {self.batch_size}."
            )
        elif kind != "cpu":
            self.warnings.append(
                f"Memory ran out on {self.device.name} even with one slice at a time; went on with the cpu."
            )
            self._to_processor()
        else:
            free = free_bytes("cpu")
            rest = "" if free is None else f" and {free / 1e6:.0f} MB are free"
            raise OutOfMemoryError(
                f"Memory ran out with one slice of {self.size[0]} x {self.size[1]} pixels at a time, which needs about "
                f"{self.picture_bytes / 1e6:.0f} MB{rest}; close other programs or use a machine with more memory."
            )

    def _arithmetic(self) -> contextlib.AbstractContextManager[Any]:
        if self.precision.dtype is None or not runs_under_autocast(self.network):
            return without_tf32() if self.device.kind == "cuda" else contextlib.nullcontext()
        return torch.autocast(self.device.device.type, dtype=self.precision.dtype)


def without_tf32() -> contextlib.AbstractContextManager[Any]:
    """Keep cuDNN's convolutions in float32: by default they round their inputs to TF32's 10 bits of mantissa."""
    cudnn = torch.backends.cudnn
    # The context manager's own defaults would switch cuDNN off, so what holds now is passed on.
    manager: contextlib.AbstractContextManager[Any] = cudnn.flags(
        enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )
    return manager


def _empty_cache(device: str) -> None:
    """Give what PyTorch keeps of an accelerator's memory back to it."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()
