"""Does a sentence that names one lung light that lung? Counted on the network's own answer.

Nothing is cropped or weighted by side: the picture is split at the scan's midline only to count. All scores are
pooled over pixels, because a lung with few lesion pixels would swing a mean over lungs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from LMISCore.data.lungs import SIDES, SMALLEST_PIECE, LungGeometry, Side
from LMISCore.metrics.auroc import auroc
from LMISCore.metrics.bootstrap import IntArray, bootstrap, bootstrap_ratio, finite
from LMISCore.metrics.overlap import Counts, count


@dataclass(frozen=True)
class LungAnswer:
    """What came back for one slice asked about one lung.

    Attributes:
        row: number of the slice.
        side: the lung that the sentence names.
        inside, outside: foreground pixels on that lung's side and on the other.
        lesion: pixels of the truth on that lung's side.
        counts: agreement of the whole answer with the truth cut to that side.
        presence: the sentence's presence score on the slice.
    """

    row: int
    side: Side
    inside: int
    outside: int
    lesion: int
    counts: Counts
    presence: float

    @property
    def affected(self) -> bool | None:
        """True from the set's smallest piece on, False without any lesion pixel, None in between."""
        return True if self.lesion >= SMALLEST_PIECE else False if self.lesion == 0 else None


def lungs_in_view(lungs: np.ndarray, geometry: LungGeometry) -> list[Side]:
    """Sides of the picture on which the lung mask ``(H, W)`` has any pixel."""
    shape = (lungs.shape[0], lungs.shape[1])
    return [side for side in SIDES if ((lungs > 0) & geometry.side(shape, side)).any()]


def measure_lung(
    row: int, side: Side, prediction: np.ndarray, truth: np.ndarray, geometry: LungGeometry, presence: float
) -> LungAnswer:
    """Count one answer.

    Args:
        row: number of the slice.
        side: the lung that was named.
        prediction: ``(H, W)`` bool, the whole answer.
        truth: ``(H, W)`` bool, the slice's whole mask.
        geometry: of the slice's scan.
        presence: the presence score.
    """
    half = geometry.side((truth.shape[0], truth.shape[1]), side)
    inside = int(np.count_nonzero(prediction & half))
    cut = truth & half
    return LungAnswer(
        row=row,
        side=side,
        inside=inside,
        outside=int(np.count_nonzero(prediction)) - inside,
        lesion=int(np.count_nonzero(cut)),
        counts=count(prediction, cut),
        presence=presence,
    )


