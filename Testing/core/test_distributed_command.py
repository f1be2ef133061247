"""``lmis train`` under torchrun: the same curve as in one process, and a clean end when a process ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed_faults import REFUSAL
from distributed_maker import environment, torchrun
from training_makers import recipe, training_ground  # noqa: F401

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.training.state import read_state, state_bytes
from LMISCore.training.trainer import CHECKPOINT_NAME, train

KEPT = "what was saved last is kept, so mend the cause and run the same command to go on."
FAULTS = Path(__file__).with_name("distributed_faults.py")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")


def command(
    ground: Path, out: Path, *overrides: str, fault: str = "none", processes: int = 2, device: str = "cpu"
) -> tuple[int, list[str], str]:
    """Exit code of torchrun, what ``lmis`` said in sentences, and all of stderr."""
    arguments = [str(FAULTS), fault, str(ground / "trial.yaml"), *overrides, "--out", str(out), "--device", device]
    variables = environment()
    if device != "cpu":
        del variables["CUDA_VISIBLE_DEVICES"]
    done = subprocess.run(
        torchrun(*arguments, processes=processes), capture_output=True, encoding="utf-8", env=variables, timeout=300
    )
    said = [line[line.index("lmis: ") + 6 :] for line in re.split(r"[\r\n]", done.stderr) if "lmis: " in line]
    return done.returncode, said, done.stderr


def saved_step(folder: Path) -> int:
    content = state_bytes(folder)
    assert content is not None
    return read_state(folder, content).step


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def assert_same_curve(found: Path, expected: Path, rel: float = 1e-3) -> None:
    assert [line["step"] for line in log(found)] == [line["step"] for line in log(expected)]
    for ours, theirs in zip(log(found), log(expected), strict=True):
        for name in theirs.keys() - {"training_seconds"}:
            assert ours[name] == pytest.approx(theirs[name], rel=rel, abs=1e-3), f"{name} at step {theirs['step']}"


@POSIX
def test_a_killed_process_ends_the_others_with_a_sentence_and_one_process_goes_on(ground: Path, tmp_path: Path) -> None:
    code, said, stderr = command(ground, tmp_path / "two", fault="killed")
    assert code != 0
    assert len(said) == 1 and said[0].startswith("Training ended because "), stderr[-3000:]
    assert said[0].endswith(KEPT)
    assert load_checkpoint(tmp_path / "two" / CHECKPOINT_NAME).card.run["processes"] == 2
    assert saved_step(tmp_path / "two") == 4
    assert not list((tmp_path / "two").glob(".*writing-*"))
    train(recipe(ground), tmp_path / "two", "cpu")
    train(recipe(ground), tmp_path / "one", "cpu")
    assert_same_curve(tmp_path / "two", tmp_path / "one")
    counts = [
        load_checkpoint(tmp_path / name / CHECKPOINT_NAME).card.vocabulary["sentences_seen"] for name in ("one", "two")
    ]
    assert counts[0] == counts[1]


@POSIX
@pytest.mark.slow
def test_a_stop_asked_of_one_process_stops_all_after_the_same_step(ground: Path, tmp_path: Path) -> None:
    code, said, stderr = command(ground, tmp_path, fault="stopped")
    assert code != 0
    assert said == ["Training was stopped after step 5; run the same command to go on."], stderr[-3000:]
    assert saved_step(tmp_path) == 5
    code, said, stderr = command(ground, tmp_path)
    assert code == 0 and not said and "Traceback" not in stderr
    assert [line["step"] for line in log(tmp_path)] == [2, 4, 6]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["refused", "unreadable", "defect"])
def test_a_process_that_cannot_go_on_says_why_and_the_others_repeat_it(
    ground: Path, tmp_path: Path, fault: str
) -> None:
    code, said, stderr = command(ground, tmp_path / "run", fault=fault)
    assert code != 0
    why = REFUSAL if fault != "defect" else "ZeroDivisionError, see its own message"
    repeated = f"Training ended because process 2 of 2 ended ({why.rstrip('.')}); {KEPT}"
    assert sorted(said) == ([why, repeated] if fault != "defect" else [repeated]), stderr[-3000:]
    assert ("ZeroDivisionError: by nobody" in stderr) == (fault == "defect")
    assert (tmp_path / "run").exists() == (fault != "unreadable")


@POSIX
@pytest.mark.slow
def test_a_process_that_hangs_ends_the_others(ground: Path, tmp_path: Path) -> None:
    code, said, stderr = command(ground, tmp_path, fault="frozen")
    assert code != 0
    assert said == [f"Training ended because process 2 of 2 ended (it no longer answers); {KEPT}"], stderr[-3000:]
    assert saved_step(tmp_path) == 4


@pytest.mark.slow
def test_what_is_wrong_for_all_is_said_once(ground: Path, tmp_path: Path) -> None:
    code, said, _ = command(ground, tmp_path, "training.batch=1")
    assert code != 0
    assert said == [
        "training.batch is 1, but 2 processes share it; expected at least one picture each: start fewer, or enlarge "
        "the batch."
    ]
    code, said, _ = command(ground, tmp_path, "data.source=nowhere")
    assert code != 0 and len(said) == 1 and said[0].startswith("There is no data set at nowhere")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tirnet", "reclmis", "tmca"])
def test_the_loss_of_two_processes_stays_as_near_as_that_of_another_run(
    name: str, ground: Path, tmp_path: Path
) -> None:
    options = {"tirnet": "{width: 4}", "reclmis": "{width: 4, layers: 1}", "tmca": "{width: 8, depths: [1, 1, 1, 1]}"}
    overrides: tuple[str, ...] = (
        f"network={{name: {name}, options: {options[name]}}}",
        "training.steps=40",
        "training.batch=4",
    )
    overrides += ("training.validate_every=2", "image.size=[64, 64]")
    curves = {}
    for seed in (1, 2, 3):
        train(recipe(ground, *overrides, f"training.seed={seed}"), tmp_path / str(seed), "cpu")
        curves[seed] = torch.tensor([line["loss"] for line in log(tmp_path / str(seed))])
    code, _, stderr = command(ground, tmp_path / "two", *overrides, "training.seed=1")
    assert code == 0, stderr[-3000:]
    two = torch.tensor([line["loss"] for line in log(tmp_path / "two")])
    spread = torch.stack([(curves[seed] - curves[1]).abs().mean() for seed in (2, 3)])
    assert float((two - curves[1]).abs().mean()) < float(spread.min())


@pytest.mark.gpu
def test_gpus_find_the_curve_that_the_cpu_finds(ground: Path, tmp_path: Path) -> None:
    processes = min(2, torch.cuda.device_count())
    code, said, stderr = command(ground, tmp_path / "gpus", processes=processes, device="cuda")
    assert code == 0 and not said, stderr[-3000:]
    train(recipe(ground), tmp_path / "cpu", "cpu")
    assert_same_curve(tmp_path / "gpus", tmp_path / "cpu", rel=2e-2)
    card = load_checkpoint(tmp_path / "gpus" / CHECKPOINT_NAME).card
    assert card.run["processes"] == processes and card.run["device"] == "cuda:0"
