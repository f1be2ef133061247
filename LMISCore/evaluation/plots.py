"""Plots of a result and of a comparison (matplotlib, the extra ``plots``), drawn from their figures alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import atomic_path
from LMISCore.errors import MissingDependencyError
from LMISCore.evaluation.quality import NATIVE, NETWORK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable with any colour vision (Okabe and Ito).
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#8A8F98"
RESOLUTION = 130


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, inches, drawn without any window.

    Raises:
        MissingDependencyError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "Plots need matplotlib, which is not installed; install it with: pip install 'LMISCore[plots]', or leave "
            "them out with --no-plots."
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: str | Path) -> None:
    """Write as PNG, whole or not at all; the same figures give the same file."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=RESOLUTION, metadata={"Software": None})


def reliability_plot(result: dict[str, Any]) -> Figure:
    """How often what got a probability came true, for the pixels and for the presence score, over the bins."""
    calibration = result["calibration"]
    panels = [
        (
            f"Pixels, {calibration['pixels'][NATIVE]['region']}",
            [
                (calibration["pixels"][at], colour, f"{at} resolution")
                for at, colour in ((NATIVE, BLUE), (NETWORK, GREEN))
            ],
        )
    ]
    if calibration["presence"] is not None:
        panels.append(("Presence score of a lung", [(calibration["presence"], ORANGE, "lungs")]))
    figure = new_figure(5.2 * len(panels), 6.2)
    grid = figure.subplots(2, len(panels), height_ratios=(3, 1), sharex=True, squeeze=False)
    for column, (title, series) in enumerate(panels):
        top, bottom = grid[0][column], grid[1][column]
        top.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        for number, (part, colour, label) in enumerate(series):
            bins = part["bins"]
            filled = [k for k, count in enumerate(bins["count"]) if count]
            x, y = ([bins[key][k] for k in filled] for key in ("mean_probability", "positive_share"))
            text = f"{label}: error {_text(part['error'])}, n {part['n']}"
            top.plot(x, y, marker="o", markersize=4, color=colour, label=text)
            width = 1 / len(bins["count"]) / (len(series) + 0.5)
            left = [(k + 0.5) / len(bins["count"]) + (number - (len(series) - 1) / 2) * width for k in filled]
            bottom.bar(left, [bins["count"][k] for k in filled], width=width, color=colour)
        top.set(title=title, xlim=(0, 1), ylim=(0, 1))
        top.set_ylabel("share that is true" if column == 0 else "")
        top.legend(loc="upper left", fontsize=8, frameon=False)
        # Nearly all pixels lie in the first bin; of lungs there are few enough to count.
        bottom.set(yscale="log" if len(series) > 1 else "linear", xlabel="predicted probability")
        bottom.set_ylabel("number in bin" if column == 0 else "")
    return figure


def listening_plot(result: dict[str, Any]) -> Figure:
    """Dice under other sentences beside the right one's on the same slices, and obedience by place."""
    obedience = result["obedience"]
    conditions = {name: f for name, f in result["conditions"].items() if f["mean_dice"]["estimate"] is not None}
    places = {} if obedience is None else obedience["places"]
    figure = new_figure(6.4 if not places else 12.4, 1.6 + 0.38 * max(len(conditions), len(places)))
    axes = figure.subplots(1, 2 if places else 1, squeeze=False)[0]
    left = axes[0]
    _dots(left, [f["mean_dice"] for f in conditions.values()], BLUE, "asked with this sentence")
    references = [result["differences"].get(name, {}).get("reference_mean_dice") for name in conditions]
    _ticks(left, references, "right sentence, same slices")
    labels = [f"{name} (n {figures['n']})" for name, figures in conditions.items()]
    _rows(left, labels, "mean Dice against the slice's own mask")
    if places:
        right = axes[1]
        _dots(right, [f["foreground_in_place"] for f in places.values()], BLUE, "asked for that place")
        _ticks(right, [f["right_sentence_in_place"]["estimate"] for f in places.values()], "right sentence")
        _rows(right, [f"{name} (n {f['asked']})" for name, f in places.items()], "share of foreground in that place")
    return figure


def comparison_plot(found: dict[str, Any]) -> Figure:
    """Differences "B minus A" of the scores between 0 and 1 with their intervals, and every image's Dice under both."""
    figures = [f for f in found["figures"] if "HD95" not in f["name"] and f["difference"]["estimate"] is not None]
    figure = new_figure(12.4, max(4.6, 1.4 + 0.3 * len(figures)))
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    left.axvline(0, color=GREY, linewidth=1)
    _dots(left, [f["difference"] for f in figures], BLUE, "")
    _rows(left, [f"{f['name']}{' (lower is better)' if f['better'] == 'lower' else ''}" for f in figures], "B minus A")
    left.autoscale(axis="x")
    patients = sorted({row["patient"] for row in found["images"]})
    right.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    for patient in patients if len(patients) <= 10 else [None]:
        rows = [r for r in found["images"] if patient in (None, r["patient"]) and r["difference"] is not None]
        right.plot(
            [r["dice_a"] for r in rows],
            [r["dice_b"] for r in rows],
            marker="o",
            markersize=3,
            linestyle="",
            alpha=0.7,
            label=patient,
        )
    right.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="Dice of A", ylabel="Dice of B", title="Single images")
    if len(patients) <= 10:
        right.legend(loc="lower right", fontsize=8, frameon=False)
    return figure


def _dots(axes: Axes, figures: Sequence[dict[str, Any]], colour: str, label: str) -> None:
    """Estimates with their intervals, one a row; an undefined one leaves its row empty."""
    for row, figure in enumerate(figures):
        if figure["estimate"] is None:
            continue
        if figure["low"] is not None:
            axes.plot([figure["low"], figure["high"]], [row, row], color=colour, linewidth=2, alpha=0.5)
        axes.plot([figure["estimate"]], [row], marker="o", markersize=5, color=colour, linestyle="", label=label)
        label = "_"


def _ticks(axes: Axes, values: Sequence[float | None], label: str) -> None:
    """A mark for each known value, one a row."""
    known = [(value, row) for row, value in enumerate(values) if value is not None]
    places, rows = [value for value, _ in known], [row for _, row in known]
    axes.plot(places, rows, "|", markersize=14, color=ORANGE, label=label)


def _rows(axes: Axes, labels: Sequence[str], meaning: str) -> None:
    axes.set_yticks(range(len(labels)), labels=list(labels), fontsize=9)
    axes.set(xlabel=meaning, xlim=(0, 1.02), ylim=(len(labels) - 0.4, -0.6))
    axes.grid(axis="x", alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8, frameon=False)


def _text(figure: dict[str, Any]) -> str:
    return "undefined" if figure["estimate"] is None else f"{figure['estimate']:.3f}"
