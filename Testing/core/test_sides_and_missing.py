"""Files that leave open which side is left, and masks that hold no number outside: told, never guessed in silence."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cli_runs import GRID, Run, cli_lmis, cli_material, standard
from data_makers import box, table_of, write_scan
from volume_makers import numbers

from LMISCore.data.volume_cases import find_cases
from LMISCore.data.volume_import import import_volumes
from LMISCore.errors import InputError
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.nifti import doubt_of_sides
from LMISCore.volumes.volume import Geometry

__all__ = ["cli_lmis", "cli_material"]

TURNED = tuple(np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.4).GetMatrix()).tolist())
FLIPPED = (0, -1, 0, 0, 0, 1, 1, 0, 0)


def nifti(folder: Path, axes: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1), size: int = 4) -> Path:
    write_volume(folder / "scan.nii", numbers((size, 5, 6)), Geometry((6, 5, size), (2, 3, 4), (9, 8, 7), axes))
    return folder / "scan.nii"


def rewrite(path: Path, qform: int, sform: int, rows: tuple[float, ...] | None = None) -> Path:
    content = bytearray(path.read_bytes())
    struct.pack_into("<2h", content, 252, qform, sform)
    if rows is not None:
        struct.pack_into("<12f", content, 280, *rows)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("axes", [(1, 0, 0, 0, 1, 0, 0, 0, 1), TURNED, FLIPPED])
def test_a_file_whose_statements_agree_is_not_doubted(tmp_path: Path, axes: tuple[float, ...]) -> None:
    path = nifti(tmp_path, axes)
    for codes in ((1, 1), (1, 0), (0, 1), (2, 4)):
        assert read_volume(rewrite(path, *codes)).warnings == ()


def test_a_file_that_states_no_place_in_the_patient_is_read_with_a_warning(tmp_path: Path) -> None:
    (warning,) = read_volume(rewrite(nifti(tmp_path), 0, 0)).warnings
    assert "does not state how it lies in the patient" in warning and "left and right" in warning


def test_two_statements_of_which_one_mirrors_the_other_are_told(tmp_path: Path) -> None:
    path = rewrite(nifti(tmp_path), 1, 1, (2, 0, 0, -9, 0, -3, 0, -8, 0, 0, 4, 7))
    (warning,) = read_volume(path).warnings
    assert "two contradicting ways to lie in the patient" in warning
    # One of them alone is believed.
    assert read_volume(rewrite(path, 0, 1)).warnings == ()


def test_a_single_slice_is_taken_as_shown_and_not_doubted(tmp_path: Path) -> None:
    assert read_volume(rewrite(nifti(tmp_path, size=1), 0, 0)).warnings == ()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_second_version_header_is_asked_in_its_own_places(tmp_path: Path, order: str) -> None:
    header = bytearray(544)
    struct.pack_into(order + "i", header, 0, 540)
    struct.pack_into(order + "4d", header, 104, 1, 2, 3, 4)
    struct.pack_into(order + "12d", header, 400, -2, 0, 0, 9, 0, -3, 0, 8, 0, 0, 4, 7)
    path = tmp_path / "second.nii"
    for codes, words in (((0, 0), "does not state"), ((0, 1), ""), ((1, 1), "contradicting")):
        struct.pack_into(order + "2i", header, 344, *codes)
        path.write_bytes(bytes(header))
        found = doubt_of_sides(path)
        assert bool(found) == bool(words) and words in found


def test_a_run_says_that_the_sides_are_not_known(lmis: Run, material: Path, tmp_path: Path) -> None:
    path = rewrite(nifti(tmp_path), 0, 0)
    arguments = standard(material, "--text", "Infection in the left lung.")
    code, printed, errors = lmis("segment", path, *arguments[2:])
    assert code == 0, errors
    assert "Note: The file does not state how it lies in the patient" in printed


def test_what_holds_no_number_in_a_mask_lies_outside(lmis: Run, material: Path, tmp_path: Path) -> None:
    inside = np.zeros(GRID.shape, np.float32)
    inside[2:6] = 1
    for name, outside in (("zero", 0), ("none", np.nan)):
        write_volume(tmp_path / f"{name}.nrrd", np.where(inside > 0, inside, np.float32(outside)), GRID)
    report = ("--text", "Infection in the upper left lung.", "--presence", "0", "--threshold", "0")
    tables = []
    for name in ("zero", "none"):
        arguments = standard(material, *report, "--organ", tmp_path / f"{name}.nrrd", "--out", tmp_path / name)
        code, _, errors = lmis(*arguments)
        assert code == 0, errors
        tables.append((tmp_path / name / "chest.csv").read_text(encoding="utf-8"))
    assert tables[0] == tables[1]


def test_an_imported_mask_of_ones_and_missing_numbers_is_no_full_mask(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    write_scan(folder)
    mask = box(1, 2)
    grid = read_volume(folder / "scan.nrrd").geometry
    write_volume(folder / "scan_mask.nrrd", np.where(mask, 1.0, np.nan), grid)
    (folder / "scan.txt").write_text("Opacity in the left lung.", encoding="utf-8")
    found = import_volumes(folder, tmp_path / "out", empty=0)
    voxels = [read_volume(tmp_path / "out" / row["mask"]).array.sum() for row in table_of(found.manifest)]
    assert sum(voxels) == mask.sum() > 0


def test_lungs_in_colour_are_refused(tmp_path: Path) -> None:
    write_scan(tmp_path)
    mask = box(1, 2)
    grid = read_volume(tmp_path / "scan.nrrd").geometry
    write_volume(tmp_path / "scan_mask.nrrd", mask, grid)
    write_volume(tmp_path / "scan_lungs.nrrd", np.repeat(mask[..., None], 3, axis=-1).astype(np.uint8), grid)
    (tmp_path / "scan.txt").write_text("Opacity in the left lung.", encoding="utf-8")
    with pytest.raises(InputError, match="is in colour"):
        import_volumes(tmp_path, tmp_path / "out")


def test_an_import_tells_what_is_doubtful_about_a_scan(tmp_path: Path) -> None:
    path = rewrite(nifti(tmp_path), 0, 0)
    volume = read_volume(path)
    write_volume(tmp_path / "scan_mask.nrrd", volume.array > 10, volume.geometry)
    (tmp_path / "scan.txt").write_text("Opacity in the left lung.", encoding="utf-8")
    notes = import_volumes(tmp_path, tmp_path / "out").notes
    assert any(note.startswith(f"{path}: The file does not state") for note in notes)


def test_scans_whose_cases_differ_in_capitals_alone_are_refused(tmp_path: Path) -> None:
    for folder in ("A/x", "a_x"):
        write_scan(tmp_path / folder)
        grid = read_volume(tmp_path / folder / "scan.nrrd").geometry
        write_volume(tmp_path / folder / "x_mask.nrrd", box(1, 2), grid)
        (tmp_path / folder / "r.txt").write_text("Opacity in the left lung.", encoding="utf-8")
    with pytest.raises(InputError, match="would both become the case a_x_scan"):
        find_cases(tmp_path)
