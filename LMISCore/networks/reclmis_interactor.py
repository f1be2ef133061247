"""RecLMIS's interactor: words look at the patches of the deepest feature map, then patches look at the words."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.places import place_waves
from LMISCore.networks.reclmis_attention import Attention

HEADS = 4
DROPOUT = 0.1


class Interaction(NamedTuple):
    """What the interactor gives.

    Attributes:
        words: T', ``(B, L, d)``.
        patches: V', ``(B, N, d)``.
        looked_at: share of the words' attention that each patch gets, averaged over heads and words, ``(B, N)``.
    """

    words: Tensor
    patches: Tensor
    looked_at: Tensor


class Interactor(nn.Module):
    """``V0 = patch(V) + position``, ``T' = attention(T, V0)``, ``V' = attention(V0, T')``.

    Args:
        width: d, channels of the deepest map and of the words.
        grid: side of the learned position's grid (14: the deepest map of 224 x 224 pictures); enlarged or reduced
            bilinearly for other maps.
        residual: add what was there before to each attention's result and normalise the sum.
        hide_padding: let patches see real words only.
        waves: start the position from sines and cosines of row and column, not from zero.
    """

    def __init__(self, width: int, grid: int, residual: bool, hide_padding: bool, waves: bool) -> None:
        super().__init__()
        self.grid, self.hide_padding = grid, hide_padding
        self.patch = nn.Conv2d(width, width, 1)
        # On the processor even while a network without values is built: on the device "meta" these few operations load
        # the compiler's modules, 90 MB of them.
        start = place_waves(grid, grid, width, torch.device("cpu")) if waves else torch.zeros(grid * grid, width)
        self.position = nn.Parameter(start[None])
        self.dropout = nn.Dropout(DROPOUT)
        self.text_attention = Attention(width, HEADS, DROPOUT)
        self.image_attention = Attention(width, HEADS, DROPOUT)
        self.text_norm = nn.LayerNorm(width) if residual else None
        self.image_norm = nn.LayerNorm(width) if residual else None

    def forward(self, deepest: Tensor, words: Tensor, mask: Tensor) -> Interaction:
        """Let words ``(B, L, d)`` with mask ``(B, L)`` and the map ``(B, d, h, w)`` look at each other."""
        patches = self.patch(deepest).flatten(2).transpose(1, 2) + self._position(deepest)
        patches = self.dropout(patches)
        seen, attention = self.text_attention(words, patches)
        if self.text_norm is not None:
            seen = self.text_norm(words + seen)
        hidden = ~mask[:, None] if self.hide_padding else None
        answer, _ = self.image_attention(patches, seen, hidden)
        if self.image_norm is not None:
            answer = self.image_norm(patches + answer)
        real = mask.to(attention.dtype)
        looked_at = torch.einsum("bl,bln->bn", real, attention) / real.sum(1, keepdim=True).clamp_min(1)
        return Interaction(seen, answer, looked_at)

    def _position(self, like: Tensor) -> Tensor:
        """The position of a map's patches ``(1, h w, d)``."""
        size = (like.shape[-2], like.shape[-1])
        if size == (self.grid, self.grid):
            return self.position
        stored = self.position.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        return F.interpolate(stored, size=size, mode="bilinear", align_corners=False).flatten(2).transpose(1, 2)
