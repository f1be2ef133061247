"""TMCA's decoder: image tokens look at each other, then at the words, and grow back to the picture's size.

Our reading of the abstract of arXiv 2412.13533 on the base that the same group released for another paper:
self-attention, cross-attention to text, upsampling with a skip connection.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_WIDTH = 32


def convolution(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    """3x3 convolution, batch normalisation, ReLU; no bias, which the normalisation would take away again."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()


class Attention(nn.Module):
    """Multi-head attention of ``(B, N, C)`` to ``(B, M, C)``; heads of 32 channels where they divide C, else one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = channels // HEAD_WIDTH if channels % HEAD_WIDTH == 0 else 1
        self.query = nn.Linear(channels, channels)
        # A key's bias adds the same to a query's every score and softmax drops it: it would never get a gradient.
        self.key = nn.Linear(channels, channels, bias=False)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, source: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Attend.

        Args:
            x: ``(B, N, C)``.
            source: ``(B, M, C)``.
            allowed: ``(B, 1, 1, M)``, true where ``source`` may be looked at; None for everywhere.
        """
        q, k, v = (self._split(y) for y in (self.query(x), self.key(source), self.value(source)))
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        out: Tensor = self.out(found.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        batch, tokens, channels = x.shape
        return x.view(batch, tokens, self.heads, channels // self.heads).transpose(1, 2)


class TextCrossed(nn.Module):
    """``x + self-attention``, then ``x + s cross-attention to the words`` with a learned scalar ``s`` (starts at 1)."""

    def __init__(self, channels: int, text_width: int) -> None:
        super().__init__()
        self.norm_self = nn.LayerNorm(channels)
        self.attend_self = Attention(channels)
        self.text = nn.Linear(text_width, channels)
        self.norm_text = nn.LayerNorm(channels)
        self.norm_cross = nn.LayerNorm(channels)
        self.attend_words = Attention(channels)
        self.strength = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """``(B, C, H, W)`` with scaled token states ``(B, L, D)`` and mask ``(B, L)`` bool."""
        batch, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        normed = self.norm_self(tokens)
        tokens = tokens + self.attend_self(normed, normed)
        # A sentence without a token says nothing; in some versions of torch softmax over nothing is no number.
        some = mask.any(-1, keepdim=True)
        allowed = (mask | ~some)[:, None, None, :]
        words = self.norm_text(self.text(states))
        heard = self.attend_words(self.norm_cross(tokens), words, allowed)
        tokens = tokens + self.strength * heard * some.unsqueeze(-1).to(heard.dtype)
        out: Tensor = tokens.transpose(1, 2).reshape(batch, channels, height, width)
        return out


class DecoderStage(nn.Module):
    """One stage: words, upsampling by 2, the finer level beside it, a residual convolution block."""

    def __init__(self, in_channels: int, out_channels: int, text_width: int) -> None:
        super().__init__()
        self.crossed = TextCrossed(in_channels, text_width)
        self.up = nn.Conv2d(in_channels, out_channels, 1)
        self.shortcut = nn.Conv2d(2 * out_channels, out_channels, 1, bias=False)
        self.block = nn.Sequential(
            *convolution(2 * out_channels, out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor, skip: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """``(B, C_in, h, w)`` and the skip ``(B, C_out, 2h, 2w)`` to ``(B, C_out, 2h, 2w)``."""
        x = self.up(self.crossed(x, states, mask))
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        joined = torch.cat([x, skip.to(x.dtype)], dim=1)
        out: Tensor = F.relu(self.block(joined) + self.shortcut(joined))
        return out


class SubpixelHead(nn.Sequential):
    """``(B, C, h, w)`` to logits ``(B, 1, 4h, 4w)``: each coarse pixel gives its own 16 fine ones."""

    def __init__(self, channels: int) -> None:
        super().__init__(*convolution(channels, channels), nn.Conv2d(channels, 16, 1), nn.PixelShuffle(4))
