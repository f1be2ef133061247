"""The result's table of single slices: written by an evaluation, read again by a comparison of two."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from LMISCore.atomic import write_text
from LMISCore.data.lungs import SIDES
from LMISCore.evaluation.collect import Answers, Task
from LMISCore.evaluation.obedience import LungAnswer
from LMISCore.evaluation.quality import Quality
from LMISCore.metrics.overlap import Counts
from LMISCore.metrics.surface import SurfaceScores

COLUMNS = {
    "counts": ["true positives", "false positives", "false negatives"],
    "surface": ["hd95 (null with a surface Dice of 0: infinite)", "surface Dice", "unit"],
    "bins": ["pixels in each bin of probability", "sum of their probabilities", "positive pixels"],
    "places": ["foreground inside", "foreground outside", "lesion", "tp", "fp", "fn", "presence score"],
}
Row = Mapping[str, Any]


def table_of(task: Task, answers: Answers) -> list[dict[str, Any]]:
    """One row a slice, from which every figure but those of changed pictures can be computed again."""
    places: dict[int, dict[str, list[float]]] = {}
    for answer in answers.places.values():
        counts = answer.counts
        places.setdefault(answer.row, {})[answer.place] = [
            *(answer.inside, answer.outside, answer.lesion, counts.tp, counts.fp, counts.fn),
            round(answer.presence, 6),
        ]
    return [
        {
            "image": pair.image.name,
            "case": pair.case,
            "patient": pair.patient,
            "counts": {
                name: [c.tp, c.fp, c.fn] for name, counts in answers.counts.items() if (c := counts[row]) is not None
            },
            "presence": {
                name: round(score, 6) for name, scores in answers.presence.items() if (score := scores[row]) is not None
            },
            **_quality_row(answers.native[row]),
            "network_counts": _triple(answers.network[row].counts),
            "places": places.get(row, {}),
        }
        for row, pair in enumerate(task.pairs)
    ]


def _quality_row(quality: Quality) -> dict[str, Any]:
    surface = quality.surface
    return {
        "surface": None
        if surface is None
        else [_number(surface.hd95), _number(surface.surface_dice), quality.unit],
        "region": quality.region,
        "bins": [[round(float(value), 4) if part == 1 else int(value) for value in line] for part, line in
                 enumerate(quality.bins)],
    }  # fmt: skip


def _triple(counts: Counts) -> list[int]:
    return [counts.tp, counts.fp, counts.fn]


def _number(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def condition_counts(rows: Iterable[Row], condition: str) -> list[Counts | None]:
    """Each slice's agreement under one condition; None where it was not asked."""
    return [Counts(*row["counts"][condition]) if condition in row["counts"] else None for row in rows]


def surface_of(row: Row) -> SurfaceScores | None:
    """A slice's outline distances; None where they were not measured."""
    if row.get("surface") is None:
        return None
    hd95, dice, _ = row["surface"]
    if hd95 is None:
        hd95 = math.nan if dice is None else math.inf
    return SurfaceScores(hd95, math.nan if dice is None else dice)


def bins_of(row: Row) -> np.ndarray | None:
    """A slice's calibration table ``(3, B)``; None where the result has none."""
    return np.array(row["bins"], dtype=np.float64) if row.get("bins") is not None else None


def lung_answers(rows: Sequence[Row]) -> list[LungAnswer]:
    """What came back for each whole lung that was asked for."""
    found = []
    for number, row in enumerate(rows):
        for side in SIDES:
            values = row.get("places", {}).get(f"{side} lung")
            if values is not None:
                inside, outside, lesion, tp, fp, fn, presence = values
                found.append(LungAnswer(number, side, inside, outside, lesion, Counts(tp, fp, fn), presence))
    return found


def write_result(path: str | Path, result: Mapping[str, Any]) -> None:
    """Write a result as indented JSON, each slice on one line."""
    page = json.dumps({**result, "slices": []}, indent=2, ensure_ascii=False, allow_nan=False)
    lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False, allow_nan=False)}" for row in result["slices"])
    # A line break and two blanks before a key stand at the top level only, and never inside a string.
    write_text(path, page.replace('\n  "slices": []', f'\n  "slices": [\n{lines}\n  ]') + "\n")
