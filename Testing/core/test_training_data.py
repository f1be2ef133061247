"""The data of a training run: which are read, which are refused, and pictures prepared as inference prepares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lvit_maker import write_lvit
from PIL import Image
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
)

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.data import slices
from LMISCore.errors import InputError
from LMISCore.inference.slices import prepare_slices
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import BatchMaker, clean_picture, load_slices
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, train
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry, Volume


def test_test_pictures_are_never_opened(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real_open = Path.open

    def watch(self: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(self))
        return real_open(self, *args, **kwargs)

    def watched_read(path: Path, *args: Any, **kwargs: Any) -> Any:
        opened.append(str(path))
        return read_volume(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", watch)
    monkeypatch.setattr(slices, "read_volume", watched_read)
    train(recipe(ground, "training.steps=2"), tmp_path, "cpu")
    assert any("Train_Folder" in name for name in opened) and any("Val_Folder" in name for name in opened)
    assert not any("Test_Folder" in name for name in opened)


def test_masks_of_whole_slice_sentences_about_one_picture_are_the_same(ground: Path) -> None:
    wanted = recipe(ground, "pairs.sentences=3", "pairs.shares={report: 1}")
    maker = BatchMaker(load_slices(wanted, read_split(wanted, "Train"), 1), wanted)
    for step in range(4):
        masks = maker.batch(step).masks.unflatten(0, (3, 2))
        assert masks.any()
        for other in (1, 2):
            assert torch.equal(masks[0], masks[other])


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
