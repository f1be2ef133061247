"""A training that is killed at any moment ends with the weights and the log of one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from training_makers import recipe, training_ground, weights  # noqa: F401

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.training import trainer as trainer_module
from LMISCore.training.run_log import RunLog
from LMISCore.training.state import save_state
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, train

KILLER = Path(__file__).with_name("kill_often.py")
KILLED = ("training.steps=6", "training.validate_every=3", "training.save_every=1")


class Killed(BaseException):
    """Ends a training in the middle of anything."""


def curve(folder: Path) -> list[dict[str, Any]]:
    """The log without the times, which no two runs share."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key != "training_seconds"} for line in lines]


def assert_same_run(found: Path, expected: Path) -> None:
    wanted = weights(expected)
    for name, value in weights(found).items():
        assert torch.equal(value, wanted[name]), f"{found.name}: {name}"
    assert curve(found) == curve(expected)
    cards = [load_checkpoint(folder / CHECKPOINT_NAME).card for folder in (found, expected)]
    assert cards[0].thresholds == cards[1].thresholds
    assert cards[0].run["best_step"] == cards[1].run["best_step"]
    assert cards[0].vocabulary == cards[1].vocabulary


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")
@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_random_kills_end_in_the_same_weights_and_the_same_curve(ground: Path, tmp_path: Path, kills: int) -> None:
    path = ground / "killed.yaml"
    base = (ground / "trial.yaml").read_text(encoding="utf-8")
    steps = "steps: 12, save_every: 1"
    path.write_text(base.replace("steps: 6", steps).replace("validate_every: 2", "validate_every: 3"), encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(root)}
    command = [sys.executable, str(KILLER), str(path), str(tmp_path), str(kills), "7"]
    found = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=1800)
    assert found.returncode == 0, found.stderr[-2000:]
    told = json.loads(found.stdout.splitlines()[-1])
    assert told["kills"] == kills and told["runs"] >= 1
    if kills == 200:
        assert {"before", "between"} <= set(told["places"]), told
    assert [line["step"] for line in curve(tmp_path / "whole")] == [3, 6, 9, 12]
    for number in range(told["runs"]):
        assert_same_run(tmp_path / str(number), tmp_path / "whole")


@pytest.fixture(name="whole", scope="module")
def uninterrupted_run(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    train(recipe(ground, *KILLED), folder, "cpu")
    return folder


# Which call is the last: of the state at step 3, of the checkpoint at step 3, of the log at step 6, ...
@pytest.mark.parametrize(("place", "last"), [("save_state", 3), ("save_checkpoint", 1), ("log", 2), ("curves", 1)])
def test_a_kill_between_two_files_leaves_no_line_twice(
    ground: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, last: int
) -> None:
    killed = tmp_path / "killed"
    count = 0

    def once(real: Any, torn: bool = False) -> Any:
        def broken(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == last:
                if torn:
                    with (killed / "log.jsonl").open("a", encoding="utf-8") as stream:
                        stream.write('{"step": 6, "lo')
                raise Killed
            return real(*arguments, **named)

        return broken

    with monkeypatch.context() as patch:
        if place == "log":
            patch.setattr(RunLog, "add", once(RunLog.add, torn=True))
        elif place == "curves":
            patch.setattr(trainer_module, "SECONDS_BETWEEN_CURVES", 0.0)
            patch.setattr(trainer_module, "write_curves", once(lambda *_: None))
        else:
            patch.setattr(trainer_module, place, once(getattr(trainer_module, place)))
        with pytest.raises(Killed):
            train(recipe(ground, *KILLED), killed, "cpu")
    again = Trainer(recipe(ground, *KILLED), killed, "cpu")
    assert 0 < again.step < 6
    (killed / ".resume.writing-1-00000000.pt").write_bytes(b"half")
    again.run()
    assert_same_run(killed, whole)
    assert sorted(path.name for path in killed.iterdir()) == sorted(path.name for path in whole.iterdir())


def test_the_state_is_saved_between_validations(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    real = save_state

    def watch(folder: Path, step: int, *rest: Any) -> None:
        saved.append(step)
        real(folder, step, *rest)

    monkeypatch.setattr(trainer_module, "save_state", watch)
    short = ("training.steps=3", "training.validate_every=3")
    train(recipe(ground, *short, "training.save_seconds=0", "training.save_every=2"), tmp_path / "steps", "cpu")
    assert saved == [2, 3]
    saved.clear()
    train(recipe(ground, *short, "training.save_seconds=1e-6"), tmp_path / "seconds", "cpu")
    assert saved == [1, 2, 3]


def test_a_run_begun_anew_and_killed_early_does_not_go_on_with_the_old_one(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")

    def kill(done: int, total: int, stage: str) -> None:
        if stage.startswith("training"):
            raise Killed

    with pytest.raises(Killed):
        train(recipe(ground), tmp_path, "cpu", kill, resume=False)
    assert Trainer(recipe(ground), tmp_path, "cpu").step == 0
