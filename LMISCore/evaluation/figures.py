"""Per-slice counts reduced to the figures reported: means, pooled scores, by volume, intervals, per patient."""

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
    percentile_interval,
)
from LMISCore.metrics.overlap import Counts, pooled, summarise

POLICY = (
    "An image whose truth is empty has no Dice: it is left out of the mean and counted; what was wrongly marked on it "
    "counts in the pooled scores."
)
# Attribute of Counts -> its name in words.
SCORES = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall"}

Asked = Sequence[Counts | None]


def overlap_figures(counts: Asked, patients: Sequence[str], weights: IntArray) -> dict[str, Any]:
    """Dice and IoU of one condition.

    Args:
        counts: for each of N slices its agreement with the truth at native resolution; None where it was not asked.
        patients: for each of N slices its patient.
        weights: ``(R, N)`` resamples of the slices.

    Returns:
        Besides the scores: ``n`` slices asked, ``images_in_mean``, ``empty_truths``, ``unmarked`` (in the mean, but
        nothing was marked, so without a precision) and ``unmarked_share`` (nothing marked, of all slices asked).
    """
    asked = [c for c in counts if c is not None]
    summary = summarise(asked)
    return {
        "n": len(asked),
        "images_in_mean": summary.images,
        "empty_truths": summary.empty_truths,
        "unmarked": summary.unmarked,
        "unmarked_share": bootstrap_mean(_unmarked(counts), weights).as_dict(),
        **{f"mean_{name}": bootstrap_mean(per_image(counts, name), weights).as_dict() for name in SCORES},
        **{f"pooled_{name}": bootstrap_ratio(*pooled_parts(counts, name), weights).as_dict() for name in SCORES},
        "per_patient": {
            patient: _plain([c for c, p in zip(counts, patients, strict=True) if p == patient and c is not None])
            for patient in sorted(set(patients))
        },
    }


def volume_figures(counts: Asked, cases: Sequence[str], weights: IntArray) -> dict[str, Any] | None:
    """Dice of each scan's slices taken together, and its mean over scans.

    Args:
        counts: for each of N slices its agreement; None where it was not asked.
        cases: for each of N slices its scan.
        weights: ``(R, N)`` resamples of the slices.

    Returns:
        None where every scan is a single picture: the mean over images says it already.
    """
    names = sorted(set(cases))
    if len(names) == len(cases):
        return None
    asked = {name: [c for c, case in zip(counts, cases, strict=True) if case == name and c] for name in names}
    return {
        "mean_dice": percentile_interval(*volume_dice(counts, cases, weights)).as_dict(),
        "n": sum(not pooled(part).empty_truth for part in asked.values()),
        "per_volume": {name: _plain(part) for name, part in asked.items()},
    }


def volume_dice(counts: Asked, cases: Sequence[str], weights: IntArray) -> tuple[float, FloatArray]:
    """Mean Dice over scans, on the data as they are and on ``(R,)`` draws; scans with an empty truth are left out."""
    names = sorted(set(cases))
    member = (np.array(cases)[:, None] == np.array(names)).astype(np.float64)
    every = np.concatenate([np.ones((1, len(cases))), weights])
    above, below = (every @ (part[:, None] * member) for part in pooled_parts(counts, "dice"))
    truth = every @ (pooled_parts(counts, "recall")[1][:, None] * member)
    dice = np.divide(above, below, out=np.zeros_like(above), where=truth > 0)
    found = np.full(len(every), np.nan)
    np.divide(dice.sum(1), (truth > 0).sum(1), out=found, where=(truth > 0).any(1))
    return float(found[0]), found[1:]


def paired_figures(counts: Asked, reference: Asked, weights: IntArray) -> dict[str, Any]:
    """Difference "these counts minus the reference", on the slices asked in both.

    Args:
        counts, reference: for each of N slices its agreement, None where it was not asked.
        weights: ``(R, N)`` resamples of the slices, the same for both, which makes the difference paired.

    Returns:
        Besides the differences ``foreground_ratio``: all pixels marked here over all marked in the reference.
    """
    mine, theirs = in_both(counts, reference)
    values, base = per_image(mine, "dice"), per_image(theirs, "dice")
    return {
        "n": sum(c is not None for c in mine),
        "images_in_mean": int(np.isfinite(values - base).sum()),
        "mean_dice": paired_mean_difference(values, base, weights).as_dict(),
        "pooled_dice": paired_ratio_difference(
            pooled_parts(mine, "dice"), pooled_parts(theirs, "dice"), weights
        ).as_dict(),
        "reference_mean_dice": finite(summarise([r for r in theirs if r is not None]).mean_dice),
        "foreground_ratio": bootstrap_ratio(_foreground(mine), _foreground(theirs), weights).as_dict(),
    }


def in_both(counts: Asked, reference: Asked) -> tuple[list[Counts | None], list[Counts | None]]:
    """Both, with None wherever either is None."""
    both = [c is not None and r is not None for c, r in zip(counts, reference, strict=True)]
    return (
        [c if keep else None for c, keep in zip(counts, both, strict=True)],
        [r if keep else None for r, keep in zip(reference, both, strict=True)],
    )


def per_image(counts: Asked, name: str) -> FloatArray:
    """``(N,)`` values of one of ``SCORES``; NaN where it is undefined, the truth is empty or none was asked."""
    return np.array([np.nan if c is None or c.empty_truth else getattr(c, name) for c in counts], dtype=np.float64)


def pooled_parts(counts: Asked, name: str) -> tuple[FloatArray, FloatArray]:
    """Above and below the line of one of ``SCORES``, pooled, each ``(N,)``; zeros where a slice was not asked."""
    rows = [(0, 0, 0) if c is None else (c.tp, c.fp, c.fn) for c in counts]
    tp, fp, fn = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    above = 2 * tp if name == "dice" else tp
    below = {"dice": 2 * tp + fp + fn, "iou": tp + fp + fn, "precision": tp + fp, "recall": tp + fn}[name]
    return above, below


def _foreground(counts: Asked) -> FloatArray:
    return np.array([0 if c is None else c.tp + c.fp for c in counts], dtype=np.float64)


def _unmarked(counts: Asked) -> FloatArray:
    return np.array([np.nan if c is None else float(c.tp + c.fp == 0) for c in counts], dtype=np.float64)


def _plain(counts: Sequence[Counts]) -> dict[str, Any]:
    """Figures of one patient or scan, without intervals: one person's slices say nothing of other people."""
    summary = summarise(counts)
    return {
        "n": len(counts),
        "empty_truths": summary.empty_truths,
        **{f"mean_{name}": finite(getattr(summary, f"mean_{name}")) for name in SCORES},
        **{f"pooled_{name}": finite(getattr(summary, f"pooled_{name}")) for name in SCORES},
    }
