"""Obedience by side and zone: what a sentence that names one lung, or a third of one, marks, place by place.

That most of an answer lies in the named place proves little where the lesion lies there anyway. Beside each share
therefore stands that of the right sentence's answer on the same slices, which names all places: the difference is what
naming the one place did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from LMISCore.checkpoints.card import Card
from LMISCore.data.lungs import AXIAL_ZONES, FRONTAL_ZONES, SIDES
from LMISCore.evaluation.obedience import LungAnswer, answer_sums, presence_auroc
from LMISCore.metrics.bootstrap import FloatArray, IntArray, bootstrap_ratio, percentile_interval
from LMISCore.metrics.calibration import BINS, bin_table

ALL_LUNGS, ALL_ZONES = "all lungs", "all thirds of lungs"


def zones_of(card: Card) -> tuple[str, ...]:
    """Names of the thirds from the picture's top down as these weights know them; none where they know none."""
    words = set(card.vocabulary["places"])
    if set(FRONTAL_ZONES) <= words:
        return FRONTAL_ZONES
    return AXIAL_ZONES if card.image["plane"] == "axial" else ()


def zone_sentence(name: str, side: str, zone: str) -> str:
    """The plainest sentence about a third of a lung.

    >>> zone_sentence("pulmonary infection", "left", "posterior")
    'Pulmonary infection in the posterior left lung.'
    """
    return f"{name[:1].upper()}{name[1:]} in the {zone} {side} lung."


def place_figures(answers: Sequence[LungAnswer], rows: int, weights: IntArray) -> dict[str, Any]:
    """Figures of each place asked, and of all lungs and all thirds together.

    Args:
        answers: of all slices; the order of places is that of their first answers.
        rows: number N of slices.
        weights: ``(R, N)`` resamples of the slices.

    Returns:
        {place: figures}, pooled over pixels.
    """
    groups: dict[str, list[LungAnswer]] = {}
    for kind, whole in ((ALL_LUNGS, True), (ALL_ZONES, False)):
        chosen = [a for a in answers if (a.zone is None) == whole]
        if chosen:
            groups[kind] = chosen
        for side in SIDES:
            for a in (a for a in chosen if a.side == side):
                groups.setdefault(a.place, []).append(a)
    return {name: _figures(group, rows, weights) for name, group in groups.items()}


def presence_tables(answers: Sequence[LungAnswer], rows: int) -> FloatArray:
    """Calibration tables ``(N, 3, B)`` of the presence scores of lungs that are affected or not, one a slice."""
    tables = np.zeros((rows, 3, BINS))
    for a in answers:
        if a.affected is not None and a.zone is None:
            tables[a.row] += bin_table([a.presence], [a.affected])
    return tables


def _figures(answers: Sequence[LungAnswer], rows: int, weights: IntArray) -> dict[str, Any]:
    affected = [a for a in answers if a.affected is True]
    unaffected = [a for a in answers if a.affected is False]
    asked, hit = answer_sums(answers, rows), answer_sums(affected, rows)
    return {
        "asked": len(answers),
        "affected": len(affected),
        "unaffected": len(unaffected),
        "foreground_in_place": bootstrap_ratio(asked["inside"], asked["foreground"], weights).as_dict(),
        "right_sentence_in_place": bootstrap_ratio(asked["usual_inside"], asked["usual"], weights).as_dict(),
        "cut_dice": bootstrap_ratio(hit["dice_above"], hit["dice_below"], weights).as_dict(),
        "affected_without_answer": bootstrap_ratio(hit["silent"], hit["number"], weights).as_dict(),
        "presence_auroc": percentile_interval(*presence_auroc([*affected, *unaffected], weights)).as_dict(),
    }
