"""Volumes with segments or reports become slices with sentences, where they lie and with what is asked in use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_makers import box, geometry, segment, table_of, write_scan, write_segments

from LMISCore.cli.main import main
from LMISCore.data.manifest import read_pairs
from LMISCore.data.slices import read_slice
from LMISCore.data.volume_import import import_volumes
from LMISCore.errors import InputError
from LMISCore.text.findings import Vocabulary
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.orientation import Canonical


def with_splits(path: Path, split: str = "Train") -> Path:
    path.write_text(path.read_text(encoding="utf-8").replace(",,", f",{split},", 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_slices_and_masks_lie_as_inference_turns_them(tmp_path: Path, turned: bool, plane: str) -> None:
    folder = tmp_path / "scans"
    write_scan(folder, turned=turned)
    mask = box(1, 2)
    write_segments(folder / "scan.seg.nrrd", [segment("a", "Opacity in the left lung.", mask)], turned)
    found = import_volumes(folder, tmp_path / "out", plane, empty=0)
    canonical = Canonical(read_volume(folder / "scan.nrrd"), plane)
    expected = canonical.from_native(mask)
    rows = table_of(found.manifest)
    assert [int(row["slice"]) for row in rows] == np.flatnonzero(expected.any(axis=(1, 2))).tolist()
    for row in rows:
        picture = read_volume(tmp_path / "out" / row["image"])
        # As inference reads the file again: nothing turned a second time.
        again = Canonical(picture, "auto")
        np.testing.assert_array_equal(again.slices[0], canonical.slices[int(row["slice"])])
        assert again.spacing_rc == pytest.approx(canonical.spacing_rc) and picture.spacing_known
        truth = read_volume(tmp_path / "out" / row["mask"]).array[0] > 0
        np.testing.assert_array_equal(truth, expected[int(row["slice"])])
        # The voxel that shows a value lies where it lay in the volume.
        j, i = 3, 2
        place = picture.geometry.matrix() @ (i, j, 0, 1)
        k, j, i = np.argwhere(read_volume(folder / "scan.nrrd").array == picture.array[0, j, i])[0]
        np.testing.assert_allclose(geometry(turned).matrix() @ (i, j, k, 1), place, atol=1e-9)


def test_each_segment_is_asked_with_its_sentence_as_it_would_be_sent(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    write_scan(folder)
    write_segments(
        folder / "scan.seg.nrrd",
        [
            segment("lmis_1", "Opacity in the lower zone of the left lung, no effusion.", box(0, 1), Network="tirnet"),
            segment("lmis_2", "Nodule in the right lung.", box(1, 3), Network="tirnet", Edited="edited by hand"),
            segment("lmis_3", "Mass.", box(3, 4)),
        ],
    )
    vocabulary = Vocabulary({"opacity": (), "nodule": (), "mass": ()})
    found = import_volumes(folder, tmp_path / "out", empty=0, vocabulary=vocabulary)
    rows = table_of(found.manifest)
    texts = {row["origin"]: row["text"] for row in rows}
    assert texts == {
        "as the network made it": "Opacity in the left lung.",
        "edited by hand": "Nodule in the right lung.",
        "drawn by hand": "Mass.",
    }
    assert found.origins == {"as the network made it": 2, "edited by hand": 3, "drawn by hand": 2}
    assert [row["image"] for row in rows].count("images/scan_s0001.nrrd") == 2
    assert len(list((tmp_path / "out" / "images").iterdir())) == 5
    only = import_volumes(folder, tmp_path / "only", empty=0, edited_only=True)
    assert set(only.origins) == {"edited by hand", "drawn by hand"}
    assert any("'lmis_1' of" in note and "is as the network made it; left out" in note for note in only.notes)


def test_stale_orphaned_and_sentenceless_segments_are_left_out_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    write_scan(folder)
    write_segments(
        folder / "scan.seg.nrrd",
        [
            segment("a", "Opacity.", box(0, 1), Binding="current"),
            segment("b", "Opacity left.", box(0, 1), Binding="stale"),
            segment("c", "Opacity right.", box(0, 1), Binding="orphan"),
            segment("d", "", box(0, 1)),
            segment("e", "", box(0, 5), name="Lungs"),
        ],
    )
    found = import_volumes(folder, tmp_path / "out", empty=0)
    assert found.rows == 2 and len(found.notes) == 3
    assert "earlier wording" in found.notes[0] and "taken out of the report" in found.notes[1]
    assert "'d' of" in found.notes[2] and "tells no sentence" in found.notes[2]
    pair = read_pairs(with_splits(found.manifest), "Train")[0]
    lungs = read_slice(pair).lungs
    assert lungs is not None and np.count_nonzero(lungs) == 9


def test_slices_without_the_finding_are_taken_from_where_the_sentence_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    write_scan(folder)
    write_segments(folder / "scan.seg.nrrd", [segment("a", "Opacity in the upper zone.", box(5, 5))])
    rows = table_of(import_volumes(folder, tmp_path / "out", empty=4).manifest)
    # Of six slices the upper third is 4 and 5; only 4 is left without the finding.
    assert [int(row["slice"]) for row in rows] == [4, 5]
    assert not read_volume(tmp_path / "out" / rows[0]["mask"]).array.any()
    write_segments(folder / "scan.seg.nrrd", [segment("a", "Opacity.", box(2, 3))])
    rows = table_of(import_volumes(folder, tmp_path / "all", empty=9).manifest)
    assert [int(row["slice"]) for row in rows] == [0, 1, 2, 3, 4, 5]
    rows = table_of(import_volumes(folder, tmp_path / "half", empty=1).manifest)
    assert [int(row["slice"]) for row in rows] == [0, 2, 3, 5]


def test_a_mask_with_a_report_is_asked_with_what_the_report_affirms(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    for name in ("scan_1", "scan_10"):
        write_scan(folder, name)
        write_volume(folder / f"{name}_mask.nii.gz", box(1, 2), geometry())
        write_volume(folder / f"{name}_lungs.nii.gz", box(0, 5), geometry())
        (folder / f"{name}.txt").write_text(
            "FINDINGS: Opacity in the left lung. No effusion. Possible nodule.\nIMPRESSION: Pneumonia.\n",
            encoding="utf-8",
        )
    found = import_volumes(folder, tmp_path / "out", empty=0)
    assert (found.rows, found.cases, found.origins, found.notes) == (4, 2, {"report": 4}, [])
    rows = table_of(found.manifest)
    assert {row["text"] for row in rows} == {"Opacity in the left lung. Pneumonia."}
    assert [row["patient"] for row in rows] == ["scan_1"] * 2 + ["scan_10"] * 2
    assert (tmp_path / "out" / rows[0]["lungs"]).is_file()
    only = import_volumes(folder, tmp_path / "only", empty=0, vocabulary=Vocabulary({"opacity": ()}))
    assert {row["text"] for row in table_of(only.manifest)} == {"Opacity in the left lung."}
    with pytest.raises(InputError, match=r"affirms no finding that counts; left out"):
        import_volumes(folder, tmp_path / "none", vocabulary=Vocabulary({"fracture": ()}))


def test_a_folder_for_each_patient_needs_no_names(tmp_path: Path) -> None:
    for patient in ("anna", "ben"):
        folder = tmp_path / "scans" / patient / "first visit"
        write_scan(folder, "CT")
        write_segments(folder / "Segmentation.seg.nrrd", [segment("a", "Opacity.", box(0, 1))])
    rows = table_of(import_volumes(tmp_path / "scans", tmp_path / "out", empty=0).manifest)
    assert [(row["patient"], row["case"]) for row in rows] == [("anna", "anna_first_visit_CT")] * 2 + [
        ("ben", "ben_first_visit_CT")
    ] * 2


def test_scans_with_nothing_to_train_on_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "scans"
    write_scan(folder, "alone")
    write_scan(folder, "silent")
    write_volume(folder / "silent_mask.nrrd", box(0, 1), geometry())
    write_scan(folder, "good")
    write_segments(folder / "good.seg.nrrd", [segment("a", "Opacity.", box(0, 1))])
    assert main(["data", "import", str(folder), str(tmp_path / "out"), "--empty", "0"]) == 0
    shown = capsys.readouterr().out
    assert "alone.nrrd has neither a .seg.nrrd nor a mask beside it; left out." in shown
    assert "silent.nrrd has a mask but no report (.txt) beside it; left out." in shown
    assert "2 rows of 1 scans (2 drawn by hand)" in shown
    assert main(["data", "import", str(folder), str(tmp_path / "out")]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        ("nothing", "holds no volume"),
        ("grid", "does not lie on the voxels of"),
        ("two", "both belong to"),
        ("utf", "is not UTF-8 text"),
        ("missing", "There is no folder|no data set at"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(tmp_path: Path, spoil: str, match: str) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    if spoil != "nothing":
        write_scan(folder)
        write_volume(folder / "scan_mask.nrrd", box(0, 1), geometry(turned=spoil == "grid"))
        (folder / "scan.txt").write_bytes("Trübung.".encode("latin-1" if spoil == "utf" else "utf-8"))
    if spoil == "two":
        (folder / "scan_old.txt").write_text("Opacity.", encoding="utf-8")
    with pytest.raises(InputError, match=match):
        import_volumes(folder if spoil != "missing" else tmp_path / "none", tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.csv").exists()
