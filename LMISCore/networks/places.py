"""Where something stands, as numbers a network can use: a word in a sentence, a patch in a grid, a picture's pixel.

The waves are sines and cosines after Vaswani et al., arXiv 1706.03762, with frequencies chosen for short rows: the
lowest runs through half a period over the whole row, so that its two ends (left and right, first and last word) differ
at once. The basis of places is polynomials of row and column.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def word_waves(counts: Tensor, length: int, channels: int) -> Tensor:
    """Waves of the words of B sentences: ``(B, length, channels)`` float32, on the device of ``counts``.

    A word's waves depend on its number and on how long its own sentence is, not on how far that is padded.

    Args:
        counts: number of real tokens of each sentence, ``(B,)``; they stand first.
        length: L, padding included; waves of padding go on beyond the sentence's end.
        channels: half of them sines, half cosines (one sine more where the number is odd).

    Returns:
        values from -1 to 1 of frequencies from half a period over the sentence to half a period every second token.
    """
    count = counts.to(torch.float32).clamp_min(1)[:, None]
    pairs = max(math.ceil(channels / 2), 1)
    ramp = torch.linspace(0, 1, pairs, device=counts.device)
    frequencies = math.pi * 2 ** ((count / 2).clamp_min(1).log2() * ramp)
    position = (torch.arange(length, device=counts.device) + 0.5) / count - 0.5
    angles = position[..., None] * frequencies[:, None]
    return torch.cat([angles.sin(), angles.cos()], dim=-1)[..., :channels]


def order_waves(count: int, channels: int, device: torch.device | None = None) -> Tensor:
    """Waves of one row of ``count`` tokens, all real: ``(count, channels)`` float32; see :func:`word_waves`."""
    return word_waves(torch.full((1,), count, device=device), count, channels)[0]


def place_waves(rows: int, columns: int, channels: int, device: torch.device | None = None) -> Tensor:
    """Waves of a grid's patches, row by row: ``(rows * columns, channels)`` float32.

    Args:
        rows: h.
        columns: w.
        channels: the first half tells the row, the rest the column.
        device: where the result goes.
    """
    half = channels // 2
    vertical = order_waves(rows, half, device)[:, None].expand(-1, columns, -1)
    horizontal = order_waves(columns, channels - half, device)[None].expand(rows, -1, -1)
    return torch.cat([vertical, horizontal], dim=-1).reshape(rows * columns, channels)


def place_basis(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Row, column, their squares less 1/3, and their product: ``(5, H, W)`` float32.

    Row and column run from -1 at the first to 1 at the last. The first two and the product have mean 0 over the
    picture; the squares' mean is 0 for endlessly many rows, and 2 / (3 (n - 1)) for n of them.
    """
    rows = torch.linspace(-1, 1, height, device=device).view(-1, 1).expand(height, width)
    columns = torch.linspace(-1, 1, width, device=device).view(1, -1).expand(height, width)
    return torch.stack([rows, columns, rows.square() - 1 / 3, columns.square() - 1 / 3, rows * columns])
