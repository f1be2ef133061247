"""Sentence vectors scaled by the training set's own statistics, so that sentences which differ in one word differ.

Sentence encoders give nearly the same vector for sentences that differ in one word: MiniLM's for "... in the left
lung." and "... in the right lung." have a cosine of 0.963. Whatever reads them first learns that text never matters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LMISCore.networks.blocks import masked_mean


class SentenceScaling(nn.Module):
    """Mean and standard deviation of the training sentences' vectors, kept with the weights.

    Args:
        width: D, of a sentence's vector, which is the mean of its token states.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    @torch.no_grad()
    def fit(self, states: Tensor, mask: Tensor) -> None:
        """Measure N sentences.

        Args:
            states: ``(N, L, D)``.
            mask: ``(N, L)`` bool, true on real tokens.
        """
        vectors = masked_mean(states.float(), mask)
        deviation = vectors.std(0, correction=0)
        # One sentence alone, as in image-only training, has no deviation: it is left as it is.
        varied = deviation > 1e-6 * vectors.abs().mean().clamp_min(1e-12)
        self.mean.copy_(torch.where(varied, vectors.mean(0), torch.zeros_like(deviation)))
        self.deviation.copy_(torch.where(varied, deviation, torch.ones_like(deviation)))

    def forward(self, vector: Tensor) -> Tensor:
        """Scale vectors ``(B, D)``; unchanged before :meth:`fit`."""
        return (vector - self.mean) / self.deviation
