"""Curves of a run from its log's lines; TensorBoard gets the same numbers where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from LMISCore.training.curves import TensorBoard, draw_curves, write_curves
from LMISCore.training.run_log import RunLog

LINES = [
    {
        "step": step,
        "loss": 1 / step,
        "dice": 0.5 / step,
        "rate": 1e-3,
        "val_mean_dice": dice,
        "val_mean_iou": dice / 2,
        "val_pooled_dice": dice,
        "val_images": 9,
        "training_seconds": 1.0,
    }
    for step, dice in ((2, 0.1), (4, 0.6), (6, 0.4))
]


def heights(line: Any) -> list[float]:
    found: list[float] = np.asarray(line.get_ydata()).tolist()
    return found


def test_every_term_of_the_loss_and_every_figure_on_val_has_a_line_and_the_best_step_a_mark() -> None:
    left, right = draw_curves(LINES, "trial").axes
    assert {line.get_label(): heights(line) for line in left.get_lines()} == {
        "loss": [0.5, 0.25, 1 / 6],
        "dice": [0.25, 0.125, 0.5 / 6],
    }
    drawn = {line.get_label(): line for line in right.get_lines()}
    assert heights(drawn["mean Dice on Val"]) == [0.1, 0.6, 0.4]
    assert np.asarray(drawn["mean Dice on Val"].get_xdata()).tolist() == [2, 4, 6]
    assert np.asarray(drawn["best, step 4"].get_xdata()).tolist() == [4, 4]
    assert "trial" in left.get_title()


def test_without_lines_or_without_matplotlib_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_curves(tmp_path, [], "trial") is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert write_curves(tmp_path, LINES, "trial") is None
    assert list(tmp_path.iterdir()) == []


class Writer:
    """Stands for TensorBoard's writer."""

    made: list[tuple[str, int]] = []  # noqa: RUF012
    told: list[tuple[str, float, int]] = []  # noqa: RUF012

    def __init__(self, folder: str, purge_step: int) -> None:
        self.made.append((folder, purge_step))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told.append((name, value, step))

    def flush(self) -> None:
        self.told.append(("flush", 0, 0))

    def close(self) -> None:
        self.told.append(("close", 0, 0))


def test_tensorboard_gets_the_logs_numbers_and_forgets_what_will_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = importlib.import_module
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(
        importlib,
        "import_module",
        lambda name: SimpleNamespace(SummaryWriter=Writer) if name == "torch.utils.tensorboard" else real(name),
    )
    board = TensorBoard(tmp_path, 4)
    board.add(LINES[0])
    board.close()
    assert Writer.made == [(str(tmp_path / "tensorboard"), 5)]
    assert ("training/loss", 0.5, 2) in Writer.told and ("val/mean_dice", 0.1, 2) in Writer.told
    assert Writer.told[-2:] == [("flush", 0, 0), ("close", 0, 0)]


def test_without_tensorboard_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    board = TensorBoard(tmp_path, 0)
    board.add(LINES[0])
    board.close()
    assert list(tmp_path.iterdir()) == []


def test_a_log_is_cut_to_the_step_that_a_run_goes_on_from(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    log.begin()
    for line in LINES:
        log.add(line)
    log.path.write_text(log.path.read_text() + '{"step": 8, "lo', encoding="utf-8")
    assert [line["step"] for line in log.lines()] == [2, 4, 6]
    log.keep_until(4)
    assert log.path.read_text(encoding="utf-8").count("\n") == 2 and log.lines() == LINES[:2]
    before = log.path.stat().st_mtime_ns
    log.keep_until(4)
    assert log.path.stat().st_mtime_ns == before
