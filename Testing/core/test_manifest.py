"""Reading pairs from the LViT layout and from a manifest; every complaint names file and row."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from lvit_maker import SENTENCES, write_lvit

from LMISCore.data.manifest import data_hash, read_pairs, text_hash
from LMISCore.errors import InputError


def test_pairs_know_patient_case_and_order(tmp_path: Path) -> None:
    pairs = read_pairs(write_lvit(tmp_path), "Train")
    assert [pair.order for pair in pairs] == [0, 1, 2, 3, 4, 5]
    assert {(pair.case, pair.patient) for pair in pairs} == {("scan_0", "scan_0")}
    assert pairs[0].text == SENTENCES["left"]
    assert pairs[0].lungs is not None


def test_scans_of_one_patient_are_kept_apart_but_known_to_be_his(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path)
    for place in ("img", "labelcol", "lungs"):
        (folder / "Val_Folder" / place / "scan_1_s0000.png").rename(
            folder / "Val_Folder" / place / "scan_1_8590_2_s0007.png"
        )
    table = folder / "Val_Folder" / "Val_text.csv"
    table.write_text(table.read_text().replace("scan_1_s0000.png", "scan_1_8590_2_s0007.png"))
    first = read_pairs(folder, "Val", ["scan_1_8590_2"])[0]
    assert (first.case, first.patient, first.order) == ("scan_1_8590_2", "scan_1", 7)


def test_include_keeps_matching_cases_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"case matching other_\*"):
        read_pairs(write_lvit(tmp_path), "Train", ["other_*"])


def test_a_manifest_gives_the_same_pairs(tmp_path: Path) -> None:
    pairs = read_pairs(write_lvit(tmp_path), "Val")
    manifest = tmp_path / "pairs.csv"
    with manifest.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "mask", "lungs", "text", "split"])
        for pair in pairs:
            files = [path.relative_to(tmp_path) for path in (pair.image, pair.mask, pair.lungs) if path]
            writer.writerow([*files, pair.text, "val"])
    assert read_pairs(manifest, "Val") == pairs
    assert data_hash(read_pairs(manifest, "Val")) == data_hash(pairs)


def test_hashes_follow_the_text_and_the_pictures(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path)
    before = read_pairs(folder, "Test")
    text, data = text_hash(before), data_hash(before)
    before[0].mask.write_bytes(before[1].mask.read_bytes())
    after = read_pairs(folder, "Test")
    assert text_hash(after) == text
    assert data_hash(after) != data


@pytest.mark.parametrize(
    ("break_it", "match"),
    [
        (lambda folder: (folder / "Train_Folder" / "labelcol" / "scan_0_s0001.png").unlink(), r"row 3 .*scan_0_s0001"),
        (lambda folder: (folder / "Train_Folder" / "img" / "scan_0_s0000.png").unlink(), r"row 2 .*scan_0_s0000"),
        (lambda folder: (folder / "Train_Folder" / "Train_text.csv").unlink(), "LViT layout"),
        (lambda folder: (folder / "Train_Folder" / "Train_text.csv").write_text("a,b\n1,2\n"), "Image and Description"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, break_it: object, match: str) -> None:
    folder = write_lvit(tmp_path)
    break_it(folder)  # type: ignore[operator]
    with pytest.raises(InputError, match=match):
        read_pairs(folder, "Train")


def test_a_missing_data_set_and_an_unknown_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set"):
        read_pairs(tmp_path / "nowhere", "Train")
    with pytest.raises(InputError, match="Train, Val, Test"):
        read_pairs(tmp_path, "Validation")
    (tmp_path / "pairs.csv").write_text("image,text\n")
    with pytest.raises(InputError, match=r"lacks the column\(s\) mask, split"):
        read_pairs(tmp_path / "pairs.csv", "Train")


HEADER = "image,mask,text,split\n"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ((HEADER + "a.png,a.png,Lungenentzündung,Train\n").encode("latin-1"), "is not UTF-8 text"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8 text"),
        ((HEADER + "a.png,a.png\n").encode(), r"row 2 has 2 cells but the header names 4 columns"),
        ((HEADER + "a.png,a.png,one, two,Train\n").encode(), r"row 2 has 5 cells .*quotes"),
        ((HEADER + 'a.png,a.png,"' + "x" * 200_000 + '",Train\n').encode(), "is no CSV table"),
        (b"", r"lacks the column\(s\)"),
    ],
    ids=["latin-1", "a picture", "short row", "long row", "endless cell", "empty"],
)
def test_a_file_that_is_no_manifest_is_refused_in_one_sentence(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "set.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_pairs(path, "Train")


def test_blank_lines_of_a_table_say_nothing(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path)
    table = folder / "Train_Folder" / "Train_text.csv"
    before = read_pairs(folder, "Train")
    table.write_text(table.read_text() + "\n\n,\n")
    assert read_pairs(folder, "Train") == before


def test_a_short_row_of_a_text_table_is_named(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path)
    table = folder / "Train_Folder" / "Train_text.csv"
    table.write_text(table.read_text() + "scan_0_s0000.png\n")
    with pytest.raises(InputError, match=r"Train_text\.csv row 8 has 1 cells"):
        read_pairs(folder, "Train")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)], ids=["empty", "text", "empty zip"])
def test_a_broken_excel_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    folder = write_lvit(tmp_path)
    (folder / "Train_Folder" / "Train_text.csv").unlink()
    (folder / "Train_Folder" / "Train_text.xlsx").write_bytes(content)
    with pytest.raises(InputError, match=r"Train_text\.xlsx cannot be read as an Excel table"):
        read_pairs(folder, "Train")


@pytest.mark.parametrize(
    ("pattern", "match"),
    [("(?P<case>", "is no regular expression"), (r"(?P<case>.*)_(?P<slice>s\d+)", "'s0000' of scan_0_s0000")],
)
def test_a_case_pattern_that_cannot_be_used_is_refused(tmp_path: Path, pattern: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_pairs(write_lvit(tmp_path), "Train", pattern=pattern)
