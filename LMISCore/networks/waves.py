"""Sines and cosines that say where a token stands: in a sentence, or in a grid of image patches.

After Vaswani et al., arXiv 1706.03762, with frequencies chosen for short rows: the lowest runs through half a period
over the whole row, so that its two ends (left and right, first and last word) differ at once.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def order_waves(count: int, channels: int, device: torch.device | None = None) -> Tensor:
    """Waves of ``count`` tokens in a row: ``(count, channels)`` float32.

    Args:
        count: number of tokens N.
        channels: half of them sines, half cosines (one sine more where the number is odd).
        device: where the result goes.

    Returns:
        values from -1 to 1 of frequencies from half a period over the row to half a period every second token.
    """
    pairs = math.ceil(channels / 2)
    highest = math.log2(max(count / 2, 1))
    frequencies = math.pi * torch.logspace(0, highest, max(pairs, 1), base=2.0, device=device)
    position = (torch.arange(count, device=device) + 0.5) / max(count, 1) - 0.5
    angles = position[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :channels]


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
