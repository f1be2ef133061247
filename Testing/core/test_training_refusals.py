"""What can go wrong with a run ends in one plain sentence, and the last good checkpoint is kept."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lvit_maker import write_lvit
from text_makers import openai_clip_state
from training_makers import recipe, training_ground, weights  # noqa: F401

from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.cli.main import main
from LMISCore.cohorts.lock import FolderLock
from LMISCore.errors import InputError
from LMISCore.text.clip_text import clip_text_from_openai, save_clip_text
from LMISCore.training.curves import NAME as CURVES
from LMISCore.training.datasets import BatchMaker
from LMISCore.training.parts import build_encoder
from LMISCore.training.recipe import load_recipe
from LMISCore.training.resuming import changed_keys
from LMISCore.training.state import NAME as STATE
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, train


def edit_state(folder: Path, change: Any) -> None:
    """Rewrite a run's state; ``change`` gets its notes."""
    content = torch.load(folder / STATE, weights_only=True)
    notes = json.loads(content["notes"])
    change(notes)
    content["notes"] = json.dumps(notes)
    torch.save(content, folder / STATE)


def test_another_network_is_told_by_the_recipes_keys_and_not_by_its_tensors(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")
    before = weights(tmp_path)
    with pytest.raises(InputError) as told:
        train(recipe(ground, "network.options={width: 8}", "loss={}"), tmp_path, "cpu")
    assert "differs in network.options.width from the one" in str(told.value) and "--restart" in str(told.value)
    assert all(torch.equal(value, before[name]) for name, value in weights(tmp_path).items())
    edit_state(tmp_path, lambda notes: notes["recipe"]["network"].update(options={"width": 8}))
    with pytest.raises(InputError, match=r"resume\.pt cannot be resumed \(it belongs to another network\)"):
        train(recipe(ground, "network.options={width: 8}"), tmp_path, "cpu")


def test_a_recipe_is_compared_before_the_data_are_read(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")
    with pytest.raises(InputError, match=r"differs in training\.batch"):
        train(recipe(ground, "training.batch=3", "data.source=nowhere"), tmp_path, "cpu")


def test_a_state_of_before_a_key_existed_stood_for_its_default(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")

    def age(notes: dict[str, Any]) -> None:
        for key in ("accumulate", "save_every", "save_seconds"):
            del notes["recipe"]["training"][key]
        del notes["recipe"]["text"]["append_eof"]

    edit_state(tmp_path, age)
    assert Trainer(recipe(ground), tmp_path, "cpu").step == 6
    with pytest.raises(InputError, match=r"differs in training\.accumulate"):
        Trainer(recipe(ground, "training.accumulate=2"), tmp_path, "cpu")


def test_how_often_the_state_is_saved_may_change_in_the_middle_of_a_run(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")
    changed = recipe(ground, "training.save_every=1", "training.save_seconds=5")
    assert Trainer(changed, tmp_path, "cpu").step == 6


def test_changed_keys_are_named_to_the_last_part() -> None:
    before, now = {"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": 3}
    assert changed_keys(before, now, {"d": 4, "e": 3}) == ["a.c", "d"]
    assert changed_keys({"data": {"source": "x"}}, {"data": {"source": "y"}}, {}) == []


def test_a_checkpoint_that_is_gone_is_missed(ground: Path, tmp_path: Path) -> None:
    train(recipe(ground), tmp_path, "cpu")
    (tmp_path / CHECKPOINT_NAME).rename(tmp_path / "away")
    with pytest.raises(InputError, match=r"has a state but its checkpoint\.safetensors is gone; put it back"):
        train(recipe(ground), tmp_path, "cpu")


@pytest.mark.parametrize("content", [b"", b"junk", b"ae", b"PK\3\4 torch"])
def test_a_state_that_is_damaged_is_told_and_kept(ground: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(InputError, match="cannot be resumed"):
        train(recipe(ground), tmp_path, "cpu")
    assert (tmp_path / STATE).read_bytes() == content


@pytest.mark.parametrize("resume", [True, False])
def test_a_file_in_the_place_of_the_folder_is_told_before_the_data_are_read(
    ground: Path, tmp_path: Path, resume: bool
) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="is a file, not a folder"):
            train(recipe(ground, "data.source=nowhere"), folder, "cpu", resume=resume)


def test_a_picture_that_went_missing_is_named_when_a_run_goes_on(ground: Path, tmp_path: Path) -> None:
    source = write_lvit(tmp_path / "set")
    wanted = recipe(ground, f"data.source={source}")
    train(wanted, tmp_path / "run", "cpu")
    (source / "Train_Folder" / "img" / "scan_0_s0002.png").unlink()
    with pytest.raises(InputError, match=r"Train_text\.csv row 4 names scan_0_s0002\.png, but .* does not exist"):
        train(wanted, tmp_path / "run", "cpu")
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT_NAME).card.run["steps"] == 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot limit the size of files")
@pytest.mark.parametrize("room", [0, 20_000])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    import resource

    train(recipe(ground), tmp_path / "whole", "cpu")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(done: int, total: int, stage: str) -> None:
        # A file may grow no further: what a full disk does to a writer, without one.
        if stage.startswith("training") and done == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))

    folder = tmp_path / "full"
    try:
        with pytest.raises(InputError, match=r"Cannot write .*(jsonl|safetensors|resume\.pt): File too large") as told:
            train(recipe(ground), folder, "cpu", fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert "\n" not in str(told.value)
    assert load_checkpoint(folder / CHECKPOINT_NAME).card.run["steps"] in (2, 4)
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert Trainer(recipe(ground), folder, "cpu").step == 2
    train(recipe(ground), folder, "cpu")
    wanted = weights(tmp_path / "whole")
    assert all(torch.equal(value, wanted[name]) for name, value in weights(folder).items())


def test_a_gradient_that_is_not_finite_ends_the_run_before_it_ruins_the_weights(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground), tmp_path, "cpu")
    real = trainer.loss
    parameter = next(trainer.network.parameters())

    def broken(output: Any, mask: Any) -> Any:
        total, terms = real(output, mask)
        # Of value 0, with a slope of infinity times 0.
        return total + (torch.sqrt(parameter.sum() * 0.0) if trainer.step == 3 else 0.0), terms

    trainer.loss = broken
    with pytest.raises(InputError, match=r"The gradient became nan at step 4; lower .*; the last good checkpoint is"):
        trainer.run()
    assert all(torch.isfinite(value).all() for value in trainer.network.state_dict().values())
    assert load_checkpoint(tmp_path / CHECKPOINT_NAME).card.run["steps"] == 2
    assert Trainer(recipe(ground), tmp_path, "cpu").step == 2


def test_a_loss_that_is_not_finite_at_once_says_that_there_is_no_checkpoint_yet(ground: Path, tmp_path: Path) -> None:
    trainer = Trainer(recipe(ground), tmp_path, "cpu")
    trainer.loss = lambda output, mask: (output.logits.sum() * float("inf"), {})
    with pytest.raises(InputError, match=r"The loss became .* at step 1; .*; there is no checkpoint yet"):
        trainer.run()


def test_several_batches_give_the_mean_of_their_gradients(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(ground, "training.accumulate=3", "training.steps=2", "training.validate_every=2")
    trainer = Trainer(wanted, tmp_path, "cpu")
    maker = BatchMaker(trainer.train, wanted)
    trainer.step = 1
    trainer.network.train()
    expected: list[torch.Tensor] = []
    losses = []
    for number in (3, 4, 5):
        trainer.network.zero_grad(set_to_none=True)
        total, _ = trainer._answer(maker.batch(number), number)
        total.backward()
        losses.append(float(total.detach()))
        gradients = [p.grad.clone() for p in trainer.network.parameters() if p.grad is not None]
        expected = gradients if not expected else [a + b for a, b in zip(expected, gradients, strict=True)]
    found: list[torch.Tensor] = []

    def keep() -> None:
        found.extend(p.grad.clone() for p in trainer.network.parameters() if p.grad is not None)

    monkeypatch.setattr(trainer.optimiser, "step", keep)
    terms = trainer._step(maker)
    assert terms["loss"] == pytest.approx(sum(losses) / 3, rel=1e-6)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b / 3, rtol=1e-3, atol=1e-5)


def test_accumulated_steps_resume_exactly(ground: Path, tmp_path: Path) -> None:
    wanted = recipe(ground, "training.accumulate=2", "training.steps=3", "training.save_every=1")
    train(wanted, tmp_path / "whole", "cpu")

    class Killed(BaseException):
        pass

    def kill(done: int, total: int, stage: str) -> None:
        if stage.startswith("training") and done == 2:
            raise Killed

    with pytest.raises(Killed):
        train(wanted, tmp_path / "killed", "cpu", kill)
    again = Trainer(wanted, tmp_path / "killed", "cpu")
    assert again.step == 2
    again.run()
    expected = weights(tmp_path / "whole")
    assert all(torch.equal(value, expected[name]) for name, value in weights(tmp_path / "killed").items())


def test_sentences_are_lengthened_as_the_release_does_where_the_recipe_says_so(ground: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"text\.append_eof is true, but the text encoder .* is not CLIP's"):
        Trainer(recipe(ground, "text.append_eof=true"), tmp_path / "run", "cpu")
    tower = tmp_path / "tower.safetensors"
    save_clip_text(clip_text_from_openai(openai_clip_state(), length=10), tower)
    plain = build_encoder(recipe(ground, f"text.encoder={tower}"), "cpu")
    wanted = recipe(ground, f"text.encoder={tower}", "text.append_eof=true")
    longer = build_encoder(wanted, "cpu")
    short, long = (encoder.encode(["lung"]).mask.sum().item() for encoder in (plain, longer))
    assert short == 3 and long > short
    result = train(wanted, tmp_path / "run", "cpu")
    checkpoint = load_checkpoint(result.checkpoint)
    assert text_encoder_for(checkpoint, source=tower).hash == longer.hash != plain.hash


@pytest.mark.parametrize("name", ["qata-cov19", "mosmeddata-plus", "monuseg"])
def test_reclmis_as_published_reads_lengthened_sentences(name: str) -> None:
    assert load_recipe(name, ["variant=reclmis-paper"]).text.append_eof
    assert not load_recipe(name, ["variant=reclmis"]).text.append_eof


def test_loss_and_dice_are_drawn_beside_the_log(ground: Path, tmp_path: Path) -> None:
    from PIL import Image

    assert main(["train", str(ground / "trial.yaml"), "--out", str(tmp_path), "--device", "cpu"]) == 0
    with Image.open(tmp_path / CURVES) as picture:
        assert picture.size == (1080, 480) and len(set(picture.convert("L").tobytes())) > 20


def test_a_second_run_on_a_folder_is_refused_and_leaves_the_first_ones_files_alone(
    ground: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", str(ground / "trial.yaml"), "training.steps=2", "--device", "cpu", "--out", str(tmp_path)]
    with FolderLock(tmp_path, kind="train"):
        assert main(command) == 2
        assert f"Another run works on {tmp_path} (process {os.getpid()}" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["train.lock"]
    assert main(command) == 0
    assert (tmp_path / CHECKPOINT_NAME).is_file() and not list(tmp_path.glob("*.lock"))


def test_a_run_that_cannot_begin_leaves_no_folder(ground: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    assert main(["train", str(ground / "trial.yaml"), "data.source=nowhere", "--out", str(out)]) == 2
    assert not out.exists()


def test_a_picture_larger_than_any_network_can_take_is_refused_before_it_takes_the_memory(ground: Path) -> None:
    with pytest.raises(InputError, match=r"image\.size is .*, expected two sides of 16 to 4096 pixels"):
        recipe(ground, "image.size=[1000000, 1000000]")
