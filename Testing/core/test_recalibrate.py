"""``lmis calibrate``: a finished checkpoint with calibration and presence threshold chosen on Val again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
)

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import load_checkpoint, read_card, save_checkpoint, update_card
from LMISCore.cli.main import main
from LMISCore.errors import InputError
from LMISCore.inference.predictor import Predictor
from LMISCore.metrics.platt import Platt
from LMISCore.training.recalibrate import recalibrate
from LMISCore.training.trainer import CHECKPOINT_NAME, train
from LMISCore.volumes.files import read_volume

FIGURE = {"name": "mean Dice", "value": 0.5, "n": 6}


@pytest.fixture(name="trained", scope="module")
def finished_run(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two steps with a figure on its card."""
    folder = tmp_path_factory.mktemp("run")
    train(recipe(ground, "training.steps=2"), folder, "cpu")
    path = folder / CHECKPOINT_NAME
    update_card(path, replace(read_card(path), metrics=[FIGURE]))
    return path


@pytest.fixture(name="again")
def calibrated_again(ground: Path, trained: Path, tmp_path: Path) -> Callable[..., Card]:
    def run(source: Path = trained, out: str = "again.safetensors", cases: tuple[str, ...] = ()) -> Card:
        return recalibrate(source, ground / "data", tmp_path / out, cases, "cpu", ground / "encoder")

    return run


def uncalibrated(trained: Path, out: Path) -> Path:
    shutil.copyfile(trained, out)
    card = replace(read_card(out), calibration={}, thresholds={"mask": 0.5, "presence": 0.123})
    update_card(out, card)
    return out


def test_the_choice_is_that_of_the_training_run_on_the_same_val(
    trained: Path, again: Callable[..., Card], tmp_path: Path
) -> None:
    found = again(uncalibrated(trained, tmp_path / "plain.safetensors"))
    at_the_end = read_card(trained)
    assert found.calibration.keys() == at_the_end.calibration.keys()
    for key in ("scale", "offset", "error_before", "error_after"):
        assert found.calibration[key] == pytest.approx(at_the_end.calibration[key], rel=1e-3, abs=1e-5)
    assert found.thresholds == pytest.approx(at_the_end.thresholds, abs=1e-5)
    assert found.run["presence"]["rule"] == at_the_end.run["presence"]["rule"]
    assert found.run["calibrated_on"]["split"] == "Val" and found.run["calibrated_on"]["pairs"] == 6
    assert read_card(tmp_path / "again.safetensors") == found


def test_weights_and_masks_stay_and_figures_measured_before_go(
    ground: Path, trained: Path, again: Callable[..., Card], tmp_path: Path
) -> None:
    plain = uncalibrated(trained, tmp_path / "plain.safetensors")
    card = again(plain)
    before, after = load_checkpoint(plain), load_checkpoint(tmp_path / "again.safetensors")
    assert after.hash == before.hash and card.metrics == [] and read_card(trained).metrics == [FIGURE]
    assert len([limit for limit in card.limits if limit.startswith("The presence threshold")]) == 1
    volume = read_volume(ground / "data" / "Val_Folder" / "img" / "scan_1_s0001.png")
    masks = []
    for one in (before, after):
        predictor = Predictor(one, "cpu", encoder=ground / "encoder")
        (row,) = predictor.segment(volume, "Infection in the left lung.", force={"text-1"}, presence_threshold=0).rows
        masks.append(np.zeros(volume.array.shape, bool) if row.mask is None else row.mask)
    assert np.count_nonzero(masks[0] != masks[1]) <= 0.01 * masks[0].size
    platt = Platt.from_card(card.calibration)
    assert platt is not None and card.thresholds["mask"] == pytest.approx(platt.threshold(0.5))


def test_a_folder_becomes_a_folder_and_nothing_is_overwritten(
    ground: Path, trained: Path, again: Callable[..., Card], tmp_path: Path
) -> None:
    loaded = load_checkpoint(trained)
    save_checkpoint(tmp_path / "folder", loaded.network, replace(loaded.card, weights_hash=""))
    card = again(tmp_path / "folder", "copy")
    assert read_card(tmp_path / "copy") == card and (tmp_path / "copy" / "card.json").is_file()
    for source, out, words in (
        (tmp_path / "folder", "copy", "is there already"),
        (tmp_path / "folder", "b.safetensors", "another form"),
        (trained, "b", "another form"),
    ):
        with pytest.raises(InputError, match=words):
            again(source, out)
    assert not (tmp_path / "b").exists() and not (tmp_path / "b.safetensors").exists()


def test_weights_without_a_recipe_or_without_text_are_refused(
    trained: Path, again: Callable[..., Card], tmp_path: Path
) -> None:
    loaded = load_checkpoint(trained)
    card = replace(loaded.card, weights_hash="")
    save_checkpoint(tmp_path / "bare.safetensors", loaded.network, replace(card, recipe={}))
    text = {**card.recipe, "text": {**card.recipe["text"], "ignore": True}}
    save_checkpoint(tmp_path / "blind.safetensors", loaded.network, replace(card, recipe=text))
    save_checkpoint(tmp_path / "strange.safetensors", loaded.network, replace(card, recipe={**card.recipe, "oven": 1}))
    for name, words in (("bare", "names no recipe"), ("blind", "without text"), ("strange", "unknown key oven")):
        with pytest.raises(InputError, match=words):
            again(tmp_path / f"{name}.safetensors")
    with pytest.raises(InputError, match="No pair of split Val"):
        again(cases=("nothing_*",))


def test_the_command_says_what_was_chosen(
    ground: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    out = tmp_path / "c.safetensors"
    given = ["calibrate", str(trained), str(ground / "data"), str(out), "--encoder", str(ground / "encoder")]
    assert main([*given, "--cases", "scan_1", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    card = read_card(out)
    assert f"logit times {card.calibration['scale']:.4f} plus {card.calibration['offset']:.4f}" in printed
    assert f"presence threshold: {card.thresholds['presence']:.4f}" in printed and str(out) in printed
    assert main([*given, "--device", "cpu"]) == 2
    assert "is there already" in capsys.readouterr().err
