"""Tables that people open in a spreadsheet: no text of a report, and no file's name, is computed there."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from cli_runs import Run, cli_lmis, cli_material, standard
from cohort_makers import options, read_rows, save_case, save_table, small_weights

from LMISCore.spreadsheet import cell, table_text

__all__ = ["cli_lmis", "cli_material", "small_weights"]

FORMULA = '=HYPERLINK("http://example.org")'


def computed(folder: Path) -> list[str]:
    """Cells of all CSV files in a folder that a spreadsheet would take for a formula."""
    found = []
    for path in folder.rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as stream:
            found += [text for row in csv.reader(stream) for text in row if text.startswith(("=", "+", "@", "-"))]
    return found


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-A1+B1", "- left lung", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1"])
def test_a_text_that_begins_as_a_formula_is_marked_as_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "left", "a=b", "-0.25", "-1e-06", "-inf", "-", "-case_1.2", -0.25, None, 3])
def test_numbers_names_and_other_texts_stay_as_they_are(value: object) -> None:
    assert cell(value) is value


def test_a_table_has_its_columns_and_no_others() -> None:
    rows: list[dict[str, Any]] = [{"a": 1, "b": None, "c": 2}, {"b": "=x"}]
    assert table_text(("a", "b"), rows) == "a,b\n1,\n,'=x\n"


def test_a_sentence_of_a_report_is_no_formula_in_the_table(lmis: Run, material: Path, tmp_path: Path) -> None:
    report = f"{FORMULA} infection in the left lung.\n-Infection in the right lung.\n@A1 effusion.\n"
    code, _, errors = lmis(*standard(material, "--text", report, "--out", "out"))
    assert code == 0, errors
    with (tmp_path / "out" / "chest.csv").open(encoding="utf-8", newline="") as stream:
        sentences = [row["sentence"] for row in csv.DictReader(stream)]
    assert any(sentence.startswith("'=HYPERLINK") for sentence in sentences)
    assert computed(tmp_path) == []


def test_no_cell_of_a_cohorts_tables_is_a_formula(lmis: Run, weights: Path, tmp_path: Path) -> None:
    good, bad = save_case(tmp_path, 0), save_case(tmp_path, 1)
    (tmp_path / good["report"]).write_text("=1+1 infection in the left lung.", encoding="utf-8")
    rows = [good, {**bad, "id": "=bad"}]
    table = save_table(tmp_path / "rows.csv", rows)
    assert lmis("batch", table, "--out", tmp_path / "out", *options(weights))[0] == 3
    table.unlink()
    assert computed(tmp_path) == []
    assert read_rows(tmp_path / "out" / "results.csv")[0]["sentence"].startswith("'=1+1")
    assert read_rows(tmp_path / "out" / "errors.csv")[0]["case"] == "'=bad"
