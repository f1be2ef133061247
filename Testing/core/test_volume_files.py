"""Volumes come from every supported format with values and places kept, and anything else gets one sentence."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from volume_makers import ORIGIN, SPACING, grid, grids, numbers, oblique, places, refusal

from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry, Volume

TOLERANCE = {".nrrd": 1e-9, ".mha": 1e-9, ".nii": 1e-6, ".nii.gz": 1e-6}


# --- grids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", TOLERANCE)
def test_every_axis_order_and_an_oblique_grid_come_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"case{suffix}"
    for geometry in grids():
        array = numbers(geometry.shape)
        write_volume(path, array, geometry)
        volume = read_volume(path)
        np.testing.assert_array_equal(volume.array, array)
        assert volume.geometry.same_as(geometry, TOLERANCE[suffix]), geometry
        assert volume.spacing_known and volume.warnings == () and volume.name == "case"
        np.testing.assert_allclose(places(volume.geometry), places(geometry), rtol=1e-6, atol=2e-5)


def test_a_nifti_file_states_the_grid_in_ras_by_its_own_header(tmp_path: Path) -> None:
    # Read without ITK: a mirrored writer and a mirrored reader would agree with each other.
    for geometry in grids():
        path = tmp_path / "case.nii"
        write_volume(path, numbers(geometry.shape), geometry)
        header = path.read_bytes()[:348]
        assert struct.unpack_from("<h", header, 254)[0] > 0  # sform_code
        rows = np.array(struct.unpack_from("<12f", header, 280)).reshape(3, 4)
        np.testing.assert_allclose(np.diag([-1, -1, 1]) @ rows, geometry.matrix()[:3], rtol=1e-6, atol=1e-6)


def test_a_nrrd_file_states_the_grid_in_lps_by_its_own_header(tmp_path: Path) -> None:
    geometry = grid(oblique() @ np.diag([1, -1, 1]))
    path = tmp_path / "case.nrrd"
    write_volume(path, numbers(geometry.shape), geometry)
    header = path.read_bytes().split(b"\n\n")[0].decode("ascii")
    lines = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
    columns = np.array([[float(x) for x in v.split(",")] for v in lines["space directions"][1:-1].split(") (")])
    assert lines["space"] == "left-posterior-superior"
    np.testing.assert_allclose(columns.T, geometry.matrix()[:3, :3], atol=1e-12)
    assert [float(x) for x in lines["space origin"].strip("()").split(",")] == list(ORIGIN)


def test_a_nrrd_file_in_ras_is_turned_to_lps(tmp_path: Path) -> None:
    path = tmp_path / "ras.nrrd"
    path.write_bytes(
        b"NRRD0004\ntype: uchar\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 2 2\nencoding: raw\n"
        b"space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n\n" + bytes(range(8))
    )
    geometry = read_volume(path).geometry
    assert geometry.same_as(Geometry((2, 2, 2), (1, 2, 3), (-10, -20, 30), (-1, 0, 0, 0, -1, 0, 0, 0, 1)))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_sheared_grid_is_kept(tmp_path: Path, suffix: str) -> None:
    geometry = Geometry(
        (6, 5, 4), SPACING, ORIGIN, (1, 0, 0, 0, 1, np.sin(np.radians(20)), 0, 0, np.cos(np.radians(20)))
    )
    write_volume(tmp_path / f"tilted{suffix}", numbers(geometry.shape), geometry)
    assert read_volume(tmp_path / f"tilted{suffix}").geometry.same_as(geometry)


def test_a_sheared_grid_is_not_straightened_in_secret_by_nifti(tmp_path: Path) -> None:
    geometry = Geometry((6, 5, 4), SPACING, ORIGIN, (1, 0, 0, 0, 1, 0.3, 0, 0, 0.95))
    message = refusal(lambda: write_volume(tmp_path / "tilted.nii.gz", numbers(geometry.shape), geometry))
    assert "straighten" in message
    assert list(tmp_path.iterdir()) == []


def test_one_slice_keeps_its_place_in_every_format(tmp_path: Path) -> None:
    geometry = grid(oblique(), size=(6, 5, 1))
    for suffix, tolerance in TOLERANCE.items():
        write_volume(tmp_path / f"slice{suffix}", numbers(geometry.shape), geometry)
        volume = read_volume(tmp_path / f"slice{suffix}")
        assert volume.is_picture_2d and volume.geometry.same_as(geometry, tolerance)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_a_flat_volume_file_is_one_slice_of_unknown_thickness(tmp_path: Path, suffix: str) -> None:
    image = sitk.GetImageFromArray(numbers((5, 6)))
    image.SetSpacing((0.2, 0.3))
    sitk.WriteImage(image, str(tmp_path / f"flat{suffix}"))
    volume = read_volume(tmp_path / f"flat{suffix}")
    assert volume.array.shape == (1, 5, 6) and not volume.spacing_known
    np.testing.assert_allclose(volume.geometry.spacing, (0.2, 0.3, 1.0), rtol=1e-6)


@pytest.mark.parametrize("thickness", ["2.5", ""])
def test_a_dicom_image_without_thickness_has_no_known_volume(tmp_path: Path, thickness: str) -> None:
    image = sitk.JoinSeries([sitk.GetImageFromArray(numbers((5, 6)))])
    image.SetSpacing((0.5, 0.5, 1))
    tags = {"0008|0016": "1.2.840.10008.5.1.4.1.1.2", "0008|0060": "CT", "0020|000e": "1.2.3", "0018|0050": thickness}
    for key, value in tags.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / "one.dcm"))
    volume = read_volume(tmp_path / "one.dcm")
    assert volume.spacing_known == bool(thickness)
    assert volume.geometry.spacing == (0.5, 0.5, 2.5 if thickness else 1.0)


def test_a_fourth_dimension_of_one_says_nothing(tmp_path: Path) -> None:
    array = numbers((4, 5, 6))
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(array)]), str(tmp_path / "one.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "one.nrrd").array, array)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_a_header_with_its_data_file_beside_it_is_read(tmp_path: Path, suffix: str) -> None:
    array = numbers((4, 5, 6))
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / f"case{suffix}"))
    np.testing.assert_array_equal(read_volume(tmp_path / f"case{suffix}").array, array)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", TOLERANCE)
@pytest.mark.parametrize("kind", ["bool", "uint8", "int16", "float32"])
def test_each_number_type_comes_back(tmp_path: Path, suffix: str, kind: str) -> None:
    array = (numbers((4, 5, 6)) % 2).astype(kind) if kind != "float32" else numbers((4, 5, 6)).astype(kind) / 7
    write_volume(tmp_path / f"case{suffix}", array, grid(np.eye(3)))
    volume = read_volume(tmp_path / f"case{suffix}")
    assert volume.array.dtype == (np.uint8 if kind == "bool" else np.dtype(kind))
    np.testing.assert_array_equal(volume.array, array)


@pytest.mark.parametrize("suffix", TOLERANCE)
def test_a_colour_volume_comes_back(tmp_path: Path, suffix: str) -> None:
    array = numbers((4, 5, 6, 3)).astype(np.uint8)
    write_volume(tmp_path / f"case{suffix}", array, grid(oblique()))
    volume = read_volume(tmp_path / f"case{suffix}")
    assert volume.is_colour
    np.testing.assert_array_equal(volume.array, array)


def test_alpha_is_dropped(tmp_path: Path) -> None:
    array = numbers((4, 5, 6, 4)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(tmp_path / "rgba.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "rgba.nrrd").array, array[..., :3])


def test_a_turned_view_is_written_as_it_is_seen(tmp_path: Path) -> None:
    view = numbers((6, 5, 4)).transpose(2, 1, 0)[::-1]
    write_volume(tmp_path / "view.nrrd", view, grid(np.eye(3)))
    np.testing.assert_array_equal(read_volume(tmp_path / "view.nrrd").array, view)


@pytest.mark.parametrize("suffix", TOLERANCE)
def test_some_missing_numbers_become_the_smallest_value_and_that_is_told(tmp_path: Path, suffix: str) -> None:
    array = numbers((4, 5, 6)).astype(np.float32)
    array[0, 0, :3] = (np.nan, np.inf, -np.inf)
    write_volume(tmp_path / f"holes{suffix}", array, grid(np.eye(3)))
    volume = read_volume(tmp_path / f"holes{suffix}")
    rest = array[np.isfinite(array)]
    assert volume.array[0, 0, :3].tolist() == [rest.min(), rest.max(), rest.min()]
    np.testing.assert_array_equal(volume.array[1:], array[1:])
    assert len(volume.warnings) == 1 and "3 of 120 values" in volume.warnings[0]


@pytest.mark.parametrize("name", ["患者 ü 'x'.nrrd", "肺🫁.nii.gz", "Ж.nii", "é è.mha", "胸.png", "胸.jpg", "胸.tif"])
def test_a_path_in_any_language_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / "Пациент 患者 ü" / name
    if path.suffix in (".png", ".jpg", ".tif"):
        path.parent.mkdir()
        Image.fromarray(np.zeros((5, 6), np.uint8)).save(path)
    else:
        write_volume(path, numbers((4, 5, 6)), grid(np.eye(3)))
    volume = read_volume(path)
    assert volume.source == str(path) and name.startswith(volume.name)
    assert [each.name for each in path.parent.iterdir()] == [name]


def test_a_suffix_in_capitals_is_known(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((5, 6), np.uint8)).save(tmp_path / "SCAN.PNG")
    assert read_volume(tmp_path / "SCAN.PNG").name == "SCAN"


# --- pictures ---------------------------------------------------------------------------------------------------------

GREY = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8
COLOUR = np.random.default_rng(0).integers(0, 255, (5, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("grey.png", Image.fromarray(GREY), GREY),
        ("grey.bmp", Image.fromarray(GREY), GREY),
        ("grey.tif", Image.fromarray(GREY), GREY),
        ("deep.png", Image.fromarray(GREY.astype(np.uint16) * 200), GREY.astype(np.uint16) * 200),
        ("float.tiff", Image.fromarray(GREY.astype(np.float32) / 3), GREY.astype(np.float32) / 3),
        ("colour.png", Image.fromarray(COLOUR), COLOUR),
        ("colour.bmp", Image.fromarray(COLOUR), COLOUR),
        ("colour.tif", Image.fromarray(COLOUR), COLOUR),
        ("alpha.png", Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR),
        ("grey_alpha.png", Image.fromarray(np.dstack([GREY, GREY])), GREY),
        ("palette.png", Image.fromarray(COLOUR).quantize(64), None),
        ("palette.tif", Image.fromarray(COLOUR).quantize(64), None),
        ("grey_palette.png", Image.fromarray(GREY).convert("P"), GREY),
        ("grey_as_rgb.png", Image.fromarray(np.dstack([GREY] * 3)), GREY),
        ("bilevel.png", Image.fromarray(GREY > 100), (GREY > 100) * np.uint8(255)),
        ("bilevel.tif", Image.fromarray(GREY > 100), (GREY > 100) * np.uint8(255)),
        ("bilevel.bmp", Image.fromarray(GREY > 100), (GREY > 100) * np.uint8(255)),
    ],
)
def test_a_picture_is_one_slice_of_unknown_spacing(
    tmp_path: Path, name: str, picture: Image.Image, expected: np.ndarray | None
) -> None:
    picture.save(tmp_path / name, dpi=(300, 300))
    volume = read_volume(tmp_path / name)
    expected = np.array(picture.convert("RGB")) if expected is None else expected
    np.testing.assert_array_equal(volume.array[0], expected)
    assert volume.geometry == Geometry((6, 5, 1)) and not volume.spacing_known and volume.is_picture_2d
    assert volume.is_colour == (expected.ndim == 3)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path: Path, mode: str) -> None:
    smooth = Image.fromarray(COLOUR).resize((48, 40))
    options: dict[str, Any] = {"subsampling": 0} if mode == "RGB" else {}
    smooth.convert(mode).save(tmp_path / "x.jpeg", quality=95, **options)
    volume = read_volume(tmp_path / "x.jpeg")
    expected = np.array(Image.open(tmp_path / "x.jpeg").convert("L" if mode == "L" else "RGB")).astype(int)
    assert volume.array[0].shape == expected.shape
    assert np.abs(volume.array[0].astype(int) - expected).max() <= 3  # two JPEG decoders may round differently


# --- geometry ---------------------------------------------------------------------------------------------------------


def test_a_voxel_of_a_known_grid_has_its_volume_in_ml() -> None:
    assert Geometry((1, 1, 1), (2.0, 5.0, 10.0)).voxel_volume_ml == pytest.approx(0.1)
    assert grid(oblique() @ np.diag([1, 1, -1])).voxel_volume_ml == pytest.approx(np.prod(SPACING) / 1000)


def test_a_grid_is_rebuilt_from_its_matrix() -> None:
    for geometry in grids():
        assert Geometry.from_matrix(geometry.size, geometry.matrix()).same_as(geometry)


def test_two_grids_are_the_same_within_the_tolerance_only() -> None:
    one = grid(np.eye(3))
    near = Geometry(one.size, one.spacing, (ORIGIN[0] + 1e-6, *ORIGIN[1:]), one.direction)
    assert not one.same_as(near) and one.same_as(near, 1e-6)
    assert not one.same_as(grid(np.diag([-1, 1, 1])), 0.5)
    assert not one.same_as(grid(np.eye(3), size=(6, 5, 3)), 10)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": (3, 0, 3)}, "empty"),
        ({"size": (3, 3)}, "2 sizes"),
        ({"size": (3, 3, 3), "spacing": (1, 0, 1)}, "not positive"),
        ({"size": (3, 3, 3), "origin": (0, np.nan, 0)}, "not a number"),
        ({"size": (3, 3, 3), "direction": np.ones(9)}, "singular"),
    ],
)
def test_a_grid_that_cannot_be_gets_one_sentence(values: dict[str, Any], words: str) -> None:
    assert words in refusal(lambda: Geometry(**values))


def test_an_array_off_its_grid_is_no_volume() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((6, 5, 4)), grid(np.eye(3)), "x", "x")
    with pytest.raises(ValueError, match="does not fit"):
        Volume(np.zeros((4, 5, 6, 2)), grid(np.eye(3)), "x", "x")
