"""Training end to end on a small set: choice on Val, resume after a kill, one sentence for what goes wrong."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from lvit_maker import write_lvit
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
    weights,
)

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.cli.main import main
from LMISCore.data import slices
from LMISCore.errors import Cancelled, InputError
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import BatchMaker, load_slices
from LMISCore.training.parts import learning_rate
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, train


def test_a_run_leaves_a_checkpoint_that_explains_itself(ground: Path, tmp_path: Path, device: torch.device) -> None:
    result = train(recipe(ground), tmp_path, str(device))
    card = load_checkpoint(result.checkpoint).card
    assert card.run["steps"] == result.steps == 6
    assert card.run["best_step"] == result.best_step
    assert card.recipe["training"]["steps"] == 6
    assert card.recipe["data"]["source"] == "data" and str(ground) not in card.to_json()
    assert card.data["pairs"] == {"train": 6, "val": 6}
    assert len(card.data["hashes"]["train"]) == 64
    assert card.image["colour"] == "grey"
    assert any("the highest of its slices counts" in limit for limit in card.limits)
    assert card.run["presence"]["present"] == 8 and card.run["presence"]["absent"] == 4
    assert 0 <= card.thresholds["presence"] <= 1
    assert card.metrics == []
    assert card.vocabulary["sentences_seen"] >= 3
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert max(line["val_mean_dice"] for line in lines) == pytest.approx(result.best_dice)


def test_a_killed_run_goes_on_to_the_same_weights(ground: Path, tmp_path: Path, device: torch.device) -> None:
    whole = tmp_path / "whole"
    train(recipe(ground), whole, str(device))
    killed = tmp_path / "killed"

    class Killed(BaseException):
        pass

    def kill(done: int, total: int, stage: str) -> None:
        if stage.startswith("training") and done == 5:
            raise Killed

    with pytest.raises(Killed):
        train(recipe(ground), killed, str(device), kill)
    trainer = Trainer(recipe(ground), killed, str(device))
    assert trainer.step == 4
    trainer.run()
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(killed)[name]), name


def test_a_stopped_run_says_how_to_go_on_and_does(ground: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled, match="after step 3; run the same command"):
        train(
            recipe(ground), tmp_path, "cpu", lambda done, total, stage: not (stage.startswith("training") and done == 3)
        )
    assert Trainer(recipe(ground), tmp_path, "cpu").step == 3


def test_another_recipe_or_other_data_do_not_resume(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")
    with pytest.raises(InputError, match=r"differs in training\.batch"):
        train(recipe(ground, "training.batch=3"), tmp_path, "cpu")
    other = write_lvit(tmp_path / "other", slices=3)
    with pytest.raises(InputError, match="data differ"):
        train(recipe(ground, f"data.source={other}"), tmp_path, "cpu")
    train(recipe(ground, "training.batch=3"), tmp_path, "cpu", resume=False)


def test_a_damaged_state_is_refused(ground: Path, tmp_path: Path) -> None:
    (tmp_path / "resume.pt").write_bytes(b"not a state")
    with pytest.raises(InputError, match="cannot be resumed"):
        train(recipe(ground), tmp_path, "cpu")


def test_patience_ends_a_run_that_no_longer_improves(ground: Path, tmp_path: Path) -> None:
    result = train(
        recipe(ground, "training.steps=40", "training.learning_rate=1e-12", "training.patience=4"), tmp_path, "cpu"
    )
    assert result.steps < 40
    assert "has not improved for 4 steps" in result.stopped


def test_an_early_stopped_run_does_not_train_on_when_it_is_run_again(ground: Path, tmp_path: Path) -> None:
    wanted = recipe(ground, "training.steps=40", "training.learning_rate=1e-12", "training.patience=4")
    first = train(wanted, tmp_path, "cpu")
    before = weights(tmp_path)
    again = train(wanted, tmp_path, "cpu")
    assert (again.steps, again.stopped) == (first.steps, first.stopped)
    assert first.steps < 40
    assert all(torch.equal(value, before[name]) for name, value in weights(tmp_path).items())


def test_several_sentences_share_one_picture_in_a_step(ground: Path, tmp_path: Path, device: torch.device) -> None:
    trainer = Trainer(recipe(ground, "pairs.sentences=2"), tmp_path, str(device))
    batch = BatchMaker(trainer.train, trainer.recipe).batch(0)
    assert (len(batch.images), len(batch.masks), len(batch.sentences), len(batch.kinds)) == (2, 4, 4, 4)
    encoded: list[int] = []
    decoded: list[torch.Tensor] = []
    encode, decode = trainer.network.encode_image, trainer.network.decode

    def watch_encode(image: torch.Tensor) -> Any:
        encoded.append(len(image))
        return encode(image)

    def watch_decode(features: Any, *rest: Any) -> Any:
        decoded.append(features.levels[0])
        return decode(features, *rest)

    trainer.network.encode_image, trainer.network.decode = watch_encode, watch_decode
    maker = BatchMaker(trainer.train, trainer.recipe)
    trainer._step(maker)
    assert encoded == [2] and len(decoded[0]) == 4
    assert torch.equal(decoded[0][0], decoded[0][2]) and torch.equal(decoded[0][1], decoded[0][3])
    assert not torch.equal(decoded[0][0], decoded[0][1])
    del trainer.network.encode_image, trainer.network.decode
    assert trainer.run().steps == 6


def test_without_text_one_sentence_of_each_slice_is_enough(ground: Path) -> None:
    ignoring = recipe(ground, "pairs.sentences=2", "text.ignore=true")
    batch = BatchMaker(load_slices(ignoring, read_split(ignoring, "Train"), 1), ignoring).batch(0)
    assert len(batch.masks) == len(batch.sentences) == len(batch.images) == 2


def test_the_text_is_scaled_by_the_training_sentences(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground, "training.steps=2"), tmp_path, "cpu")
    assert float(trainer.network.text_mean.abs().sum()) > 0
    fitted = trainer.network.text_deviation.clone()
    trainer.run()
    assert torch.equal(weights(tmp_path)["text_deviation"], fitted)


def test_a_loss_that_is_not_finite_ends_with_the_last_good_checkpoint(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground), tmp_path, "cpu")
    real = trainer.loss

    def broken(output: Any, mask: Any) -> Any:
        total, terms = real(output, mask)
        return (total * float("nan") if trainer.step >= 3 else total), terms

    trainer.loss = broken
    with pytest.raises(InputError, match=r"became nan at step 4; lower training\.learning_rate"):
        trainer.run()
    assert load_checkpoint(tmp_path / CHECKPOINT_NAME).card.run["steps"] == 2


def test_image_only_training_sees_no_words(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground, "text.ignore=true", "training.steps=2"), tmp_path, "cpu")
    trainer.run()
    assert trainer.seen == {""}
    assert {item.places.report for item in trainer.val} == {""}
    card = load_checkpoint(tmp_path / CHECKPOINT_NAME).card
    assert card.thresholds["presence"] == 0.5
    assert card.run["presence"]["rule"] == "default: trained without text"
    assert not any("presence threshold" in limit for limit in card.limits)


@pytest.mark.parametrize("override", ["loss={rgb: 1}", "network.options={depth: 3}", "network.options={width: -4}"])
def test_wrong_options_of_network_and_loss_are_found_before_data_are_read(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str
) -> None:
    def unread(path: Path) -> Any:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(slices, "read_volume", unread)
    monkeypatch.setattr(Path, "read_bytes", unread)
    with pytest.raises(InputError, match=r"(loss|Network) .*cannot be built"):
        Trainer(recipe(ground, override), tmp_path / "run", "cpu")


def test_the_rate_warms_up_and_falls_along_a_cosine() -> None:
    rates = [learning_rate(step, 100, 10, 1.0, 0.01) for step in range(100)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.505, abs=0.01)
    assert rates[99] < 0.02
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_the_command_line_trains_and_says_where(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["training.steps=9", "--out", str(tmp_path), "--device", "cpu", "training.steps=2"]
    assert main(["train", str(ground / "trial.yaml"), *overrides]) == 0
    assert "best mean Dice on Val" in capsys.readouterr().out
    assert (tmp_path / CHECKPOINT_NAME).is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["no-such-recipe"], "lacks its resource|no recipe"),
        (["trial", "training.steps=x"], "whole number"),
        (["trial", "data.source=nowhere"], "no data set at nowhere"),
        (["trial", "text.encoder=nowhere"], "no text encoder|nowhere"),
        (["trial", "network.name=unet"], "expected one of .*tirnet"),
        (["trial", "--device", "tpu"], "tpu"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_code_two(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    arguments = [str(ground / "trial.yaml") if a == "trial" else a for a in arguments]
    out = tmp_path / "run"
    assert main(["train", *arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("lmis: ") and re.search(sentence, error), error
    assert not out.exists()
