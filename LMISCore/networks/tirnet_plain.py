"""What stands in for a part of TIRNet that is taken out, to see what the part is worth.

The paper does not say what its own ablations put in the place of a part. These are the plainest things that still let
the sentence, or the skip connection, be heard: without the first a network without RTMB would not read its sentence at
all, without the second one without CDCB would see no fine detail.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Of the light where no RTMB makes any: as much everywhere, the sigmoid's middle.
EVEN_LIGHT = 0.5


class SentenceAddition(nn.Module):
    """Instead of RTMB: ``Y = X + p`` with p linear in the sentence vector, the same on every pixel.

    There is neither light nor shade, so nothing that the MSIS loss could supervise.
    """

    def __init__(self, channels: int, text_channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(text_channels, channels)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        """``(B, C, H, W)`` and the sentence vector ``(B, D)`` to ``(B, C, H, W)``."""
        added: Tensor = x + self.project(text).to(x.dtype)[:, :, None, None]
        return added

    @staticmethod
    def light(lit: Tensor) -> Tensor:
        """``L+`` for CDCB, even: ``(B, C, H, W) -> (B, 1, H, W)``."""
        return torch.full_like(lit[:, :1], EVEN_LIGHT)


class SkipAddition(nn.Module):
    """Instead of CDCB: the refined base and the whole skip connection, added.

    Args:
        base: refines the lit features, as in CDCB.
    """

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base

    def forward(self, lit: Tensor, skip: Tensor) -> Tensor:
        """Both ``(B, C, H, W)``, as the result."""
        added: Tensor = self.base(lit) + skip
        return added
