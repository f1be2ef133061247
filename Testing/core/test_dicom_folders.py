"""A DICOM series is stacked by where its slices lie, and a folder that is not one series gets one sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from volume_makers import axis_orders, numbers, oblique, places, write_dicom

from LMISCore.errors import InputError
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.volume import Geometry

ORIGIN = (-10.0, -20.0, -300.0)
SPACING = (0.75, 0.5, 2.5)


def _refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_volume(folder)
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".") and "expected" in message and str(folder) in message
    return message


def _exchange(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1 and len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def test_slices_are_sorted_by_place_whatever_their_file_names(tmp_path: Path) -> None:
    array = numbers((5, 6, 7))
    write_dicom(tmp_path / "series", array)
    (tmp_path / "series" / "notes.txt").write_text("not an image")
    volume = read_volume(tmp_path / "series")
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == np.int16
    assert volume.geometry.same_as(Geometry((7, 6, 5), SPACING, ORIGIN))
    assert volume.name == "series" and volume.spacing_known and volume.warnings == ()


def test_every_voxel_keeps_its_place_over_axis_orders_and_oblique(tmp_path: Path) -> None:
    array = numbers((3, 4, 5))
    for number, axes in enumerate((*list(axis_orders())[::5], oblique(), oblique() @ np.diag([1, -1, 1]))):
        folder = tmp_path / str(number)
        write_dicom(folder, array, axes=axes)
        volume = read_volume(folder)
        # A DICOM file states no slice direction: a left-handed stack comes back as its right-handed twin.
        turned = array[::-1] if np.linalg.det(axes) < 0 else array
        np.testing.assert_array_equal(volume.array, turned)
        asked = places(Geometry((5, 4, 3), SPACING, ORIGIN, tuple(np.ravel(axes))))
        np.testing.assert_allclose(places(volume.geometry), asked[::-1] if turned is not array else asked, atol=1e-6)


def test_a_tilted_gantry_is_kept_in_the_axes(tmp_path: Path) -> None:
    array = numbers((5, 6, 7))
    shifts = [(0.0, 0.5 * k, 0.0) for k in range(5)]
    write_dicom(tmp_path, array, shifts=shifts)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.geometry.matrix()[:3, 2], (0.0, 0.5, 2.5), atol=1e-9)
    assert volume.geometry.voxel_volume_ml == pytest.approx(np.prod(SPACING) / 1000)


def test_a_missing_slice_is_told(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((8, 6, 7)), left_out=(2,))
    volume = read_volume(tmp_path)
    assert volume.array.shape == (7, 6, 7)
    assert len(volume.warnings) == 1 and "2.50 to 5.00 mm apart" in volume.warnings[0]


def test_several_series_are_listed_with_what_to_do(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((3, 6, 7)), uid="1.2.3.4", description="Thorax 1mm", prefix="a")
    write_dicom(tmp_path, numbers((2, 6, 7)), uid="1.2.3.5", description="Scout", prefix="b")
    message = _refused(tmp_path)
    assert "2 series" in message and "'Thorax 1mm' (CT, 3)" in message and "'Scout' (CT, 2)" in message
    assert "folder of its own" in message


def test_several_images_at_one_place_are_refused(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((4, 6, 7)), shifts=[(0, 0, 0), (0, 0, -2.5), (0, 0, 0), (0, 0, 0)])
    assert "same place" in _refused(tmp_path)


def test_images_that_do_not_stack_are_refused(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((4, 6, 7)), prefix="a")
    write_dicom(tmp_path, numbers((1, 6, 7)), axes=((1, 0, 0), (0, 0, 1), (0, -1, 0)), prefix="b")
    message = _refused(tmp_path)
    assert "of the 5 images" in message and "localiser" in message


def test_a_folder_without_images_names_the_folders_in_it(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a", numbers((2, 6, 7)))
    assert "give one of the 1 folders in it" in _refused(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds no DICOM image" in _refused(tmp_path / "empty")


def test_one_file_of_a_series_is_read_as_one_slice_and_that_is_told(tmp_path: Path) -> None:
    array = numbers((4, 6, 7))
    write_dicom(tmp_path, array)
    volume = read_volume(tmp_path / "image000.dcm")
    k = int(np.random.default_rng(1).permutation(4)[0])
    np.testing.assert_array_equal(volume.array[0], array[k])
    assert volume.geometry.same_as(Geometry((7, 6, 1), SPACING, (ORIGIN[0], ORIGIN[1], ORIGIN[2] + 2.5 * k)))
    assert "one of 4 images of its series" in volume.warnings[0] and str(tmp_path) in volume.warnings[0]


def test_a_folder_of_one_image_and_a_file_without_suffix_are_read(tmp_path: Path) -> None:
    array = numbers((1, 6, 7))
    write_dicom(tmp_path, array)
    assert read_volume(tmp_path).warnings == ()
    (tmp_path / "image000.dcm").rename(tmp_path / "IM0")
    np.testing.assert_array_equal(read_volume(tmp_path / "IM0").array, array)
    np.testing.assert_array_equal(read_volume(tmp_path).array, array)


def test_a_folder_in_any_language_works(tmp_path: Path) -> None:
    array = numbers((3, 6, 7))
    write_dicom(tmp_path / "患者 ü", array, prefix="片 ")
    np.testing.assert_array_equal(read_volume(tmp_path / "患者 ü").array, array)


def test_an_x_ray_stored_inverted_is_turned_over(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((1, 6, 7)))
    plain = read_volume(tmp_path).array.astype(int)
    path = tmp_path / "image000.dcm"
    path.write_bytes(path.read_bytes().replace(b"MONOCHROME2 ", b"MONOCHROME1 "))
    inverted = read_volume(path).array.astype(int)
    assert np.unique(plain + inverted).size == 1


@pytest.mark.parametrize("bytes_lost", [2, 2000, 8000])
def test_a_cut_file_in_the_series_is_refused_not_filled_up(tmp_path: Path, bytes_lost: int) -> None:
    write_dicom(tmp_path, numbers((3, 60, 70)))
    path = tmp_path / "image001.dcm"
    path.write_bytes(path.read_bytes()[:-bytes_lost])
    assert "image001.dcm is damaged or cut off" in _refused(tmp_path)
    with pytest.raises(InputError, match=r"image001\.dcm could not be read"):
        read_volume(path)


@pytest.mark.parametrize("alone", [True, False])
def test_fewer_pixels_than_the_header_announces_are_refused_not_taken_from_memory(tmp_path: Path, alone: bool) -> None:
    write_dicom(tmp_path, numbers((4, 50, 40)))
    path = tmp_path / "image001.dcm"
    _exchange(path, struct.pack("<HHI", 0x7FE0, 0x10, 4000), struct.pack("<HHI", 0x7FE0, 0x10, 3000))
    path.write_bytes(path.read_bytes()[:-1000])
    assert f"{path} holds 3000 bytes of pixels; expected the 4000" in _refused(path if alone else tmp_path)


def test_millimetres_are_unknown_where_slices_state_a_distance_of_0(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((4, 5, 6)))
    assert read_volume(tmp_path).spacing_known
    for path in tmp_path.iterdir():
        _exchange(path, b".5\\.75", b"0.\\0.0")
    assert not read_volume(tmp_path).spacing_known


def test_axes_of_no_length_are_refused(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((4, 5, 6)))
    for path in tmp_path.iterdir():
        _exchange(path, b"1\\0\\0\\0\\1\\0", b"0\\0\\0\\0\\0\\0")
    assert "do not say where they lie" in _refused(tmp_path)


def test_a_dicom_file_without_an_image_is_left_out_and_that_is_told(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((3, 6, 7)))
    (tmp_path / "plan.dcm").write_bytes(bytes(128) + b"DICM" + bytes(40))
    volume = read_volume(tmp_path)
    assert volume.array.shape == (3, 6, 7)
    assert volume.warnings == ("1 DICOM files hold no readable image and were left out, the first is plan.dcm.",)


def test_the_reference_reader_agrees_where_the_grid_is_plain(tmp_path: Path) -> None:
    write_dicom(tmp_path, numbers((5, 6, 7)), axes=oblique())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path)))
    image = reader.Execute()
    geometry = read_volume(tmp_path).geometry
    theirs = Geometry(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    assert geometry.same_as(theirs, 1e-6)
