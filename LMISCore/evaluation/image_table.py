"""The single images of a result as CSV, for a spreadsheet or a statistics program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.figures import SCORES
from LMISCore.evaluation.rows import Row, bins_of, surface_of
from LMISCore.metrics.calibration import expected_calibration_error
from LMISCore.metrics.overlap import Counts
from LMISCore.spreadsheet import table_text


def image_table(result: Mapping[str, Any]) -> str:
    """One line an image: overlap of the right sentence's answer, outlines, calibration, and Dice under each condition.

    An undefined number is an empty cell, an infinite HD95 is "inf".
    """
    others = [name for name in result["conditions"] if name != RIGHT]
    lines = [_line(row, others) for row in result["slices"]]
    return table_text(list(lines[0]), lines)


def _line(row: Row, others: list[str]) -> dict[str, Any]:
    counts, network = Counts(*row["counts"][RIGHT]), Counts(*row["network_counts"])
    surface, bins = surface_of(row), bins_of(row)
    return {
        "image": row["image"],
        "case": row["case"],
        "patient": row["patient"],
        **{name: _cell(getattr(counts, name)) for name in SCORES},
        "true_positives": counts.tp,
        "false_positives": counts.fp,
        "false_negatives": counts.fn,
        "dice_at_network_size": _cell(network.dice),
        "hd95": "" if surface is None else _cell(surface.hd95),
        "surface_dice": "" if surface is None else _cell(surface.surface_dice),
        "surface_unit": "" if surface is None else row["surface"][2],
        "calibration_error": "" if bins is None else _cell(float(expected_calibration_error(bins))),
        "presence": _cell(row["presence"][RIGHT]),
        **{
            f"dice, {name}": _cell(Counts(*row["counts"][name]).dice) if name in row["counts"] else ""
            for name in others
        },
    }


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
