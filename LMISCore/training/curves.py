"""Loss and Dice over the steps of a run: ``curves.png`` beside the log, and TensorBoard where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "curves.png"
TENSORBOARD_FOLDER = "tensorboard"
# Distinguishable with any colour vision (Okabe and Ito).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_VALIDATION = {"val_mean_dice": "mean Dice on Val", "val_mean_iou": "mean IoU", "val_pooled_dice": "pooled Dice"}
_NO_TERMS = {"step", "rate", "val_images", "training_seconds", *_VALIDATION}


def can_draw() -> bool:
    """Whether matplotlib (the extra ``plots``) is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw_curves(lines: Sequence[dict[str, Any]], name: str) -> Figure:
    """Two panels over the steps: the terms of the loss, and what was measured on Val.

    Args:
        lines: of the log, at least one.
        name: of the run, for the title.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps = [line["step"] for line in lines]
    terms = [key for key in lines[0] if key not in _NO_TERMS]
    for number, key in enumerate(terms):
        left.plot(steps, [line.get(key) for line in lines], ".-", color=_COLOURS[number % len(_COLOURS)], label=key)
    for number, (key, title) in enumerate(_VALIDATION.items()):
        right.plot(steps, [line.get(key) for line in lines], ".-", color=_COLOURS[number], label=title)
    best = max(lines, key=lambda line: float(line["val_mean_dice"]))
    right.axvline(best["step"], color="#8A8F98", linewidth=0.8, label=f"best, step {best['step']}")
    left.set_title(f"{name}: loss of the last step")
    right.set_title("Validation, averaged weights")
    right.set_ylim(0, 1)
    for axes in (left, right):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", frameon=False)
    return figure


def write_curves(folder: Path, lines: Sequence[dict[str, Any]], name: str) -> Path | None:
    """Write ``curves.png``, whole or not at all; None without lines or without matplotlib."""
    if not lines or not can_draw():
        return None
    figure = draw_curves(lines, name)
    path = folder / NAME
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
    return path


class TensorBoard:
    """Writes the log's lines for TensorBoard where it is installed, else does nothing.

    Args:
        folder: of the run.
        step: where the run goes on; what an interrupted one wrote after it is purged.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._writer: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            writers = importlib.import_module("torch.utils.tensorboard")
            self._writer = writers.SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=step + 1)

    def add(self, line: dict[str, Any]) -> None:
        """Add the numbers of one log line."""
        if self._writer is None:
            return
        for key, value in line.items():
            if key != "step" and isinstance(value, int | float):
                group = "val" if key.startswith("val_") else "training"
                self._writer.add_scalar(f"{group}/{key.removeprefix('val_')}", value, line["step"])
        self._writer.flush()

    def close(self) -> None:
        """Close its file."""
        if self._writer is not None:
            self._writer.close()
