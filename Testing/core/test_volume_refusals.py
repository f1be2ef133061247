"""What is not one readable volume gets one sentence, and nothing damaged is filled up in secret."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from volume_makers import grid, numbers, refusal

from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.volume import Geometry

TOLERANCE = {".nrrd": 1e-9, ".mha": 1e-9, ".nii": 1e-6, ".nii.gz": 1e-6}


def _write(name: str, image: sitk.Image) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        sitk.WriteImage(image, str(folder / name))
        return folder / name

    return make


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


GREY = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8


def _pages(folder: Path) -> Path:
    Image.fromarray(GREY).save(folder / "pages.tif", save_all=True, append_images=[Image.fromarray(GREY)] * 4)
    return folder / "pages.tif"


def _vectors(components: int) -> sitk.Image:
    return sitk.GetImageFromArray(np.zeros((4, 5, 6, components), np.float32), isVector=True)


_SERIES = sitk.JoinSeries([sitk.GetImageFromArray(numbers((4, 5, 6)))] * 3)
_COMPLEX = sitk.GetImageFromArray(np.ones((4, 5, 6), np.complex64))
_NOTHING = sitk.GetImageFromArray(np.full((4, 5, 6), np.nan, np.float32))
_FAR = sitk.GetImageFromArray(np.array([[[0, -3.4e38]]], np.float32))
_NRRD = b"NRRD0004\ntype: uchar\ndimension: 3\nencoding: raw\n"
_FLAT = b"space: left-posterior-superior\nspace directions: (0,0,0) (0,1,0) (0,0,3)\n"
_PLANE = b"space: left-posterior-superior\nspace directions: (1,0,0) (1,0,0) (0,0,3)\n"
_MHA = b"ObjectType = Image\nNDims = 3\nDimSize = %s\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_write("time.nrrd", _SERIES), "4 dimensions (6 x 5 x 4 x 3)"),
        (_write("time.nii.gz", _SERIES), "4 dimensions (6 x 5 x 4 x 3)"),
        (_write("time.mha", _SERIES), "4 dimensions (6 x 5 x 4 x 3)"),
        (_write("complex.nrrd", _COMPLEX), "complex numbers"),
        (_write("complex.nii.gz", _COMPLEX), "complex numbers"),
        (_write("two.nrrd", _vectors(2)), "2 numbers per voxel"),
        (_write("two.nii.gz", _vectors(2)), "2 numbers per voxel"),
        (_write("six.mha", _vectors(6)), "6 numbers per voxel"),
        (_write("nan.nrrd", _NOTHING), "no finite value"),
        (_write("nan.nii.gz", _NOTHING), "no finite value"),
        (_bytes("zero.nrrd", _NRRD + b"sizes: 2 2 0\n\n"), "no voxels"),
        (_bytes("zero.mha", _MHA % b"2 2 0"), "voxels"),
        (_bytes("plane.nrrd", _NRRD + b"sizes: 2 2 2\n" + _PLANE + b"\n" + bytes(8)), "lie in one plane"),
        (_bytes("flat.nrrd", _NRRD + b"sizes: 2 2 2\n" + _FLAT + b"\n" + bytes(8)), "a distance of 0 between voxels"),
        (_bytes("flat.mha", _MHA % b"2 2 2\nElementSpacing = 0 1 1" + bytes(8)), "a distance of 0 between voxels"),
        (_bytes("wide.nrrd", _NRRD + b"sizes: 100000 100000 100000\n\n"), "more voxels than the memory holds"),
        (_write("far.nrrd", _FAR), "values from -3.4e+38 to 0"),
        *((_bytes(f"empty{suffix}", b""), "0 bytes") for suffix in (".nrrd", ".nii.gz", ".mhd", ".dcm", ".png")),
        *((_bytes(f"junk{s}", bytes(range(256)) * 3), "damaged") for s in (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd")),
        *((_bytes(f"junk{s}", bytes(range(256)) * 3), "damaged") for s in (".png", ".jpg", ".tif", ".bmp")),
        (_bytes("junk.dcm", bytes(range(256)) * 3), "DICOM"),
        (_bytes("report.pdf", b"%PDF-1.4"), "no supported kind"),
        (_bytes("case.seg", b"x"), "no supported kind"),
        (_bytes("nosuffix", b"x" * 500), "no supported kind"),
        (_bytes("alone.nhdr", _NRRD + b"sizes: 2 2 2\ndata file: gone.raw\n\n"), "data file"),
        (_pages, "5 pages"),
    ],
)
def test_what_is_not_one_volume_gets_one_sentence(tmp_path: Path, make: Callable[[Path], Path], words: str) -> None:
    path = make(tmp_path)
    message = refusal(lambda: read_volume(path))
    assert words in message and str(path) in message


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    assert "There is no file" in refusal(lambda: read_volume(tmp_path / "gone.nrrd"))


def test_an_empty_name_is_not_the_folder_one_stands_in() -> None:
    assert "empty" in refusal(lambda: read_volume(""))


def test_a_name_that_is_no_text_is_refused_before_simpleitk_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "scan\udcff.nrrd"
    assert "not UTF-8" in refusal(lambda: read_volume(path))
    assert "not UTF-8" in refusal(lambda: write_volume(path, numbers((4, 5, 6)), Geometry((6, 5, 4))))


@pytest.mark.parametrize("name", ["scan", "scan.nii", "scan.png"])
def test_a_file_that_may_not_be_opened_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"x" * 400)

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    assert "Permission denied" in refusal(lambda: read_volume(tmp_path / name))


@pytest.mark.parametrize("name", ["scan.nrrd", "scan.mha", "scan.nii", "scan.png", "scan.dcm"])
def test_a_file_without_the_right_to_read_it_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"x" * 400)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(lambda: read_volume(tmp_path / name))


@pytest.mark.parametrize("suffix", [".nrrd", ".nii", ".nii.gz", ".mha", ".png", ".jpg", ".tif", ".bmp"])
def test_a_cut_file_is_refused_not_filled_up(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"case{suffix}"
    if suffix in TOLERANCE:
        write_volume(path, numbers((40, 30, 20)), Geometry((20, 30, 40)))
    else:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert str(path) in refusal(lambda: read_volume(path))


def test_a_compressed_nifti_file_with_one_changed_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "case.nii.gz"
    write_volume(path, numbers((40, 30, 20)), Geometry((20, 30, 40)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    assert "damaged" in refusal(lambda: read_volume(path))


def test_a_nifti_file_with_a_size_of_zero_is_refused(tmp_path: Path) -> None:
    write_volume(tmp_path / "case.nii", numbers((4, 5, 6)), grid(np.eye(3)))
    content = bytearray((tmp_path / "case.nii").read_bytes())
    struct.pack_into("<h", content, 46, 0)  # third size
    (tmp_path / "case.nii").write_bytes(bytes(content))
    assert "no voxels (size 6 x 5 x 0)" in refusal(lambda: read_volume(tmp_path / "case.nii"))


@pytest.mark.parametrize(("distance", "known"), [(1.5, True), (-1.5, True), (0.0, False), (float("nan"), False)])
def test_millimetres_are_unknown_where_a_nifti_header_states_no_distance(
    tmp_path: Path, distance: float, known: bool
) -> None:
    write_volume(tmp_path / "case.nii", numbers((4, 5, 6)), grid(np.eye(3)))
    content = bytearray((tmp_path / "case.nii").read_bytes())
    struct.pack_into("<f", content, 80, distance)  # along i
    (tmp_path / "case.nii").write_bytes(bytes(content))
    assert read_volume(tmp_path / "case.nii").spacing_known is known


def test_a_big_endian_nifti_file_keeps_its_missing_numbers(tmp_path: Path) -> None:
    array = numbers((4, 5, 6)).astype(np.float32)
    array[1, 2, 3] = np.nan
    header = bytearray(352)
    struct.pack_into(">i", header, 0, 348)
    struct.pack_into(">8h", header, 40, 3, 6, 5, 4, 1, 1, 1, 1)
    struct.pack_into(">2h", header, 70, 16, 32)
    struct.pack_into(">8f", header, 76, 1, 2, 2, 2, 1, 1, 1, 1)
    struct.pack_into(">3f", header, 108, 352, 1, 0)
    header[344:348] = b"n+1\0"
    (tmp_path / "big.nii").write_bytes(bytes(header) + array.astype(">f4").tobytes())
    volume = read_volume(tmp_path / "big.nii")
    np.testing.assert_array_equal(volume.array, np.nan_to_num(array, nan=float(np.nanmin(array))))
    assert "1 of 120 values" in volume.warnings[-1]


def test_a_nifti_file_named_gz_but_not_compressed_is_still_read(tmp_path: Path) -> None:
    write_volume(tmp_path / "case.nii.gz", numbers((4, 5, 6)), grid(np.eye(3)))
    (tmp_path / "plain.nii.gz").write_bytes(gzip.decompress((tmp_path / "case.nii.gz").read_bytes()))
    np.testing.assert_array_equal(read_volume(tmp_path / "plain.nii.gz").array, numbers((4, 5, 6)))


# --- writing ----------------------------------------------------------------------------------------------------------


def test_a_suffix_that_cannot_be_written_gets_one_sentence_and_no_file(tmp_path: Path) -> None:
    message = refusal(lambda: write_volume(tmp_path / "case.png", numbers((4, 5, 6)), grid(np.eye(3))))
    assert ".nrrd" in message
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "case.nrrd"
    write_volume(path, numbers((4, 5, 6)), grid(np.eye(3)))
    before = path.read_bytes()

    def half(image: sitk.Image, name: str, useCompression: bool) -> None:
        Path(name).write_bytes(b"NRRD")
        raise RuntimeError("disk full")

    monkeypatch.setattr(sitk, "WriteImage", half)
    assert "free space" in refusal(lambda: write_volume(path, numbers((4, 5, 6), 1), grid(np.eye(3))))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_an_array_of_another_grid_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        write_volume(tmp_path / "case.nrrd", numbers((6, 5, 4)), grid(np.eye(3)))
    with pytest.raises(ValueError, match="cannot be stored"):
        write_volume(tmp_path / "case.nrrd", np.zeros((4, 5, 6), np.complex64), grid(np.eye(3)))
