"""Token states brought to mean 0 and deviation 1 over the training sentences, as the first thing a network does."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TokenScaling(nn.Module):
    """``(x - mean) / deviation`` for each of the D values of a token, both kept with the weights.

    Sentence encoders put most of a token's state into what all sentences share; without scaling a network finds it
    easier to ignore the text than to look for the rest.

    Args:
        width: D.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    @torch.no_grad()
    def fit(self, states: Tensor, mask: Tensor) -> None:
        """Keep mean and deviation of the real tokens of N sentences.

        Args:
            states: ``(N, L, D)``.
            mask: ``(N, L)`` bool, true on real tokens.
        """
        tokens = states[mask].double()
        if len(tokens) < 2:
            return
        mean, deviation = tokens.mean(0), tokens.std(0, correction=0)
        # A value that never changes says nothing and cannot be divided by its deviation: it is left as it is.
        varied = deviation > 1e-6 * tokens.abs().mean().clamp_min(1e-12)
        self.mean.copy_(torch.where(varied, mean, torch.zeros_like(mean)))
        self.deviation.copy_(torch.where(varied, deviation, torch.ones_like(deviation)))

    def forward(self, states: Tensor) -> Tensor:
        """Scale states ``(..., D)``."""
        return (states - self.mean) / self.deviation
