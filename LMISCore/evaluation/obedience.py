"""Does a sentence that names one lung, or a third of one, light that place? Counted on the network's own answer.

Nothing is cropped or weighted by side: the picture is split at the scan's midline only to count. All scores are
pooled over pixels, because a lung with few lesion pixels would swing a mean over lungs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from LMISCore.data.lungs import AXIAL_ZONES, SIDES, SMALLEST_PIECE, LungGeometry, Side
from LMISCore.metrics.auroc import auroc, weighted_aurocs
from LMISCore.metrics.bootstrap import FloatArray, IntArray, bootstrap, bootstrap_ratio, finite, percentile_interval
from LMISCore.metrics.overlap import Counts, count


@dataclass(frozen=True)
class LungAnswer:
    """What came back for one slice asked about one place: a lung, or a third of it.

    Attributes:
        row: number of the slice.
        side: the lung that the sentence names.
        inside, outside: foreground pixels in that place (a lung's is its half of the picture) and elsewhere.
        lesion: pixels of the truth in that place.
        counts: agreement of the whole answer with the truth cut to that place.
        presence: the sentence's presence score on the slice.
        zone: the third that the sentence names; None for a whole lung.
        usual_inside, usual: the right sentence's foreground pixels in that place, and all of them.
    """

    row: int
    side: Side
    inside: int
    outside: int
    lesion: int
    counts: Counts
    presence: float
    zone: str | None = None
    usual_inside: int = 0
    usual: int = 0

    @property
    def place(self) -> str:
        """Such as "left lung" or "posterior left lung"."""
        return place_name(self.side, self.zone)

    @property
    def affected(self) -> bool | None:
        """True from the set's smallest piece on, False without any lesion pixel, None in between."""
        return True if self.lesion >= SMALLEST_PIECE else False if self.lesion == 0 else None


def place_name(side: Side, zone: str | None) -> str:
    """How a sentence names the place."""
    return f"{side} lung" if zone is None else f"{zone} {side} lung"


def lungs_in_view(lungs: np.ndarray, geometry: LungGeometry) -> list[Side]:
    """Sides of the picture on which the lung mask ``(H, W)`` has any pixel."""
    return [side for side, _ in places_in_view(lungs, geometry, ())]


def places_in_view(lungs: np.ndarray, geometry: LungGeometry, zones: Sequence[str]) -> list[tuple[Side, str | None]]:
    """Lungs, then thirds of lungs (from the picture's top down), of which the lung mask ``(H, W)`` shows any pixel."""
    inside, shape = lungs > 0, (lungs.shape[0], lungs.shape[1])
    places: list[tuple[Side, str | None]] = [(side, zone) for zone in (None, *zones) for side in SIDES]
    return [(side, zone) for side, zone in places if (inside & _region(geometry, shape, side, zone, zones)).any()]


def measure_lung(
    row: int,
    side: Side,
    prediction: np.ndarray,
    truth: np.ndarray,
    geometry: LungGeometry,
    presence: float,
    zone: str | None = None,
    zones: Sequence[str] = AXIAL_ZONES,
    usual: np.ndarray | None = None,
) -> LungAnswer:
    """Count one answer.

    Args:
        row: number of the slice.
        side: the lung that was named.
        prediction: ``(H, W)`` bool, the whole answer.
        truth: ``(H, W)`` bool, the slice's whole mask.
        geometry: of the slice's scan.
        presence: the presence score.
        zone: the third that was named; None for the whole lung.
        zones: names of the thirds from the picture's top down.
        usual: ``(H, W)`` bool, the right sentence's answer; None counts as nothing marked.
    """
    region = _region(geometry, (truth.shape[0], truth.shape[1]), side, zone, zones)
    inside = int(np.count_nonzero(prediction & region))
    cut = truth & region
    return LungAnswer(
        row=row,
        side=side,
        inside=inside,
        outside=int(np.count_nonzero(prediction)) - inside,
        lesion=int(np.count_nonzero(cut)),
        counts=count(prediction, cut),
        presence=presence,
        zone=zone,
        usual_inside=0 if usual is None else int(np.count_nonzero(usual & region)),
        usual=0 if usual is None else int(np.count_nonzero(usual)),
    )


def _region(
    geometry: LungGeometry, shape: tuple[int, int], side: Side, zone: str | None, zones: Sequence[str]
) -> np.ndarray:
    half = geometry.side(shape, side)
    return half if zone is None else half & geometry.zone(shape, zone, zones)


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
    lungs_alone = answer_sums(affected, rows)
    # Every slice once: its two lungs' cut masks together are its whole mask.
    with_affected = np.isin(np.arange(rows), [a.row for a in affected])
    whole = _dice_parts(right) * with_affected

    def dice_share(weight: IntArray) -> float:
        cut_dice = _ratio(weight @ lungs_alone["dice_above"], weight @ lungs_alone["dice_below"])
        return _ratio(cut_dice, _ratio(weight @ whole[0], weight @ whole[1]))

    asked = answer_sums(answers, rows)
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
            **percentile_interval(*presence_auroc(judged, weights)).as_dict(),
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


def presence_auroc(judged: Sequence[LungAnswer], weights: IntArray) -> tuple[float, FloatArray]:
    """AUROC of the presence score, affected against unaffected places, on the data and on ``(R,)`` draws of slices."""
    scores, affected = [a.presence for a in judged], [bool(a.affected) for a in judged]
    rows = np.array([a.row for a in judged], dtype=np.int64)
    return auroc(scores, affected), weighted_aurocs(scores, affected, weights[:, rows])


def answer_sums(answers: Sequence[LungAnswer], rows: int) -> dict[str, np.ndarray]:
    """Per-slice sums ``(N,)`` over the places asked."""
    names = ("inside", "foreground", "dice_above", "dice_below", "silent", "number", "usual_inside", "usual")
    sums = {name: np.zeros(rows) for name in names}
    for a in answers:
        foreground = a.inside + a.outside
        above, below = 2 * a.counts.tp, 2 * a.counts.tp + a.counts.fp + a.counts.fn
        values = (a.inside, foreground, above, below, foreground == 0, 1, a.usual_inside, a.usual)
        for name, value in zip(names, values, strict=True):
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
