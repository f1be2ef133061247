"""All answers of one evaluation reduced to its figures: the part of the result that is not single slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from LMISCore.data.lungs import SIDES
from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.asking import reads_text
from LMISCore.evaluation.collect import Answers, Task
from LMISCore.evaluation.figures import SCORES, overlap_figures, paired_figures, volume_figures
from LMISCore.evaluation.obedience import LungAnswer, summarise_obedience
from LMISCore.evaluation.places import place_figures, presence_tables, zone_sentence
from LMISCore.evaluation.quality import NATIVE, NETWORK, calibration_figures, pixel_calibration, surface_figures
from LMISCore.metrics.bootstrap import IntArray, bootstrap_mean
from LMISCore.training.pairs import side_sentence


def all_figures(task: Task, answers: Answers, weights: IntArray) -> dict[str, Any]:
    """Every figure of the result.

    Args:
        task, answers: of N slices.
        weights: ``(R, N)`` resamples of the slices.
    """
    patients = [pair.patient for pair in task.pairs]
    right = answers.counts[asked.RIGHT]
    places = [answers.places[key] for key in answers.places]
    return {
        "conditions": {
            name: {
                "meaning": asked.MEANINGS[name],
                **overlap_figures(counts, patients, weights),
                "presence": _presence(answers.presence.get(name), weights),
            }
            for name, counts in answers.counts.items()
        },
        "differences": {
            name: paired_figures(counts, right, weights)
            for name, counts in answers.counts.items()
            if name != asked.RIGHT
        },
        "volumes": volume_figures(right, [pair.case for pair in task.pairs], weights),
        "resolutions": _resolutions(task, answers, patients, weights),
        "calibration": {
            "pixels": {
                NATIVE: pixel_calibration([answers.native[row] for row in range(len(patients))], patients, weights),
                NETWORK: pixel_calibration([answers.network[row] for row in range(len(patients))], patients, weights),
            },
            "before": pixel_calibration([answers.uncalibrated[row] for row in range(len(patients))], patients, weights)
            if answers.uncalibrated
            else None,
            "presence": calibration_figures(presence_tables(places, len(patients)), patients, weights)
            if places
            else None,
        },
        **_obedience(task, places, answers, patients, weights),
        "robustness": {
            name: {
                "mean_dice": overlap_figures(counts, patients, weights)["mean_dice"],
                "difference": paired_figures(counts, right, weights),
            }
            for name, counts in answers.changed.items()
        },
    }


def _presence(scores: Sequence[float | None] | None, weights: IntArray) -> dict[str, Any] | None:
    """Mean presence score over the slices asked."""
    if scores is None:
        return None
    return bootstrap_mean(np.array([np.nan if s is None else s for s in scores], dtype=np.float64), weights).as_dict()


def _resolutions(task: Task, answers: Answers, patients: Sequence[str], weights: IntArray) -> dict[str, Any]:
    """The right sentence at the pictures' own resolution, whose overlap stands elsewhere, and at the network's."""
    rows = range(len(patients))
    native, network = ([kept[row] for row in rows] for kept in (answers.native, answers.network))
    overlap = overlap_figures([answer.counts for answer in network], patients, weights)
    return {
        NATIVE: {"surface": surface_figures(native, patients, weights)},
        NETWORK: {
            "size": [int(side) for side in task.asker.card.image["size"]],
            **{f"{kind}_{name}": overlap[f"{kind}_{name}"] for kind in ("mean", "pooled") for name in SCORES},
            "empty_truths": overlap["empty_truths"],
            "surface": surface_figures(network, patients, weights),
        },
    }


def _obedience(
    task: Task, places: Sequence[LungAnswer], answers: Answers, patients: Sequence[str], weights: IntArray
) -> dict[str, Any]:
    if not places:
        return {"obedience": None, "obedience_reason": _no_obedience(task)}
    finding = task.finding or ""
    right = [c for c in answers.counts[asked.RIGHT] if c is not None]
    lungs = sorted((a for a in places if a.zone is None), key=lambda a: (a.row, a.side))
    figures = {
        "sentences": {side: side_sentence(finding, side) for side in SIDES},
        **summarise_obedience(lungs, right, patients, weights, float(task.asker.card.thresholds["presence"])),
        "zones": list(task.zones),
        "zone_sentence": zone_sentence(finding, SIDES[0], task.zones[-1]) if task.zones else None,
        "places": place_figures(places, len(patients), weights),
    }
    return {"obedience": figures, "obedience_reason": ""}


def _no_obedience(task: Task) -> str:
    if not reads_text(task.asker.card):
        return "not measured: the weights were trained without text"
    if task.finding is None:
        return "not measured: the card's vocabulary names no finding"
    return "not measured: the set has no lung masks"
