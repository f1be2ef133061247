"""The table of a cohort: what its rows name, which are refused, and what two rows may not share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cohort_makers import save_case, save_table

from LMISCore.cohorts.table import BAD_ROW, DUPLICATE, read_cohort
from LMISCore.errors import InputError


@pytest.fixture(name="row")
def one_row(tmp_path: Path) -> dict[str, Any]:
    return save_case(tmp_path, 1)


def problems(folder: Path, *rows: dict[str, Any]) -> list[tuple[int, str, str]]:
    found = read_cohort(save_table(folder / "table.csv", list(rows)))
    return [(problem.row, problem.kind, problem.message) for problem in found.problems]


def test_a_row_becomes_a_case_with_paths_beside_the_table(tmp_path: Path, row: dict[str, Any]) -> None:
    organ = {**row, "organ": row["volume"], "force": "findings-1 text-2", "spacing": "nominal", "language": "de"}
    (case,) = read_cohort(save_table(tmp_path / "table.csv", [organ])).cases
    assert (case.id, case.row) == ("case001", 2)
    assert case.volume == case.organ == str(tmp_path / "scans" / "case001.nrrd")
    assert case.report == str(tmp_path / "reports" / "case001.txt") and case.text is None
    assert case.force == ("findings-1", "text-2") and case.nominal_spacing and case.language == "de"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_every_kind_of_table_gives_the_same_cases(tmp_path: Path, suffix: str) -> None:
    rows = [save_case(tmp_path, number) for number in range(3)]
    path = tmp_path / f"table{suffix}"
    if suffix == ".csv":
        save_table(path, rows)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        import openpyxl

        book = openpyxl.Workbook()
        assert book.active is not None
        for cells in ([*rows[0]], *([*row.values()] for row in rows)):
            book.active.append(cells)
        book.save(path)
    assert [case.id for case in read_cohort(path).cases] == ["case000", "case001", "case002"]


def test_without_an_id_the_name_hangs_on_the_volumes_path_alone(tmp_path: Path) -> None:
    rows = [save_case(tmp_path, number) for number in range(2)]
    table = save_table(tmp_path / "table.csv", [{**row, "id": ""} for row in rows])
    assert [case.id for case in read_cohort(table).cases] == ["scans_case000", "scans_case001"]
    save_table(table, [{**rows[1], "id": ""}])
    assert [case.id for case in read_cohort(table).cases] == ["scans_case001"]


def test_a_row_that_repeats_another_is_left_out_and_is_no_failure(tmp_path: Path, row: dict[str, Any]) -> None:
    ((number, kind, message),) = problems(tmp_path, row, {**row, "id": "again"})
    assert (number, kind) == (3, DUPLICATE) and "repeats row 2" in message


@pytest.mark.parametrize("identifier", ["case001", "CASE001"])
def test_an_id_of_another_case_is_refused_even_in_capitals(
    tmp_path: Path, row: dict[str, Any], identifier: str
) -> None:
    other = {**save_case(tmp_path, 2), "id": identifier}
    ((number, kind, message),) = problems(tmp_path, row, other)
    assert (number, kind) == (3, BAD_ROW) and "of row 2" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"volume": ""}, "names no volume"),
        ({"volume": "scans/none.nrrd"}, "names the volume"),
        ({"report": "none.txt"}, "names the report"),
        ({"report": ""}, "neither a report nor a text"),
        ({"text": "Infection."}, "both a report and a text"),
        ({"id": "../up"}, "has the id '../up'"),
        ({"id": ".hidden"}, "has the id '.hidden'"),
        ({"id": "x" * 121}, "at most 120 letters"),
        ({"organ": "none.nrrd"}, "names the organ"),
        ({"checkpoint": "none.safetensors"}, "names the checkpoint"),
        ({"spacing": "nominel"}, "has the spacing 'nominel'"),
    ],
)
def test_a_bad_row_is_told_and_the_others_stay(
    tmp_path: Path, row: dict[str, Any], change: dict[str, str], words: str
) -> None:
    table = save_table(tmp_path / "table.csv", [{**row, **change}, save_case(tmp_path, 2)])
    cohort = read_cohort(table)
    assert [case.id for case in cohort.cases] == ["case002"]
    (problem,) = cohort.problems
    assert problem.row == 2 and problem.kind == BAD_ROW and words in problem.message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "has the columns a, b"),
        ("volume,report\n", "has no row"),
        ("", "has the columns none"),
        ("volume;report\na;b\n", "parts its cells by semicolons"),
        ("volume\treport\na\tb\n", "parts its cells by tabs"),
        ("volume,volume,report\na,b,c\n", "has the column volume twice"),
        ('volume,text\na.nrrd,"Infection.\nb.nrrd,Effusion.\n', "unexpected end of data"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        read_cohort(path)
    with pytest.raises(InputError, match="There is no table"):
        read_cohort(tmp_path / "none.csv")
