"""Per-slice counts reduced to the figures that are reported: two means, two pooled scores, intervals, per patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from LMISCore.metrics.bootstrap import (
    FloatArray,
    IntArray,
    bootstrap_mean,
    bootstrap_ratio,
    finite,
    paired_mean_difference,
    paired_ratio_difference,
)
from LMISCore.metrics.overlap import Counts, summarise

POLICY = (
    "An image whose truth is empty has no Dice: it is left out of the mean and counted; what was wrongly marked on it "
    "counts in the pooled scores."
)

Asked = Sequence[Counts | None]


def overlap_figures(counts: Asked, patients: Sequence[str], weights: IntArray) -> dict[str, Any]:
    """Dice and IoU of one condition.

    Args:
        counts: for each of N slices its agreement with the truth at native resolution; None where it was not asked.
        patients: for each of N slices its patient.
        weights: ``(R, N)`` resamples of the slices.
    """
    asked = [c for c in counts if c is not None]
    summary = summarise(asked)
    return {
        "n": len(asked),
        "images_in_mean": summary.images,
        "empty_truths": summary.empty_truths,
        "mean_dice": bootstrap_mean(_per_image(counts, "dice"), weights).as_dict(),
        "mean_iou": bootstrap_mean(_per_image(counts, "iou"), weights).as_dict(),
        "pooled_dice": bootstrap_ratio(*_dice_parts(counts), weights).as_dict(),
        "pooled_iou": bootstrap_ratio(*_iou_parts(counts), weights).as_dict(),
        "per_patient": {
            patient: _plain([c for c, p in zip(counts, patients, strict=True) if p == patient and c is not None])
            for patient in sorted(set(patients))
        },
    }


def paired_figures(counts: Asked, reference: Asked, weights: IntArray) -> dict[str, Any]:
    """Difference "these counts minus the reference", on the slices asked in both.

    Args:
        counts, reference: for each of N slices its agreement, None where it was not asked.
        weights: ``(R, N)`` resamples of the slices, the same for both, which makes the difference paired.
    """
    both = [c is not None and r is not None for c, r in zip(counts, reference, strict=True)]
    mine = [c if keep else None for c, keep in zip(counts, both, strict=True)]
    theirs = [r if keep else None for r, keep in zip(reference, both, strict=True)]
    values, base = _per_image(mine, "dice"), _per_image(theirs, "dice")
    return {
        "n": sum(both),
        "images_in_mean": int(np.isfinite(values - base).sum()),
        "mean_dice": paired_mean_difference(values, base, weights).as_dict(),
        "pooled_dice": paired_ratio_difference(_dice_parts(mine), _dice_parts(theirs), weights).as_dict(),
        "reference_mean_dice": finite(summarise([r for r in theirs if r is not None]).mean_dice),
    }


def _per_image(counts: Asked, name: str) -> FloatArray:
    """``(N,)`` Dice or IoU per image, NaN where the truth is empty or the slice was not asked."""
    return np.array([np.nan if c is None or c.empty_truth else getattr(c, name) for c in counts], dtype=np.float64)


def _dice_parts(counts: Asked) -> tuple[FloatArray, FloatArray]:
    """Above and below the line of the pooled Dice, each ``(N,)``; zeros where the slice was not asked."""
    tp, wrong = _tp_and_wrong(counts)
    return 2 * tp, 2 * tp + wrong


def _iou_parts(counts: Asked) -> tuple[FloatArray, FloatArray]:
    tp, wrong = _tp_and_wrong(counts)
    return tp, tp + wrong


def _tp_and_wrong(counts: Asked) -> tuple[FloatArray, FloatArray]:
    pairs = [(0, 0) if c is None else (c.tp, c.fp + c.fn) for c in counts]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _plain(counts: Sequence[Counts]) -> dict[str, Any]:
    """Figures of one patient, without intervals: one person's slices say nothing of other people."""
    summary = summarise(counts)
    return {
        "n": len(counts),
        "empty_truths": summary.empty_truths,
        "mean_dice": finite(summary.mean_dice),
        "mean_iou": finite(summary.mean_iou),
        "pooled_dice": finite(summary.pooled_dice),
        "pooled_iou": finite(summary.pooled_iou),
    }
