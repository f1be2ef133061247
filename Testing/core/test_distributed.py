"""Two processes that share each batch find the weights that one process finds."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed_maker import CASES, HALF, STEPS, advance, environment, exact_trainer, make_exact, torchrun
from distributed_script import RESUMED, ROWS, VAL_BATCH, normalise, rows
from torch import Tensor, nn
from training_makers import recipe, training_ground  # noqa: F401

from LMISCore.networks import NETWORKS
from LMISCore.training import validation
from LMISCore.training.trainer import Trainer

SCRIPT = Path(__file__).with_name("distributed_script.py")
# Of the largest value of each tensor; float64 with some thousand additions in another order.
TOLERANCE = 1e-8

Weights = dict[str, Tensor]


def assert_same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        largest = float(value.double().abs().max()) if value.numel() else 0.0
        difference = float((found[name].double() - value.double()).abs().max()) if value.numel() else 0.0
        assert difference <= TOLERANCE * largest, f"{name}: {difference:.3g} of {largest:.3g}"


def launch(ground: Path, folder: Path, cases: Sequence[str]) -> Path:
    """Let two processes leave what they find in a folder; what one process began is in ``begun_by_one``."""
    with pytest.MonkeyPatch.context() as patch:
        make_exact(patch, ground)
        advance(exact_trainer(ground, folder / "begun_by_one", RESUMED), HALF)
    command = torchrun(str(SCRIPT), str(ground), str(folder), *cases)
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment(), timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Warning" not in done.stderr, done.stderr[-3000:]
    return folder


@pytest.fixture(name="folder", scope="module")
def quick_cases(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return launch(ground, tmp_path_factory.mktemp("quick"), [name for name, case in CASES.items() if not case.slow])


@pytest.fixture(scope="module")
def slow_folder(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return launch(ground, tmp_path_factory.mktemp("slow"), [name for name, case in CASES.items() if case.slow])


def found_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / "found.pt", weights_only=True)
    return found


@pytest.fixture(name="told", scope="module")
def told_words(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "told.json").read_text(encoding="utf-8"))
    return told


CHOSEN = [pytest.param(name, marks=[pytest.mark.slow] * case.slow) for name, case in CASES.items()]


@pytest.mark.parametrize("name", CHOSEN)
def test_two_processes_and_one_find_the_same_weights_also_after_a_change_of_their_number(
    name: str, ground: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder: Path = request.getfixturevalue("slow_folder" if CASES[name].slow else "folder")
    found = found_in(folder)
    make_exact(monkeypatch, ground)
    trainer = exact_trainer(ground, tmp_path / "one", name)
    start = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    expected = advance(trainer, STEPS)
    assert any(float((expected[key] - value).abs().max()) > 1e-3 for key, value in start.items())
    assert_same(found["weights"][name], expected)
    # The state that two processes saved half-way, as a kill after it would have left it.
    again = exact_trainer(ground, shutil.copytree(folder / name, tmp_path / "again"), name)
    assert again.step == HALF
    assert_same(advance(again, STEPS), expected)
    if name == RESUMED:
        assert_same(found["weights"]["after_one"], expected)


def test_every_network_is_among_the_cases(ground: Path) -> None:
    assert {recipe(ground, *case.overrides).network.name for case in CASES.values()} == set(NETWORKS)


def test_shared_normalisation_is_that_of_all_rows_together(folder: Path) -> None:
    torch.manual_seed(2)
    expected = normalise(nn.Sequential(nn.BatchNorm2d(3)).double(), rows(sum(ROWS)))
    each = found_in(folder)["norms"]
    for name, value in expected.items():
        parts = each[name]
        if name in ("y", "x"):
            together = torch.cat(parts)
        elif name.endswith(".grad"):
            together = parts[0] + parts[1]
        else:
            assert torch.equal(parts[0], parts[1])
            together = parts[0]
        torch.testing.assert_close(together, value, rtol=1e-12, atol=1e-12)


def test_running_statistics_of_own_shares_become_their_mean(told: dict[str, Any]) -> None:
    assert told["statistics"] == [pytest.approx(2.0)] * 2


def test_val_is_measured_once_by_all_processes_together(
    told: dict[str, Any], ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validation, "BATCH", VAL_BATCH)
    trainer = Trainer(recipe(ground), tmp_path, "cpu")
    alone = validation.overlap(trainer.averaged, trainer.val, "unit", trainer.cache, trainer.device)
    assert alone.images == 6
    assert told["measured"] == [[alone.mean_dice, alone.mean_iou, alone.pooled_dice, alone.images]] * 2


def test_a_loss_that_is_not_finite_in_one_process_stops_all(told: dict[str, Any]) -> None:
    first, last = told["not_a_number"]
    assert first == last
    assert first.startswith("The loss became nan at step 1; lower training.learning_rate")


def test_processes_agree_on_what_they_tell_each_other(told: dict[str, Any]) -> None:
    first, last = told["exchanges"]["own"]
    shared = ("any", "none", "highest", "first", "refused", "different", "rows", "mean")
    assert {name: first[name] for name in shared} == {name: last[name] for name in shared}
    assert first["any"] and not first["none"]
    assert first["highest"] == 10 and first["first"] == "from 0" and first["refused"] == "The first process cannot."
    assert first["different"].startswith("Processes 1 and 2 of 2 have different data;")
    assert first["rows"] == [[1.0, 1.0], [2.0, 2.0], [2.0, 2.0]]
    assert first["mean"] == pytest.approx(5 / 3)
    # Their own part of what all computed, times two: the mean over the processes is taken afterwards.
    assert first["gradient"] == [[2.0, 2.0]] and last["gradient"] == [[20.0, 20.0], [200.0, 200.0]]
