"""Training end to end on a small set: choice on Val, resume after a kill, one sentence for what goes wrong."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lvit_maker import write_lvit
from PIL import Image
from tiny_checkpoint import save_tiny_encoder

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.cli.main import main
from LMISCore.data import slices
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.slices import prepare_slices
from LMISCore.training.datasets import BatchMaker, clean_picture, load_slices, read_split
from LMISCore.training.recipe import Recipe, load_recipe
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, learning_rate, train
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry, Volume

RECIPE = """
name: trial
data: {{source: {source}}}
network: {{options: {{width: 4}}}}
text: {{encoder: {encoder}, rewrite: lvit_axial}}
image: {{size: [32, 32], convention: unit, plane: axial, variants: 2}}
pairs:
  shares: {{report: 1, side: 1, empty_place: 1, other_finding: 1}}
  names: [pulmonary infection]
  others: ["Small {{side}} effusion."]
training: {{steps: 6, batch: 2, validate_every: 2, ema: 0.9, precision: fp32, learning_rate: 1e-3, warmup: 2}}
card: {{findings: {{pulmonary infection: [infection]}}, dtype: float32}}
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, a tiny text encoder and a recipe."""
    folder = tmp_path_factory.mktemp("training")
    write_lvit(folder / "data")
    save_tiny_encoder(folder / "encoder")
    text = RECIPE.format(source=folder / "data", encoder=folder / "encoder")
    (folder / "trial.yaml").write_text(text, encoding="utf-8")
    return folder


def recipe(ground: Path, *overrides: str) -> Recipe:
    return load_recipe(ground / "trial.yaml", overrides)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / CHECKPOINT_NAME).network.state_dict()


def test_a_run_leaves_a_checkpoint_that_explains_itself(ground: Path, tmp_path: Path, device: torch.device) -> None:
    result = train(recipe(ground), tmp_path, str(device))
    card = load_checkpoint(result.checkpoint).card
    assert card.run["steps"] == result.steps == 6
    assert card.run["best_step"] == result.best_step
    assert card.recipe["training"]["steps"] == 6
    assert card.data["pairs"] == {"train": 6, "val": 6}
    assert len(card.data["hashes"]["train"]) == 64
    assert card.image["colour"] == "grey"
    assert card.run["presence"]["rule"].endswith("; scores of single slices")
    assert any("mean of the three highest slices" in limit for limit in card.limits)
    assert card.run["presence"]["present"] == 8 and card.run["presence"]["absent"] == 4
    assert 0 <= card.thresholds["presence"] <= 1
    assert card.metrics == []
    assert card.vocabulary["sentences_seen"] >= 3
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert max(line["val_mean_dice"] for line in lines) == pytest.approx(result.best_dice)


def test_test_pictures_are_never_opened(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real_open = Path.open

    def watch(self: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(self))
        return real_open(self, *args, **kwargs)

    def watched_read(path: Path) -> Any:
        opened.append(str(path))
        return read_volume(path)

    monkeypatch.setattr(Path, "open", watch)
    monkeypatch.setattr(slices, "read_volume", watched_read)
    train(recipe(ground, "training.steps=2"), tmp_path, "cpu")
    assert any("Train_Folder" in name for name in opened) and any("Val_Folder" in name for name in opened)
    assert not any("Test_Folder" in name for name in opened)


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

    def watch_decode(features: Any, states: torch.Tensor, mask: torch.Tensor) -> Any:
        decoded.append(features.levels[0])
        return decode(features, states, mask)

    trainer.network.encode_image, trainer.network.decode = watch_encode, watch_decode
    maker = BatchMaker(trainer.train, trainer.recipe)
    trainer._step(maker)
    assert encoded == [2] and len(decoded[0]) == 4
    assert torch.equal(decoded[0][0], decoded[0][1]) and torch.equal(decoded[0][2], decoded[0][3])
    assert not torch.equal(decoded[0][0], decoded[0][2])
    del trainer.network.encode_image, trainer.network.decode
    assert trainer.run().steps == 6


def test_masks_of_whole_slice_sentences_about_one_picture_are_the_same(ground: Path) -> None:
    wanted = recipe(ground, "pairs.sentences=3", "pairs.shares={report: 1}")
    maker = BatchMaker(load_slices(wanted, read_split(wanted, "Train"), 1), wanted)
    for step in range(4):
        masks = maker.batch(step).masks.unflatten(0, (2, 3))
        assert masks.any()
        for other in (1, 2):
            assert torch.equal(masks[:, 0], masks[:, other])


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


def test_a_patient_in_two_splits_is_refused(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    for path in (data / "Val_Folder").rglob("scan_1*"):
        path.rename(path.with_name(path.name.replace("scan_1", "scan_0")))
    table = data / "Val_Folder" / "Val_text.csv"
    table.write_text(table.read_text().replace("scan_1", "scan_0"))
    with pytest.raises(InputError, match="Patient scan_0 is in both"):
        Trainer(recipe(ground, f"data.source={data}"), tmp_path, "cpu")


def test_sets_without_lung_masks_train_on_what_they_have(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data", lungs=False)
    trainer = Trainer(recipe(ground, f"data.source={data}", "training.steps=2"), tmp_path / "run", "cpu")
    trainer.run()
    card = load_checkpoint(tmp_path / "run" / CHECKPOINT_NAME).card
    assert card.thresholds["presence"] == 0.5
    assert "no" in card.run["presence"]["rule"]


def test_val_without_any_foreground_is_refused_before_training(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    for mask in (data / "Val_Folder" / "labelcol").iterdir():
        Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(mask)
    with pytest.raises(InputError, match=r"None of the 6 masks of Val has a foreground pixel"):
        train(recipe(ground, f"data.source={data}"), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def paint(path: Path) -> None:
    """Make a grey picture file a colour one."""
    grey = np.asarray(Image.open(path))
    Image.fromarray(np.stack([grey, grey // 2, 255 - grey], axis=-1)).save(path)


def test_one_colour_picture_makes_the_whole_set_colour(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    paint(data / "Train_Folder" / "img" / "scan_0_s0001.png")
    trainer = Trainer(recipe(ground, f"data.source={data}", "training.steps=2"), tmp_path / "run", "cpu")
    assert {item.plain.shape[1] for item in [*trainer.train, *trainer.val]} == {3}
    trainer.run()
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT_NAME).card.image["colour"] == "rgb"


def test_a_colour_picture_in_val_of_a_grey_set_is_read_as_inference_will_read_it(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    path = data / "Val_Folder" / "img" / "scan_1_s0001.png"
    paint(path)
    trainer = Trainer(recipe(ground, f"data.source={data}"), tmp_path / "run", "cpu")
    assert {item.plain.shape[1] for item in trainer.val} == {1}
    image = {"size": [32, 32], "convention": "unit", "plane": "axial", "colour": "grey"}
    expected = prepare_slices(read_volume(path), image).picture(0)
    shown = clean_picture(trainer.val[1], "unit").numpy()
    np.testing.assert_allclose(shown, expected, atol=0.5 / 255 + 1e-6)


def test_a_convention_of_the_volume_is_fitted_to_the_case_not_to_the_slice(ground: Path, tmp_path: Path) -> None:
    data = write_lvit(tmp_path / "data")
    dim = data / "Train_Folder" / "img" / "scan_0_s0000.png"
    Image.fromarray(np.asarray(Image.open(dim)) // 4).save(dim)
    wanted = recipe(ground, f"data.source={data}", "image.convention=percentile")
    found = load_slices(wanted, read_split(wanted, "Train"), 1)
    brightest = [int(item.plain.max()) for item in found]
    assert brightest[0] < 80 and min(brightest[1:]) > 200
    whole = np.stack([read_volume(item.pair.image).array[0] for item in found])
    volume = Volume(whole, Geometry((64, 64, len(whole))), "case", "made for tests")
    image = {"size": [32, 32], "convention": "percentile", "plane": "axial", "colour": "grey"}
    prepared = prepare_slices(volume, image)
    for number, item in enumerate(found):
        shown = clean_picture(item, "percentile").numpy()
        np.testing.assert_allclose(shown, prepared.picture(number), atol=0.5 / 255 + 1e-6)


def test_pixels_that_are_not_square_are_framed_as_inference_frames_them(ground: Path, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 40, 40)).astype(np.uint8)
    geometry = Geometry((40, 40, 1), (1.0, 2.0, 5.0))
    for name, array in (("a", values), ("m", (values > 128).astype(np.uint8))):
        write_volume(tmp_path / f"{name}.nrrd", array, geometry)
    (tmp_path / "set.csv").write_text("image,mask,text,split\na.nrrd,m.nrrd,infection,Train\n", encoding="utf-8")
    wanted = recipe(ground, f"data.source={tmp_path / 'set.csv'}")
    (item,) = load_slices(wanted, read_split(wanted, "Train"), 1)
    image = {"size": [32, 32], "convention": "unit", "plane": "axial", "colour": "grey"}
    prepared = prepare_slices(read_volume(tmp_path / "a.nrrd"), image)
    assert item.frame == prepared.frame
    assert item.frame.inner == (32, 16)


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
        (["trial", "network.name=unet"], "expected one of tirnet"),
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
