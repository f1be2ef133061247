"""The two pictures of RESULTS.md: mean Dice and text sensitivity by network, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.plots import BLUE, GREEN, GREY, ORANGE, new_figure, save
from Training.results_figures import Table
from Training.results_sections import LITERATURE, SETS
from Training.results_table import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"tirnet": BLUE, "reclmis": ORANGE, "tmca": GREEN}


def draw(rows: Table, folder: Path) -> None:
    """Write both pictures.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    save(dice_plot(rows), folder / "dice.png")
    save(listening_plot(rows), folder / "listening.png")


def dice_plot(rows: Table) -> Figure:
    """Mean Dice of the right sentence, a panel for each data set; other seeds as small dots."""
    figure = new_figure(9.6, 3.4)
    panels = figure.subplots(1, len(SETS), sharey=True, squeeze=False)[0]
    for panel, (data, title) in zip(panels, SETS.items(), strict=True):
        shown = [row for row in rows.group("main", data) if row.id in rows.records]
        for place, row in enumerate(shown):
            _point(panel, place, _right(rows.records[row.id]), _colour(row))
            for other in rows.seeds(row.id)[1:]:
                panel.plot(place + 0.18, _right(rows.records[other])[0], "o", color=_colour(row), markersize=3)
        _name(panel, shown, title)
        if data == "monuseg_512":
            for name, dice, _ in LITERATURE:
                panel.axhline(dice / 100, color=GREY, linewidth=0.8, linestyle=":")
                panel.text(-0.4, dice / 100 + 0.005, f"{name.split(',')[0]}, other protocol", fontsize=6, color=GREY)
    panels[0].set_ylabel("mean Dice on Test")
    return figure


def listening_plot(rows: Table) -> Figure:
    """What mirrored and empty words do to the mean Dice, and how much of an answer lies on the named side."""
    figure = new_figure(9.6, 3.6)
    left, right = figure.subplots(1, 2)
    shown = [
        row
        for data in SETS
        for row in rows.group("main", data)
        if row.id in rows.records and "text.ignore=true" not in row.overrides
    ]
    for place, row in enumerate(shown):
        found = rows.records[row.id]["test"]["differences"]
        for shift, condition, marker in ((-0.15, asked.SWAPPED, "o"), (0.15, asked.EMPTY, "s")):
            if condition in found and found[condition]["mean_dice"][0] is not None:
                _point(left, place + shift, found[condition]["mean_dice"], _colour(row), marker)
    left.axhline(0, color=GREY, linewidth=0.8)
    _name(left, shown, "mean Dice: side-swapped (circle), empty (square), minus right")
    obedient = [row for row in shown if rows.records[row.id]["test"]["obedience"] is not None]
    for place, row in enumerate(obedient):
        side = rows.records[row.id]["test"]["obedience"]["on_named_side"]
        if side[0] is not None:
            _point(right, place, side, _colour(row))
    right.axhline(0.5, color=GREY, linewidth=0.8)
    _name(right, obedient, "share of the answer on the named side (0.5: deaf)")
    return figure


def _right(record: Mapping[str, Any]) -> list[float]:
    found: list[float] = record["test"]["conditions"][asked.RIGHT]["mean_dice"]
    return found


def _colour(row: Row) -> str:
    return GREY if "text.ignore=true" in row.overrides else COLOURS[row.network]


def _point(panel: Axes, place: float, found: list[float], colour: str, marker: str = "o") -> None:
    estimate, low, high = found
    panel.errorbar([place], [estimate], yerr=[[estimate - low], [high - estimate]], fmt=marker, color=colour, capsize=3)


def _name(panel: Axes, shown: list[Row], title: str) -> None:
    several = len({row.data for row in shown}) > 1
    short = {"monuseg_512": "nuclei", "covid_ct_20cases": "CT", "covid_cxr_opacity": "X-ray"}
    labels = []
    for row in shown:
        name = row.title.replace(" TIRNet", "").replace(" (our reading)", "")
        labels.append(f"{name}\n{short[row.data]}" if several else name)
    panel.set_xticks(range(len(shown)), labels, fontsize=7)
    panel.set_xlim(-0.5, len(shown) - 0.5)
    panel.set_title(title, fontsize=9)
