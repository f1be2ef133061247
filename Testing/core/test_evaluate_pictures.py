"""An evaluated picture is prepared as the predictor prepares it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from evaluation_makers import (
    SIZE,
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    one_thread,  # noqa: F401
)
from PIL import Image

from LMISCore.checkpoints.store import Checkpoint
from LMISCore.evaluation.asking import Asker
from LMISCore.evaluation.conditions import IMAGE_ONLY, RIGHT
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.robustness import CHANGES
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.slices import SlicePictures
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry, Volume


def test_an_evaluated_picture_gets_the_mask_and_score_that_the_predictor_gives_it(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 32), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    volume = read_volume(tmp_path / "picture.png")
    network = checkpoint(ObedientNetwork(), card())
    sentence = "Pulmonary infection in the left lung."
    asker = Asker(network, "cpu", WordEncoder())
    prepared = asker.prepare(volume)
    (probability,) = asker.ask(asker.features([prepared]), [(0, sentence)])
    row = Predictor(network, "cpu", encoder=WordEncoder()).segment(volume, sentence).rows[0]
    assert row.mask is not None
    assert np.array_equal(asker.mask(prepared, probability), row.mask[0])
    assert 0 < row.mask.sum() < row.mask.size / 2
    assert asker.presence(prepared, probability) == row.presence
    padding_only = torch.ones(SIZE, SIZE)
    padding_only[6:26] = 0
    assert asker.presence(prepared, padding_only) == 0


def test_a_changed_picture_in_hounsfield_units_is_still_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Contrast x 0.7 lifts the darkest value from -150 to above 0, where the rule by itself would see a picture.
    values = np.linspace(-150, 1000, SIZE * SIZE, dtype=np.float32).reshape(1, SIZE, SIZE)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "a.mha"))
    Image.fromarray(np.eye(SIZE, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "set.csv").write_text("image,mask,text,split\na.mha,a.png,infection,Val\n", encoding="utf-8")
    kinds: list[str] = []
    prepare = Asker.prepare

    def recording(self: Asker, *given: Any) -> SlicePictures:
        prepared = prepare(self, *given)
        kinds.append(prepared.normaliser.kind)
        return prepared

    monkeypatch.setattr(Asker, "prepare", recording)
    network = checkpoint(ObedientNetwork(), card(image={**card().image, "convention": "lung"}))
    evaluate(network, tmp_path / "set.csv", "Val", encoder=WordEncoder(), draws=5, log=tmp_path / "log")
    assert kinds == ["hu"] * (1 + len(CHANGES))


def test_a_slice_is_shown_with_the_brightness_that_its_whole_case_gives_it(tmp_path: Path) -> None:
    rows = ["image,mask,text,split,case"]
    for name, low, high in (("dim", 0, 60), ("bright", 0, 240)):
        picture = np.full((SIZE, SIZE), low, dtype=np.uint8)
        picture[20:25, 20:25] = high
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        Image.fromarray((picture > 0).astype(np.uint8)).save(tmp_path / f"{name}_mask.png")
        rows.append(f"{name}.png,{name}_mask.png,Infection in the left lung.,Val,one")
    (tmp_path / "set.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    network = checkpoint(ObedientNetwork(), card(image={**card().image, "convention": "percentile"}))
    options: dict[str, Any] = {"encoder": WordEncoder(), "draws": 5, "log": tmp_path / "log", "device": "cpu"}
    found = evaluate(network, tmp_path / "set.csv", "Val", image_only=blind_checkpoint(), **options)
    # By itself the dim slice would be stretched until its lesion is bright; as a slice of its case it stays dim.
    for condition in (RIGHT, IMAGE_ONLY):
        counts = {row["image"]: row["counts"][condition] for row in found["slices"]}
        assert counts == {"bright.png": [25, 0, 0], "dim.png": [0, 0, 25]}
    gamma = found["robustness"]["gamma 1.4"]
    assert gamma["mean_dice"]["estimate"] == pytest.approx(0.5)
    volume = Volume(
        np.stack([np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("bright", "dim")]),
        Geometry((SIZE, SIZE, 2)),
        "case",
        "made for tests",
    )
    row = Predictor(network, "cpu", encoder=WordEncoder()).segment(volume, "Infection in the left lung.").rows[0]
    assert row.mask is not None
    assert row.mask.sum(axis=(1, 2)).tolist() == [25, 0]


def blind_checkpoint() -> Checkpoint:
    image = {**card().image, "convention": "percentile"}
    return checkpoint(
        ObedientNetwork(reads_text=False), card(name="blind", image=image, recipe={"text": {"ignore": True}})
    )


def test_a_mirrored_slice_is_compared_with_its_mask_in_one_orientation(tmp_path: Path) -> None:
    # Its columns run from the patient's left to right, so the picture is turned over before the network sees it.
    geometry = Geometry((SIZE, SIZE, 1), direction=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    picture = np.full((1, SIZE, SIZE), 20, dtype=np.uint8)
    picture[0, 20:25, 3:8] = 235
    picture[0, 0, 0] = 255
    lungs = np.zeros_like(picture)
    lungs[0, 4:28, 2:14] = lungs[0, 4:28, 18:30] = 1
    for name, array in (("a", picture), ("m", (picture == 235).astype(np.uint8)), ("l", lungs)):
        write_volume(tmp_path / f"{name}.nii.gz", array, geometry)
    text = "image,mask,lungs,text,split\na.nii.gz,m.nii.gz,l.nii.gz,Infection in the left lung.,Val\n"
    (tmp_path / "set.csv").write_text(text, encoding="utf-8")
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, tmp_path / "set.csv", "Val", encoder=WordEncoder(), draws=5, log=tmp_path / "log")
    tp, fp, fn = found["slices"][0]["counts"][RIGHT]
    assert (tp, fp, fn) == (25, 1, 0)
    assert found["obedience"]["foreground_on_named_side"]["all_lungs"]["estimate"] == 1
    assert found["obedience"]["lungs"]["affected"] == 1
