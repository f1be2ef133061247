"""Randomness inside a network that comes from one generator, PyTorch's own dropout included.

PyTorch's dropout draws from the global generator only. A training step that is to be the same after an interruption
needs all that it draws to come from the step's own generator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def drawing_from(generator: torch.Generator | None, device: torch.device) -> Iterator[None]:
    """Let everything drawn inside follow ``generator``; the global generators are as before afterwards.

    Args:
        generator: of any device; one number is taken from it. None leaves all as it is.
        device: where the drawing happens. On others than the CPU and CUDA the device's own generator stays seeded,
            because PyTorch cannot bring its state back there.
    """
    if generator is None:
        yield
        return
    seed = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    devices = []
    if device.type == "cuda":
        devices.append(torch.cuda.current_device() if device.index is None else device.index)
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
