"""lmis data split and describe, and manifests of published layouts: by patient, marked, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data_makers import edit_table, table_of, write_languidemedseg, write_manifest_set
from hypothesis import given, settings
from hypothesis import strategies as st
from lvit_maker import write_lvit
from PIL import Image

from LMISCore.cli.main import main
from LMISCore.data.lungs import LungGeometry
from LMISCore.data.manifest import read_pairs
from LMISCore.data.manifest_files import read_manifest, write_manifest
from LMISCore.data.split import split_manifest
from LMISCore.errors import InputError
from LMISCore.training.describe import describe
from LMISCore.training.pairs import location_sentence


def splits_of(path: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in table_of(path):
        found.setdefault(row["patient"], set()).add(row["split"])
    return found


def test_all_rows_of_a_patient_go_into_one_split_and_the_seed_decides(tmp_path: Path) -> None:
    path = write_manifest_set(tmp_path / "set", patients=8, slices=1)
    before = path.read_bytes()
    tally = split_manifest(path, tmp_path / "a.csv", (0.5, 0.25, 0.25))
    assert tally == {"Train": 4, "Val": 2, "Test": 2}
    first = splits_of(tmp_path / "a.csv")
    assert all(len(splits) == 1 for splits in first.values())
    assert path.read_bytes() == before
    split_manifest(path, tmp_path / "b.csv", (0.5, 0.25, 0.25))
    assert splits_of(tmp_path / "b.csv") == first
    split_manifest(path, tmp_path / "c.csv", (0.5, 0.25, 0.25), seed=1)
    assert splits_of(tmp_path / "c.csv") != first
    assert read_pairs(tmp_path / "a.csv", "Train")[0].image.is_file()


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=3, max_size=12), seed=st.integers(0, 99))
def test_no_patient_is_parted_and_no_split_stays_empty_whatever_their_sizes(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "many.csv"
    rows = [
        {"image": f"i{p}_{n}", "mask": "m", "text": "", "split": "", "patient": f"p{p}"}
        for p, size in enumerate(sizes)
        for n in range(size)
    ]
    write_manifest(path, rows)
    tally = split_manifest(path, seed=seed)
    assert sum(tally.values()) == sum(sizes) and min(tally.values()) > 0
    assert all(len(splits) == 1 for splits in splits_of(path).values())


def test_rows_that_have_a_split_keep_it_and_draw_their_patients_other_rows_after_them(tmp_path: Path) -> None:
    path = write_manifest_set(tmp_path / "set", patients=5)
    edit_table(path, 0, split="test")
    assert main(["data", "split", str(path)]) == 0
    found = splits_of(path)
    assert found["p0"] == {"Test"} and set().union(*found.values()) == {"Train", "Val", "Test"}
    with pytest.raises(InputError, match=r"Every row of .* has a split already; add --again"):
        split_manifest(path)
    split_manifest(path, again=True, seed=5)


def test_patients_who_are_mixed_already_and_too_few_patients_are_refused(tmp_path: Path) -> None:
    path = write_manifest_set(tmp_path / "set", patients=2)
    with pytest.raises(InputError, match=r"2 patient\(s\) cannot be parted into Train and Val and Test"):
        split_manifest(path)
    assert split_manifest(path, tmp_path / "two.csv", (0.5, 0.5, 0)) == {"Train": 3, "Val": 3, "Test": 0}
    edit_table(path, 0, split="Train")
    edit_table(path, 1, split="Val")
    with pytest.raises(InputError, match="row 3 puts patient p0 into Val, but row 2 into Train"):
        split_manifest(path)
    edit_table(path, 1, split="Prueba")
    with pytest.raises(InputError, match="row 3 has the split 'Prueba'"):
        split_manifest(path)
    for shares in ((0, 0, 0), (float("nan"), 1, 1), (float("inf"), 1, 1)):
        with pytest.raises(InputError, match="The shares are"):
            split_manifest(path, shares=shares)


def test_a_folder_in_a_published_layout_becomes_a_manifest_with_the_same_pairs(tmp_path: Path) -> None:
    for name, folder in (
        ("lvit.csv", write_lvit(tmp_path / "lvit")),
        ("lvit.jsonl", tmp_path / "lvit"),
        ("lang.csv", write_languidemedseg(tmp_path / "lang")),
    ):
        out = tmp_path / "lists" / name
        assert main(["data", "import", str(folder), str(out)]) == 0
        for split in ("Train", "Val", "Test"):
            wanted, found = read_pairs(folder, split), read_pairs(out, split)
            assert [(p.image.resolve(), p.mask.resolve(), p.text, p.case, p.patient, p.order) for p in found] == [
                (p.image.resolve(), p.mask.resolve(), p.text, p.case, p.patient, p.order) for p in wanted
            ]
            assert [p.lungs is None for p in found] == [p.lungs is None for p in wanted]
    assert main(["data", "import", str(tmp_path / "lvit"), str(tmp_path / "lists" / "lvit.csv")]) == 2


def test_a_missing_file_of_a_published_layout_stops_the_import(tmp_path: Path) -> None:
    folder = write_lvit(tmp_path / "lvit")
    (folder / "Val_Folder" / "labelcol" / "scan_1_s0001.png").unlink()
    assert main(["data", "import", str(folder), str(tmp_path / "list.csv")]) == 2
    assert not (tmp_path / "list.csv").exists()


def test_a_mask_tells_its_sides_thirds_and_number_of_areas() -> None:
    geometry = LungGeometry(midline=20, top=0, bottom=30)
    lesion = np.zeros((30, 40), dtype=bool)
    assert location_sentence("pneumonia", lesion, geometry) == "No pneumonia."
    lesion[22:28, 4:8] = True
    assert location_sentence("pulmonary infection", lesion, geometry) == (
        "Unilateral pulmonary infection, one infected area, posterior right lung."
    )
    lesion[2:8, 30:34] = lesion[12:18, 30:34] = lesion[22:28, 30:34] = True
    assert location_sentence("pneumonia", lesion, geometry) == (
        "Bilateral pneumonia, four affected areas, all left lung and posterior right lung."
    )
    frontal = ("upper", "middle", "lower")
    assert location_sentence("opacity", lesion, geometry, frontal).endswith("all left lung and lower right lung.")
    assert location_sentence("opacity", lesion, geometry, ()) == (
        "Bilateral opacity, four affected areas, left lung and right lung."
    )
    assert location_sentence("opacity", lesion, None) == "Opacity, four affected areas."


def test_rows_without_a_sentence_get_one_from_their_mask_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_manifest_set(tmp_path / "set")
    for row in range(3):
        edit_table(path, row, text="")
    Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(path.parent / "mask" / "scan_0_s0002.png")
    out = tmp_path / "elsewhere" / "described.csv"
    assert main(["data", "describe", str(path), "--out", str(out), "--finding", "pulmonary infection"]) == 0
    assert "3 rows got a sentence made from their mask, marked derived" in capsys.readouterr().out
    rows = table_of(out)
    assert [row["text"] for row in rows[:3]] == [
        "Unilateral pulmonary infection, one infected area, posterior left lung.",
        "Unilateral pulmonary infection, one infected area, posterior right lung.",
        "No pulmonary infection.",
    ]
    assert [row["origin"] for row in rows] == ["derived"] * 3 + [""] * 9
    assert rows[3]["text"] == table_of(path)[3]["text"]
    assert (out.parent / rows[0]["image"]).is_file()
    with pytest.raises(InputError, match="has a sentence already; add --replace"):
        describe(out, out, "pneumonia")
    assert describe(out, out, "pneumonia", replace=True).rows == 12


def test_without_lung_masks_a_derived_sentence_names_no_place(tmp_path: Path) -> None:
    path = write_manifest_set(tmp_path / "set", patients=1)
    for row in range(3):
        edit_table(path, row, text="", lungs="")
    assert describe(path, path, "pulmonary infection").placeless == 3
    assert table_of(path)[0]["text"] == "Pulmonary infection, one infected area."


def test_a_row_may_name_a_report_instead_of_a_sentence(tmp_path: Path) -> None:
    path = write_manifest_set(tmp_path / "set", patients=1, split="Train")
    (path.parent / "report.txt").write_text(
        "FINDINGS: Infection in the left lung. No pleural effusion.\n", encoding="utf-8"
    )
    rows = [{**row, "text": "", "report": "report.txt"} for row in table_of(path)]
    rows[1] = {**rows[1], "text": "Infection.", "report": ""}
    lines = path.with_suffix(".jsonl")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [pair.text for pair in read_pairs(lines, "Train")] == [
        "Infection in the left lung.",
        "Infection.",
        "Infection in the left lung.",
    ]
    rows[2]["report"] = "gone.txt"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match=r"row 3 names the report gone\.txt, but .* does not exist"):
        read_pairs(lines, "Train")
    rows[2].update(report="report.txt", text="both")
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(InputError, match="row 3 has both a text and a report"):
        read_pairs(lines, "Train")


def test_a_manifest_is_written_as_its_suffix_says(tmp_path: Path) -> None:
    records = [{"image": "a.png", "mask": "b.png", "text": 'x, "y"\nz', "slice": 3, "other": "lost"}]
    for name in ("m.csv", "m.jsonl"):
        write_manifest(tmp_path / name, records)
        manifest = read_manifest(tmp_path / name)
        assert manifest.columns == ["image", "mask", "text", "split", "slice"]
        assert next(iter(manifest.records.values()))["text"] == 'x, "y"\nz'
    with pytest.raises(InputError, match=r"ending in \.csv or \.jsonl"):
        write_manifest(tmp_path / "m.txt", records)
