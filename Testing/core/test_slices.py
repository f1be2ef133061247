"""Slices as training and evaluation read them: one per file, turned like their picture, fitted case by case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from LMISCore.data.lungs import LungGeometry
from LMISCore.data.manifest import Pair, read_pairs
from LMISCore.data.slices import (
    as_grey,
    case_geometries,
    case_normalisers,
    changed_normalisers,
    fit_case,
    read_slice,
    sentence_rule,
)
from LMISCore.errors import InputError
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.intensity import fit_normaliser
from LMISCore.volumes.volume import Geometry

# Columns run from the patient's left to the right: the picture has to be turned over to lie as usual.
MIRRORED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def manifest(folder: Path, *rows: str, header: str = "image,mask,lungs,text,split") -> list[Pair]:
    path = folder / "set.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_pairs(path, "Train")


def half(column: slice) -> np.ndarray:
    mask = np.zeros((1, 8, 10), dtype=np.uint8)
    mask[..., column] = 255
    return mask


def test_masks_are_turned_like_a_picture_that_its_file_declares_mirrored(tmp_path: Path) -> None:
    geometry = Geometry((10, 8, 1), (2.0, 1.0, 5.0), direction=MIRRORED)
    stored = half(slice(0, 3))
    for name in ("a", "m", "l"):
        write_volume(tmp_path / f"{name}.nii.gz", stored, geometry)
    Image.fromarray(stored[0]).save(tmp_path / "flat.png")
    pairs = manifest(tmp_path, "a.nii.gz,m.nii.gz,l.nii.gz,t,train", "a.nii.gz,flat.png,flat.png,t,train")
    for pair in pairs:
        item = read_slice(pair)
        assert item.spacing == (1.0, 2.0)
        assert item.lungs is not None
        for array in (item.picture, item.truth, item.lungs):
            assert array[:, 7:].all() and not array[:, :7].any()
        assert item.volume.array[0, :, :3].all()
    assert case_geometries(pairs[:1])[pairs[0].case] == LungGeometry(8.5, 0, 8)
    assert case_geometries(pairs[1:])[pairs[1].case] == LungGeometry(8.5, 0, 8)


def test_pictures_without_axes_lie_as_they_are_stored(tmp_path: Path) -> None:
    Image.fromarray(half(slice(0, 3))[0]).save(tmp_path / "a.png")
    (pair,) = manifest(tmp_path, "a.png,a.png,a.png,t,train")
    item = read_slice(pair)
    assert item.truth[:, :3].all() and not item.truth[:, 3:].any()
    assert case_geometries([pair])[pair.case] == LungGeometry(1.5, 0, 8)


@pytest.mark.parametrize("wrong", ["image", "mask", "lungs"])
def test_a_file_of_several_slices_is_refused_not_cut_to_its_first(tmp_path: Path, wrong: str) -> None:
    write_volume(tmp_path / "flat.nrrd", half(slice(0, 3)), Geometry((10, 8, 1)))
    write_volume(tmp_path / "deep.nrrd", np.repeat(half(slice(0, 3)), 4, axis=0), Geometry((10, 8, 4)))
    names = ["deep.nrrd" if part == wrong else "flat.nrrd" for part in ("image", "mask", "lungs")]
    (pair,) = manifest(tmp_path, ",".join([*names, "t", "train"]))
    with pytest.raises(InputError, match=r"deep\.nrrd holds 4 slices; expected one"):
        read_slice(pair)


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    Image.fromarray(half(slice(0, 3))[0]).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((3, 4), dtype=np.uint8)).save(tmp_path / "m.png")
    (pair,) = manifest(tmp_path, "a.png,m.png,,t,train")
    with pytest.raises(InputError, match=r"a\.png has 8 x 10 pixels but .*m\.png has 3 x 4"):
        read_slice(pair)


@pytest.mark.parametrize("convention", ["percentile", "lung", "lung_equalised", "unit"])
def test_a_case_is_fitted_as_the_volume_of_its_slices(convention: str) -> None:
    volume = np.random.default_rng(0).normal(-500, 300, (5, 7, 9)).astype(np.float32)
    brightness = volume - volume.min()
    for array in (brightness,) if convention == "unit" else (volume, brightness):
        assert fit_case(list(array), convention) == fit_normaliser(array, convention)[0]


def test_one_slice_in_hounsfield_units_makes_the_whole_case_so() -> None:
    soft, air = np.full((4, 4), 40.0), np.full((4, 4), -1000.0)
    assert fit_case([soft], "lung_equalised").kind == "picture"
    assert fit_case([soft, air], "lung_equalised").kind == "hu"


def test_slices_of_several_sizes_and_colours_are_fitted_together() -> None:
    grey, colour = np.full((4, 4), 10, np.uint8), np.full((3, 2, 3), 200, np.uint8)
    fitted = fit_case([grey, colour], "percentile")
    assert (fitted.low, fitted.high) == (10.0, 200.0)


def test_each_case_has_its_own_fit_and_a_changed_case_another(tmp_path: Path) -> None:
    for name, value in (("a", 100), ("b", 200)):
        picture = np.linspace(0, value, 80).astype(np.uint8).reshape(8, 10)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    pairs = manifest(tmp_path, "a.png,a.png,,t,train", "b.png,b.png,,t,train")
    found = case_normalisers(pairs, "percentile")
    assert [round(found[name].high or 0, -1) for name in ("a", "b")] == [100, 200]
    halved = changed_normalisers(pairs, found, lambda row, picture: picture // 2)
    assert [round(halved[name].high or 0, -1) for name in ("a", "b")] == [50, 100]


def test_a_window_in_hounsfield_units_outlives_a_change_of_the_picture(tmp_path: Path) -> None:
    values = np.linspace(-150, 900, 80, dtype=np.float32).reshape(1, 8, 10)
    write_volume(tmp_path / "a.nrrd", values, Geometry((10, 8, 1)))
    pairs = manifest(tmp_path, "a.nrrd,a.nrrd,,t,train")
    lifted = {
        name: changed_normalisers(pairs, case_normalisers(pairs, name), lambda row, picture: picture + 500)["a"]
        for name in ("lung", "percentile")
    }
    assert lifted["lung"] == fit_normaliser(values, "lung")[0]
    assert lifted["percentile"].kind == "hu"
    assert (lifted["percentile"].low or 0) > 300


def test_luma_is_what_pillow_makes_of_colour() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    pillow = np.asarray(Image.fromarray(colour).convert("L"), dtype=np.float32)
    np.testing.assert_allclose(as_grey(colour), pillow, atol=1)
    assert np.array_equal(as_grey(colour[..., 0]), colour[..., 0])


def test_the_sentence_rule_rewrites_withholds_or_leaves_alone() -> None:
    text = "Upper left lung."
    assert sentence_rule("none", False)(text) == text
    assert "anterior" in sentence_rule("lvit_axial", False)(text).lower()
    assert sentence_rule("lvit_axial", True)(text) == ""
    with pytest.raises(InputError, match="'later'"):
        sentence_rule("later", False)
