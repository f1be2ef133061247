"""The manifest's file: CSV with a header, or JSONL with one object a line; the same columns in both.

======== =========================================================================================================
column   holds
======== =========================================================================================================
image    picture of one slice, relative to the manifest's folder
mask     mask of the same size, 0 outside
text     the sentence; or instead:
report   a text file whose affirming sentences, one after another, are the text
split    Train, Val or Test; may be empty until ``lmis data split``
patient  person; optional, like ``case`` (scan), ``slice`` (number in it) and ``lungs`` (lung mask)
origin   where the sentence or the mask comes from, for people
======== =========================================================================================================
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from LMISCore.atomic import write_text
from LMISCore.data.pair import SPLITS, compile_pattern, names_of
from LMISCore.data.report_text import read_report_text
from LMISCore.data.rows import Row
from LMISCore.data.text_tables import csv_rows, sheet_rows
from LMISCore.errors import InputError

SUFFIXES = (".csv", ".jsonl")
COLUMNS = ("image", "mask", "lungs", "text", "split", "patient", "case", "slice", "origin")
REQUIRED = ("image", "mask", "split")
_CSV_QUOTES = "put a text that holds commas in quotes"


@dataclass
class Manifest:
    """A manifest as its file holds it.

    Attributes:
        path: the file.
        columns: in order.
        records: by row number, cells by column; a row that cannot be read is not among them.
        problems: by row number, why it cannot be read.
    """

    path: Path
    columns: list[str]
    records: dict[int, dict[str, str]] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest without opening what it names.

    Raises:
        InputError: if it is no table of this kind, or lacks a column.
    """
    manifest = read_table(path)
    wanted = [*REQUIRED] if {"text", "report"} & set(manifest.columns) else [*REQUIRED[:2], "text", REQUIRED[2]]
    missing = [name for name in wanted if name not in manifest.columns]
    if missing:
        raise InputError(f"{path} lacks the column(s) {', '.join(missing)}; expected image, mask, text, split.")
    return manifest


def read_table(path: Path) -> Manifest:
    """Read a table of any columns: JSONL, an Excel sheet's first page, or else CSV.

    Raises:
        InputError: if it is no such table.
        MissingDependencyError: for an Excel sheet without openpyxl.
    """
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return _read_jsonl(path)
    return _from_cells(path, sheet_rows(path) if suffix == ".xlsx" else csv_rows(path))


def _from_cells(path: Path, table: Sequence[Sequence[object]]) -> Manifest:
    table = [["" if cell is None else cell for cell in row] for row in table]
    manifest = Manifest(path, [str(cell).strip() for cell in table[0]] if table else [])
    columns = manifest.columns
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise InputError(f"{path} has the column {twice[0]} twice; expected each name once; rename one of them.")
    for number, cells in enumerate(table[1:], start=2):
        if not any(cells):
            continue
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            manifest.problems[number] = (
                f"{path} row {number} has {len(cells)} cells but the header names {len(columns)} columns; "
                f"{_CSV_QUOTES}."
            )
            continue
        # Not strict: a spreadsheet may leave blank cells beyond the last column.
        manifest.records[number] = {name: str(cell) for name, cell in zip(columns, cells, strict=False)}
    return manifest


def _read_jsonl(path: Path) -> Manifest:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; expected one JSON object a line; save it again.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error
    manifest = Manifest(path, [])
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
            manifest.problems[number] = (
                f'{path} row {number} is no JSON object of plain values; expected {{"column": "value", ...}}.'
            )
            continue
        manifest.records[number] = {str(key): "" if value is None else str(value) for key, value in found.items()}
        manifest.columns += [key for key in manifest.records[number] if key not in manifest.columns]
    return manifest


def rows_of(manifest: Manifest, pattern: str) -> list[Row]:
    """Rows of all splits, in the manifest's order; a bad row has its ``problem`` set.

    Args:
        manifest: as read.
        pattern: see ``read_pairs``; used where the manifest itself tells no case, patient or slice.
    """
    expression = compile_pattern(pattern)
    rows: list[Row] = []
    for number in sorted({*manifest.records, *manifest.problems}):
        if number in manifest.problems:
            rows.append(Row(manifest.path, number, problem=manifest.problems[number]))
            continue
        record = manifest.records[number]
        problem = _problem(manifest, number, record)
        if problem:
            rows.append(Row(manifest.path, number, split=_split(record), problem=problem))
            continue
        folder = manifest.path.parent
        image = folder / record["image"]
        case, patient, order = names_of(image.stem, expression, number)
        case = record.get("case") or case
        rows.append(
            Row(
                manifest.path,
                number,
                "",
                _split(record),
                image,
                folder / record["mask"],
                folder / record["lungs"] if record.get("lungs") else None,
                _text(folder, record),
                case,
                record.get("patient") or patient,
                int(record.get("slice") or order),
            )
        )
    return rows


def _problem(manifest: Manifest, number: int, record: Mapping[str, str]) -> str:
    """Why a record is no row; empty when it is one."""
    place = f"{manifest.path} row {number}"
    for name in ("image", "mask"):
        if not record.get(name, "").strip():
            return f"{place} names no {name}; expected a file relative to the manifest's folder."
    if record.get("text") and record.get("report"):
        return f"{place} has both a text and a report; expected one of them."
    report = record.get("report")
    if report and not os.path.isfile(manifest.path.parent / report):
        return f"{place} names the report {report}, but {manifest.path.parent / report} does not exist."
    if record.get("slice") and not record["slice"].isdecimal():
        return f"{place} has the slice {record['slice']!r}; expected a whole number of 0 or more."
    return ""


def _split(record: Mapping[str, str]) -> str:
    given = record.get("split", "").strip()
    return next((name for name in SPLITS if name.lower() == given.lower()), given)


def _text(folder: Path, record: Mapping[str, str]) -> str:
    if not record.get("report"):
        return record.get("text", "")
    return read_report_text(folder / record["report"])


def moved(record: Mapping[str, str], before: Path, after: Path) -> dict[str, str]:
    """A record whose paths are relative to the folder ``before``, with paths relative to ``after``."""
    if before.resolve() == after.resolve():
        return dict(record)
    paths = {key: record[key] for key in ("image", "mask", "lungs", "report") if record.get(key)}
    return {**record, **{key: Path(os.path.relpath(before / path, after)).as_posix() for key, path in paths.items()}}


def write_manifest(path: str | Path, records: Sequence[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> None:
    """Write a manifest, whole or not at all; the suffix chooses CSV or JSONL.

    Args:
        path: ending in .csv or .jsonl.
        records: cells by column; what lacks is left empty.
        columns: in order; all but image, mask, text and split are left out where no record has them.

    Raises:
        InputError: if the suffix is another or the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"A manifest cannot be written to {path}; expected a name ending in {' or '.join(SUFFIXES)}.")
    used = [name for name in columns if name in (*REQUIRED, "text") or any(record.get(name) for record in records)]
    if path.suffix == ".jsonl":
        lines = [json.dumps({name: record.get(name, "") for name in used}, ensure_ascii=False) for record in records]
        write_text(path, "".join(f"{line}\n" for line in lines))
        return
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(used)
    writer.writerows([[record.get(name, "") for name in used] for record in records])
    write_text(path, stream.getvalue())
