"""lmis data check: every complaint with row and file, and exit code 2 where a training would stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data_makers import edit_table, table_of, write_manifest_set
from lvit_maker import write_lvit
from PIL import Image

from LMISCore.cli.main import main
from LMISCore.data.check import check_data
from LMISCore.data.manifest import read_pairs, text_hash
from LMISCore.errors import InputError


def kinds(source: Path, stops: bool) -> set[str]:
    return {each.kind for each in check_data(source).complaints if each.stops == stops}


def split_by_hand(path: Path) -> Path:
    for row, cells in enumerate(table_of(path)):
        edit_table(path, row, split={"p0": "Train", "p1": "Train", "p2": "Val", "p3": "Test"}[cells["patient"]])
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return split_by_hand(write_manifest_set(tmp_path / "set"))


def test_a_good_set_is_counted_and_nothing_is_said_against_it(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = check_data(manifest)
    assert report.complaints == []
    train = report.splits["Train"]
    assert (train.rows, train.pictures, train.cases, train.patients, train.empty) == (6, 6, 2, 2, 0)
    assert (train.sentences, train.per_picture, train.mask_values) == (3, (1, 1.0, 1), (0.0, 255.0))
    assert dict(train.sizes) == {"64 x 64": 6}
    assert train.text_hash == text_hash(read_pairs(manifest, "Train"))
    assert main(["data", "check", str(manifest)]) == 0
    shown = capsys.readouterr().out
    assert "Train: 6 rows, 6 pictures, 2 cases, 2 patients; 0 empty masks; values of masks 0 to 255" in shown
    assert shown.endswith("nothing would stop a training\n")


def test_a_folder_in_the_lvit_layout_is_checked_too(tmp_path: Path) -> None:
    report = check_data(write_lvit(tmp_path))
    assert report.complaints == [] and report.splits["Val"].rows == 6


@pytest.mark.parametrize(
    ("row", "cells", "kind", "words"),
    [
        (6, {"mask": "mask/none.png"}, "missing files", r"row 8 names none.png, but .*none.png does not exist"),
        (6, {"lungs": "lungs/none.png"}, "missing files", r"row 8 names none.png"),
        (6, {"split": "validation"}, "unknown splits", r"row 8 has the split 'validation'; expected one of Train"),
        (6, {"patient": "p0"}, "patients in two splits", r"row 8: patient p0 is in Val and, by .*row 2, in Train"),
        (6, {"image": "img/scan_0_s0000.png"}, "pictures in two splits", r"row 8: the picture .*s0000.png is in Val"),
        (6, {"image": ""}, "rows that cannot be read", r"row 8 names no image"),
        (6, {"image": "set.csv"}, "files that cannot be used", r"row 8: .*set.csv"),
    ],
)
def test_what_would_stop_a_training_is_told_with_row_and_file(
    manifest: Path, capsys: pytest.CaptureFixture[str], row: int, cells: dict[str, str], kind: str, words: str
) -> None:
    edit_table(manifest, row, **cells)
    found = [each for each in check_data(manifest).complaints if each.kind == kind]
    assert len(found) == 1 and found[0].stops
    assert Path(manifest).name in found[0].sentence or kind == "files that cannot be used"
    import re

    assert re.search(words, found[0].sentence), found[0].sentence
    assert main(["data", "check", str(manifest)]) == 2
    shown = capsys.readouterr()
    assert f"stops a training: {kind} (1)" in shown.out
    error = shown.err.strip().splitlines()[-1]
    assert error.startswith("lmis: 1 complaint(s)") and "would stop a training" in error


def test_a_mask_of_another_size_is_told_with_its_row(manifest: Path) -> None:
    Image.fromarray(np.zeros((10, 10), dtype=np.uint8)).save(manifest.parent / "mask" / "scan_0_s0001.png")
    (found,) = check_data(manifest).stopping
    assert "row 3" in found.sentence and "64 x 64 pixels" in found.sentence and "10 x 10" in found.sentence


def test_what_a_training_would_take_and_should_not_is_told_too(manifest: Path) -> None:
    folder = manifest.parent
    Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(folder / "mask" / "scan_0_s0000.png")
    Image.fromarray(np.full((64, 64), 255, dtype=np.uint8)).save(folder / "mask" / "scan_0_s0001.png")
    values = np.zeros((64, 64), dtype=np.uint8)
    values[:2], values[2:4] = 1, 2
    Image.fromarray(values).save(folder / "mask" / "scan_0_s0002.png")
    edit_table(manifest, 3, text=" ")
    Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(folder / "lungs" / "scan_1_s0001.png")
    report = check_data(manifest)
    assert {each.kind: each.sentence.split(":")[0].rsplit(" ", 1)[1] for each in report.complaints} == {
        "empty masks": "2",
        "full masks": "3",
        "masks of more than two values": "4",
        "rows without a sentence": "5",
        "empty lung masks": "6",
    }
    assert report.stopping == [] and report.splits["Train"].empty == 1
    (several,) = (each for each in report.complaints if each.kind == "masks of more than two values")
    assert "holds 3 values (0, 1, 2)" in several.sentence


def test_the_same_question_twice_is_a_duplicate_and_with_another_mask_a_contradiction(manifest: Path) -> None:
    first = table_of(manifest)[0]
    edit_table(manifest, 1, image=first["image"], mask=first["mask"], text=first["text"])
    edit_table(manifest, 2, image=first["image"], text=first["text"])
    found = {each.kind: each.sentence for each in check_data(manifest).complaints}
    assert set(found) == {"duplicates", "contradictions"}
    assert "row 3" in found["duplicates"] and "as row 2, and the same mask" in found["duplicates"]
    assert "row 4" in found["contradictions"] and "but another mask" in found["contradictions"]


def test_several_sentences_about_one_picture_are_counted_and_no_complaint(manifest: Path) -> None:
    first = table_of(manifest)[0]
    edit_table(manifest, 1, image=first["image"])
    report = check_data(manifest)
    assert report.complaints == []
    train = report.splits["Train"]
    assert (train.pictures, train.rows, train.per_picture) == (5, 6, (1, 1.2, 2))


def test_splits_without_rows_or_without_foreground_stop_a_training(manifest: Path) -> None:
    for number in range(3):
        Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(manifest.parent / "mask" / f"scan_2_s000{number}.png")
    assert kinds(manifest, True) == {"splits without foreground"}
    for row, cells in enumerate(table_of(manifest)):
        edit_table(manifest, row, split="" if cells["split"] == "Val" else cells["split"])
    assert kinds(manifest, True) == {"empty splits"}
    assert kinds(manifest, False) == {"rows without a split"}


def test_complaints_beyond_the_first_five_are_shown_when_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_manifest_set(tmp_path / "set", patients=1, slices=9)
    assert main(["data", "check", str(path)]) == 2
    short = capsys.readouterr().out
    assert "... and 4 more; --all shows them" in short
    assert main(["data", "check", str(path), "--all"]) == 2
    assert capsys.readouterr().out.count("has no split") == 9


def test_a_manifest_of_json_lines_is_checked_line_by_line(manifest: Path) -> None:
    lines = [json.dumps(row) for row in table_of(manifest)]
    lines[2] = "{not json"
    lines[4] = json.dumps({"image": ["a.png"]})
    path = manifest.with_suffix(".jsonl")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    report = check_data(path)
    assert [each.sentence.split(" is no JSON")[0] for each in report.stopping] == [f"{path} row 3", f"{path} row 5"]
    assert report.splits["Train"].rows == 4
    with pytest.raises(InputError, match="row 3 is no JSON object"):
        read_pairs(path, "Train")


@pytest.mark.parametrize("column", ["image", "mask", "lungs"])
def test_a_name_too_long_to_look_up_is_a_file_that_is_not_there(manifest: Path, column: str) -> None:
    edit_table(manifest, 0, **{column: "x" * 400 + ".png"})
    assert any("does not exist" in each.sentence for each in check_data(manifest).stopping)


def test_nothing_to_check_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set at"):
        check_data(tmp_path / "nowhere")
