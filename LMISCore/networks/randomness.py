"""Randomness inside a network that comes from one generator: draws of tokens, and PyTorch's own dropout.

PyTorch's dropout draws from the global generator only. A training step that is to be the same after an interruption
needs all that it draws to come from the step's own generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor


def generator_of(seed: int, number: int, rank: int, device: torch.device) -> torch.Generator:
    """Randomness inside the network for one batch, from the seed and the numbers of batch and process alone."""
    entropy = [seed, 4, number] + [rank] * (rank > 0)
    return torch.Generator(device).manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))


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
    seed = _next_seed(generator)
    devices = []
    if device.type == "cuda":
        devices.append(torch.cuda.current_device() if device.index is None else device.index)
    with torch.random.fork_rng(devices=devices):
        # Not torch.manual_seed, which would seed the other GPUs too and leave them so.
        torch.default_generator.manual_seed(seed)
        for index in devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        if device.type == "mps":
            torch.mps.manual_seed(seed)
        yield


def _next_seed(generator: torch.Generator) -> int:
    drawn = torch.randint(2**31, (), generator=generator, device=generator.device)
    if generator.device.type != "cuda":
        return int(drawn)
    # To read the number would be to wait for the GPU; the generator's state, which the draw has moved on, lies here.
    digest = hashlib.sha256(generator.get_state().numpy().tobytes()).digest()
    return int.from_bytes(digest[:4], "little") % 2**31


def draw_hidden(
    log_weights: Tensor, rate: float, mask: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Choose tokens to hide without replacement, the important ones more often: ``(B, N)`` bool.

    Of each row's n real tokens ``max(1, int(rate n))`` are drawn one after the other with probability proportional to
    their weight. Adding Gumbel noise to the log weights and taking the largest is the same draw (Kool et al.,
    arXiv 1903.06059), for all rows at once and on their device.

    Args:
        log_weights: ``(B, N)``.
        rate: share of the real tokens.
        mask: ``(B, N)``, true on real tokens; None when all are.
        generator: of any device; None for the global one.
    """
    where = log_weights.device if generator is None else generator.device
    uniform = torch.rand(log_weights.shape, generator=generator, device=where).to(log_weights.device)
    tiny = torch.finfo(uniform.dtype).tiny
    noise = -(-uniform.clamp_min(tiny).log()).clamp_min(tiny).log()
    score = log_weights.detach().float() + noise
    if mask is None:
        real = torch.full((len(score),), score.shape[1], device=score.device)
    else:
        score = score.masked_fill(~mask, -torch.inf)
        real = mask.sum(1)
    count = (real * rate).long().clamp_min(1)
    rank = score.argsort(dim=1, descending=True).argsort(dim=1)
    hidden = rank < count[:, None]
    return hidden if mask is None else hidden & mask