def summarise_obedience(
    answers: Sequence[LungAnswer],
    right: Sequence[Counts],
    patients: Sequence[str],
    weights: IntArray,
    presence_threshold: float,
) -> dict[str, Any]:
    """Reduce the answers to the figures reported, with intervals and per patient.

    Args:
        answers: of all slices and lungs in view.
        right: for each of N slices the counts of its right sentence against its whole mask.
        patients: for each of N slices its patient.
        weights: ``(R, N)`` resamples of the slices.
        presence_threshold: the card's; a score from it on counts as present.
    """
    affected = [a for a in answers if a.affected is True]
    unaffected = [a for a in answers if a.affected is False]
    judged = affected + unaffected
    rows = len(patients)
    lungs_alone = _sums(affected, rows)
    # Every slice once: its two lungs' cut masks together are its whole mask.
    with_affected = np.isin(np.arange(rows), [a.row for a in affected])
    whole = _dice_parts(right) * with_affected

    def dice_share(weight: IntArray) -> float:
        cut_dice = _ratio(weight @ lungs_alone["dice_above"], weight @ lungs_alone["dice_below"])
        return _ratio(cut_dice, _ratio(weight @ whole[0], weight @ whole[1]))

    def presence_auroc(weight: IntArray) -> float:
        times = weight[[a.row for a in judged]]
        scores = np.repeat([a.presence for a in judged], times)
        return auroc(scores, np.repeat([bool(a.affected) for a in judged], times))

    asked = _sums(answers, rows)
    return {
        "lungs": {
            "asked": len(answers),
            "affected": len(affected),
            "unaffected": len(unaffected),
            "left_out": len(answers) - len(judged),
            "rule": f"affected: at least {SMALLEST_PIECE} lesion pixels on its side of the midline; unaffected: none",
        },
        "foreground_on_named_side": {
            "all_lungs": bootstrap_ratio(asked["inside"], asked["foreground"], weights).as_dict(),
            "affected_lungs": bootstrap_ratio(lungs_alone["inside"], lungs_alone["foreground"], weights).as_dict(),
            "n": len(answers),
        },
        "side_cut_dice": {
            "pooled": bootstrap_ratio(lungs_alone["dice_above"], lungs_alone["dice_below"], weights).as_dict(),
            "whole_slice_pooled": bootstrap_ratio(whole[0], whole[1], weights).as_dict(),
            "share_of_whole_slice": bootstrap(dice_share, weights).as_dict(),
            "n": len(affected),
            "slices": int(with_affected.sum()),
        },
        "affected_lungs_without_answer": {
            "share": bootstrap_ratio(lungs_alone["silent"], lungs_alone["number"], weights).as_dict(),
            "n": len(affected),
        },
        "presence_auroc": {
            **bootstrap(presence_auroc, weights).as_dict(),
            "n_affected": len(affected),
            "n_unaffected": len(unaffected),
            "at_threshold": {
                "threshold": presence_threshold,
                "sensitivity": finite(_ratio(sum(a.presence >= presence_threshold for a in affected), len(affected))),
                "specificity": finite(
                    _ratio(sum(a.presence < presence_threshold for a in unaffected), len(unaffected))
                ),
            },
            "per_patient": {
                p: _patient_auroc([a for a in judged if patients[a.row] == p]) for p in sorted(set(patients))
            },
        },
        "per_patient": {p: _patient([a for a in answers if patients[a.row] == p]) for p in sorted(set(patients))},
    }


def _sums(answers: Sequence[LungAnswer], rows: int) -> dict[str, np.ndarray]:
    """Per-slice sums ``(N,)`` over the lungs asked."""
    names = ("inside", "foreground", "dice_above", "dice_below", "silent", "number")
    sums = {name: np.zeros(rows) for name in names}
    for a in answers:
        foreground = a.inside + a.outside
        above, below = 2 * a.counts.tp, 2 * a.counts.tp + a.counts.fp + a.counts.fn
        for name, value in zip(names, (a.inside, foreground, above, below, foreground == 0, 1), strict=True):
            sums[name][a.row] += value
    return sums


def _dice_parts(counts: Sequence[Counts]) -> np.ndarray:
    """``(2, N)``: above and below the line of each slice's Dice."""
    return np.array([(2 * c.tp, 2 * c.tp + c.fp + c.fn) for c in counts], dtype=np.float64).reshape(-1, 2).T


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")


def _patient(answers: Sequence[LungAnswer]) -> dict[str, Any]:
    affected = [a for a in answers if a.affected is True]
    dice = _dice_parts([a.counts for a in affected])
    return {
        "asked": len(answers),
        "affected": len(affected),
        "foreground_on_named_side": finite(
            _ratio(sum(a.inside for a in answers), sum(a.inside + a.outside for a in answers))
        ),
        "side_cut_pooled_dice": finite(_ratio(dice[0].sum(), dice[1].sum())),
        "without_answer": sum(a.inside + a.outside == 0 for a in affected),
    }


def _patient_auroc(judged: Sequence[LungAnswer]) -> dict[str, Any]:
    affected = [bool(a.affected) for a in judged]
    return {
        "auroc": finite(auroc([a.presence for a in judged], affected)),
        "n_affected": sum(affected),
        "n_unaffected": len(affected) - sum(affected),
    }
