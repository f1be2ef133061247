"""Overlap of many masks at once, on the device that they lie on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from LMISCore.metrics.overlap import Counts


def count_batch(prediction: Tensor, truth: Tensor) -> Tensor:
    """True positives, false positives and false negatives of each of B masks ``(B, H, W)`` bool: ``(B, 3)`` int64.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction has shape {tuple(prediction.shape)}, truth {tuple(truth.shape)}; expected the same"
        )
    tp = (prediction & truth).sum((1, 2))
    return torch.stack([tp, prediction.sum((1, 2)) - tp, truth.sum((1, 2)) - tp], dim=1)


def read_counts(parts: Sequence[Tensor]) -> list[Counts]:
    """The counts of all parts, ``(B_i, 3)`` each, read from the device in one go."""
    rows: list[list[int]] = torch.cat(list(parts)).tolist() if parts else []
    return [Counts(*row) for row in rows]
