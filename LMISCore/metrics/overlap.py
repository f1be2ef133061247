"""Dice, IoU, precision and recall: counted once per image, reduced in whichever way is asked.

Two reductions share one literature: the mean over images (LViT, RecLMIS) and the score of all pixels pooled
(LanGuideMedSeg); pooled scores obey IoU = Dice / (2 - Dice) exactly, means do not. An image whose truth is empty has
no Dice: it is left out of the mean and counted. One with a truth on which nothing was marked has Dice, IoU and recall
0 but no precision: it is left out of the mean precision alone, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Pixels (or voxels) of one image: true positives, false positives, false negatives."""

    tp: int
    fp: int
    fn: int

    @property
    def empty_truth(self) -> bool:
        """Whether the truth has no foreground."""
        return self.tp + self.fn == 0

    @property
    def dice(self) -> float:
        """``2 tp / (2 tp + fp + fn)``; NaN when both truth and prediction are empty."""
        size = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / size if size else float("nan")

    @property
    def iou(self) -> float:
        """``tp / (tp + fp + fn)``; NaN when both are empty."""
        union = self.tp + self.fp + self.fn
        return self.tp / union if union else float("nan")

    @property
    def precision(self) -> float:
        """``tp / (tp + fp)``; NaN when nothing is predicted."""
        predicted = self.tp + self.fp
        return self.tp / predicted if predicted else float("nan")

    @property
    def recall(self) -> float:
        """``tp / (tp + fn)``; NaN when the truth is empty."""
        true = self.tp + self.fn
        return self.tp / true if true else float("nan")


def count(prediction: np.ndarray, truth: np.ndarray) -> Counts:
    """Count agreement of two boolean arrays of one shape.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction has shape {prediction.shape}, truth {truth.shape}; expected the same")
    prediction, truth = prediction.astype(bool), truth.astype(bool)
    tp = int(np.count_nonzero(prediction & truth))
    return Counts(tp, int(np.count_nonzero(prediction)) - tp, int(np.count_nonzero(truth)) - tp)


def pooled(counts: Iterable[Counts]) -> Counts:
    """Add up the pixels of all images."""
    tp = fp = fn = 0
    for c in counts:
        tp, fp, fn = tp + c.tp, fp + c.fp, fn + c.fn
    return Counts(tp, fp, fn)


@dataclass(frozen=True)
class OverlapSummary:
    """Both reductions of a set of images.

    Attributes:
        mean_dice, mean_iou, mean_recall: over the images with foreground in the truth; NaN when there is none.
        mean_precision: over those of them on which something was predicted.
        pooled_dice, pooled_iou, pooled_precision, pooled_recall: over all pixels of all images.
        images: number of images counted in the mean.
        empty_truths: number of images left out of the mean because their truth is empty.
        unmarked: number of images counted in the mean on which nothing was predicted.
    """

    mean_dice: float
    mean_iou: float
    pooled_dice: float
    pooled_iou: float
    mean_precision: float
    mean_recall: float
    pooled_precision: float
    pooled_recall: float
    images: int
    empty_truths: int
    unmarked: int


def summarise(counts: Iterable[Counts]) -> OverlapSummary:
    """Reduce per-image counts to the mean over images and the pooled score."""
    counts = list(counts)
    full = [c for c in counts if not c.empty_truth]
    marked = [c for c in full if c.tp + c.fp]
    everything = pooled(counts)
    return OverlapSummary(
        mean_dice=_mean([c.dice for c in full]),
        mean_iou=_mean([c.iou for c in full]),
        pooled_dice=everything.dice,
        pooled_iou=everything.iou,
        mean_precision=_mean([c.precision for c in marked]),
        mean_recall=_mean([c.recall for c in full]),
        pooled_precision=everything.precision,
        pooled_recall=everything.recall,
        images=len(full),
        empty_truths=len(counts) - len(full),
        unmarked=len(full) - len(marked),
    )


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
