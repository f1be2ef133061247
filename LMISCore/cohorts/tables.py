"""The cohort's tables, put together from the cases' own records: nothing in them hangs on memory of a run. No torch.

results.csv: a row per finding of each sentence. cases.csv: a row per case, done, failed or not run. errors.csv: a
sentence for each case that failed and each row that is no case of its own. In the order of the table; no dates, times
or paths, so that a run that was killed and gone on with gives the same bytes as one that was not (an error's sentence
may name a path).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from LMISCore.atomic import atomic_paths
from LMISCore.cohorts.case import Case
from LMISCore.cohorts.folder import TABLES, CohortFolder
from LMISCore.cohorts.rows import CASE_COLUMNS, ERROR_COLUMNS, FINDING_COLUMNS
from LMISCore.cohorts.table import DUPLICATE, Problem
from LMISCore.spreadsheet import cells


@dataclass
class Counts:
    """How many cases are done, failed or not run yet, and how many rows repeat another."""

    done: int = 0
    failed: int = 0
    waiting: int = 0
    duplicates: int = 0
    findings: int = 0


def write_tables(
    folder: CohortFolder, cases: Iterable[Case], keys: Mapping[str, str], problems: Iterable[Problem]
) -> Counts:
    """Write the three tables, all or none.

    Args:
        folder: of the cohort.
        cases: of the table, or of a part of it.
        keys: hash of settings and weights by case; a result made from others is not taken.
        problems: rows that are no case.

    Raises:
        InputError: if they cannot be written.
    """
    counts = Counts()
    errors: list[dict[str, Any]] = []
    for problem in problems:
        counts.duplicates += problem.kind == DUPLICATE
        counts.failed += problem.kind != DUPLICATE
        told = {"row": problem.row, "case": problem.id, "kind": problem.kind, "message": problem.message}
        errors.append(cells(told))
    targets: list[str | Path] = [folder.root / name for name in TABLES]
    with atomic_paths(targets) as (results_path, cases_path, errors_path):
        with _stream(results_path) as results_stream, _stream(cases_path) as cases_stream:
            results = _writer(results_stream, FINDING_COLUMNS)
            rows = _writer(cases_stream, CASE_COLUMNS)
            for case in cases:
                record = folder.done(case.id) if folder.is_current(case, keys[case.id]) else {}
                failure = {} if record else folder.failure(case.id)
                state = "done" if record else "failed" if failure else "waiting"
                setattr(counts, state, getattr(counts, state) + 1)
                rows.writerow(cells({**record.get("case", {}), "case": case.id, "row": case.row, "state": state}))
                for finding in record.get("findings", ()):
                    counts.findings += 1
                    results.writerow(cells({**finding, "case": case.id}))
                if failure:
                    about: dict[str, Any] = {key: failure.get(key) for key in ("kind", "message")}
                    errors.append(cells({"row": case.row, "case": case.id, **about}))
        with _stream(errors_path) as stream:
            _writer(stream, ERROR_COLUMNS).writerows(sorted(errors, key=lambda error: error["row"]))
    return counts


def _stream(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="", errors="replace")


def _writer(stream: TextIO, columns: tuple[str, ...]) -> csv.DictWriter[str]:
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    writer.writeheader()
    return writer
