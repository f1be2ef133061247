"""The table of a cohort: volume-report pairs as CSV, JSONL or an Excel sheet. No torch.

========== =======================================================================================================
column     holds
========== =======================================================================================================
volume     file or DICOM folder, relative to the table's folder; ``image`` is the same
report     report file (text, JSON, DICOM SR), relative to the table's folder; or instead:
text       the report itself
id         name of the case's results; optional: else made of the volume's path
organ      organ mask, relative to the table's folder; optional, as are:
checkpoint weights of this case alone
intensity  hu, picture or auto
language   code of the report's language
force      ids of sentences that get a mask whatever their state, parted by spaces
spacing    "nominal" where the volume's mm are not real ones
========== =======================================================================================================

Other columns are passed over and reach no output: they often name the patient.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from LMISCore.cohorts.case import Case
from LMISCore.data.manifest_files import Manifest, read_table
from LMISCore.errors import InputError
from LMISCore.volumes.files import volume_name

COLUMNS = ("id", "volume", "report", "text", "organ", "checkpoint", "intensity", "language", "force", "spacing")
LONGEST_ID = 120
NOMINAL = "nominal"
DUPLICATE = "duplicate"
BAD_ROW = "bad_row"


@dataclass(frozen=True)
class Problem:
    """A row that is no case of its own; a duplicate is no failure, the row that it repeats is run."""

    row: int
    id: str
    kind: str
    message: str


@dataclass
class Cohort:
    """The rows of a table: cases in its order, and what is wrong with the others."""

    table: Path
    cases: list[Case] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_cohort(path: str | Path) -> Cohort:
    """Read a table without opening what it names.

    A row that repeats another (the same volume, report and settings) is left out, so that nothing is done twice. A row
    with another row's id but other contents has a problem, and so has one that names a file that is not there.

    Raises:
        InputError: if it is no table, has no row, or lacks a column.
        MissingDependencyError: for an Excel sheet without openpyxl.
    """
    path = Path(path).absolute()
    if not path.is_file():
        raise InputError(f"There is no table {path}; expected a .csv, .jsonl or .xlsx file with volumes and reports.")
    table = read_table(path)
    columns = set(table.columns)
    if not {"volume", "image"} & columns or not {"report", "text"} & columns:
        raise InputError(
            f"{path} has the columns {', '.join(table.columns) or 'none'}; expected volume (or image) and report (or "
            "text)."
        )
    if not table.records and not table.problems:
        raise InputError(f"{path} has no row below its header; expected one for each case.")
    cohort = Cohort(path)
    contents: dict[tuple[object, ...], Case] = {}
    names: dict[str, Case] = {}
    for number in sorted({*table.records, *table.problems}):
        found = _row(table, number)
        if isinstance(found, Case):
            found = _twice(found, contents, names) or found
        if isinstance(found, Problem):
            cohort.problems.append(found)
        else:
            contents[found.content()] = names[found.id.casefold()] = found
            cohort.cases.append(found)
    return cohort


def _twice(case: Case, contents: Mapping[tuple[object, ...], Case], names: Mapping[str, Case]) -> Problem | None:
    if same := contents.get(case.content()):
        words = f"Row {case.row} repeats row {same.row} (the same volume, report and settings); it was run once."
        return Problem(case.row, case.id, DUPLICATE, words)
    # Two names that differ in case alone are one on many disks.
    if same := names.get(case.id.casefold()):
        words = f"Row {case.row} has the id {case.id} of row {same.row}, but is another case; give it an id of its own."
        return Problem(case.row, case.id, BAD_ROW, words)
    return None


def _row(table: Manifest, number: int) -> Case | Problem:
    if number in table.problems:
        return Problem(number, "", BAD_ROW, table.problems[number])
    record = {key: value.strip() for key, value in table.records[number].items()}
    folder = table.path.parent
    volume = record.get("volume") or record.get("image", "")
    identifier = record.get("id", "")

    def wrong(words: str) -> Problem:
        return Problem(number, identifier, BAD_ROW, f"Row {number} {words}")

    if not volume:
        return wrong("names no volume; expected a file or folder relative to the table's folder.")
    if bool(record.get("report")) == bool(record.get("text")):
        both = "has both a report and a text" if record.get("text") else "has neither a report nor a text"
        return wrong(f"{both}; expected one of them.")
    volume = os.path.normpath(folder / volume)
    identifier = identifier or _name_of(volume, folder)
    if not re.fullmatch(r"[\w\-][\w.\-]*", identifier) or len(identifier.encode()) > LONGEST_ID:
        return wrong(
            f"has the id {identifier[:LONGEST_ID]!r}; expected at most {LONGEST_ID} letters, digits, _, - and ., not "
            "beginning with a point."
        )
    spacing = record.get("spacing", "").lower()
    if spacing not in ("", NOMINAL):
        return wrong(f"has the spacing {spacing[:LONGEST_ID]!r}; expected {NOMINAL}, or nothing where the mm are real.")
    paths = {part: _path(folder, record.get(part)) for part in ("report", "organ", "checkpoint")}
    case = Case(
        identifier,
        number,
        volume,
        text=record.get("text") or None,
        intensity=record.get("intensity") or None,
        language=record.get("language") or None,
        force=tuple(record.get("force", "").split()),
        nominal_spacing=spacing == NOMINAL,
        **paths,
    )
    for part, path in (*case.files().items(), ("checkpoint", case.checkpoint)):
        if path is not None and not os.path.exists(path):
            return wrong(f"names the {part} {path}, which does not exist; check the path.")
    return case


def _path(folder: Path, given: str | None) -> str | None:
    return os.path.normpath(folder / given) if given else None


def _name_of(volume: str, folder: Path) -> str:
    """A name that hangs on the row alone, so that rows added later change no other row's."""
    path = Path(os.path.relpath(volume, folder))
    parts = [*(part for part in path.parts[:-1] if part != ".."), volume_name(path)]
    return re.sub(r"[^\w.\-]+", "_", "_".join(parts)).strip("._") or "case"
