"""Text brought to mean 0 and deviation 1 over the training sentences, as the first thing a network does with it.

Sentence encoders put most of a vector into what all sentences share: MiniLM's vectors for "... in the left lung." and
"... in the right lung." have a cosine of 0.963. Without scaling a network finds it easier to ignore the text than to
look for the rest.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LMISCore.networks.blocks import masked_mean


def mean_and_deviation(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of N vectors ``(N, D)``, each ``(D,)``; 0 and 1 where nothing varies.

    A value that never changes says nothing and cannot be divided by its deviation: it is left as it is. So it is with
    one sentence alone, as in image-only training.
    """
    mean, deviation = values.mean(0), values.std(0, correction=0)
    varied = deviation > 1e-6 * values.abs().mean().clamp_min(1e-12)
    return torch.where(varied, mean, torch.zeros_like(mean)), torch.where(varied, deviation, torch.ones_like(mean))


def sentence_vectors(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of each sentence's real tokens, ``(N, L, D)`` and ``(N, L)`` bool to ``(N, D)`` float64, on the CPU.

    Some devices, Apple's among them, have no double precision.
    """
    return masked_mean(states.cpu().double(), mask.cpu())


class _Scaling(nn.Module):
    """``(x - mean) / deviation`` of the D values of a vector, both kept with the weights."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def _keep(self, values: Tensor) -> None:
        mean, deviation = mean_and_deviation(values)
        self.mean.copy_(mean.to(self.mean.dtype))
        self.deviation.copy_(deviation.to(self.mean.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Scale ``(..., D)``; unchanged before ``fit``."""
        return (x - self.mean) / self.deviation


class TokenScaling(_Scaling):
    """Scales token states by the real tokens of the training sentences.

    Args:
        width: D.
    """

    @torch.no_grad()
    def fit(self, states: Tensor, mask: Tensor) -> None:
        """Measure N sentences, ``states (N, L, D)`` with ``mask (N, L)`` bool, true on real tokens."""
        self._keep(states.cpu()[mask.cpu()].double())


class SentenceScaling(_Scaling):
    """Scales sentence vectors, the means of token states, by those of the training sentences.

    Args:
        width: D.
    """

    @torch.no_grad()
    def fit(self, states: Tensor, mask: Tensor) -> None:
        """Measure N sentences, ``states (N, L, D)`` with ``mask (N, L)`` bool, true on real tokens."""
        self._keep(sentence_vectors(states, mask))
