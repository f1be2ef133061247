"""One manifest of LViT's folders, LanGuideMedSeg's tables or another manifest; no picture is copied."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from LMISCore.data.languidemedseg import is_languidemedseg
from LMISCore.data.manifest import CASE_PATTERN, SPLITS, read_rows
from LMISCore.data.manifest_files import write_manifest
from LMISCore.data.rows import Row
from LMISCore.errors import InputError


def is_table_layout(source: Path) -> bool:
    """Whether a source is a manifest or a folder in one of the published layouts."""
    return source.is_file() or is_languidemedseg(source) or any((source / f"{name}_Folder").is_dir() for name in SPLITS)


def import_tables(source: str | Path, out: str | Path, pattern: str = CASE_PATTERN) -> dict[str, int]:
    """Write the rows of a set as a manifest whose paths are relative to it.

    Args:
        source: folder in the LViT or LanGuideMedSeg layout, or a manifest.
        out: .csv or .jsonl; it must not be there yet.
        pattern: tells case, patient and slice from a picture's name, see ``read_pairs``.

    Returns:
        rows by split; splits that the source lacks have none.

    Raises:
        InputError: if ``out`` is there, no split can be read, or a row names a file that is missing.
    """
    source, out = Path(source), Path(out)
    if out.exists():
        raise InputError(f"{out} is there already; give another name, or remove it first.")
    if not source.exists():
        raise InputError(f"There is no data set at {source}; expected a folder or a manifest; check the path.")
    records: list[Mapping[str, object]] = []
    tally: dict[str, int] = {}
    for split in SPLITS:
        rows = _rows(source, split, pattern)
        tally[split] = len(rows)
        for row in rows:
            for problem in (row.problem, *row.missing()):
                if problem:
                    raise InputError(problem)
            records.append(_record(row, out.parent))
    if not records:
        raise InputError(f"No split of {source} has a row; expected the LViT or LanGuideMedSeg layout, or a manifest.")
    write_manifest(out, records)
    return tally


def _rows(source: Path, split: str, pattern: str) -> list[Row]:
    # A set without this split's folder or table is whole all the same; a damaged table is not.
    if not source.is_file() and not is_languidemedseg(source) and not (source / f"{split}_Folder").is_dir():
        return []
    return list(read_rows(source, split, pattern))


def _record(row: Row, folder: Path) -> dict[str, object]:
    def relative(path: Path | None) -> str:
        return "" if path is None else Path(os.path.relpath(path, folder)).as_posix()

    return {
        "image": relative(row.image),
        "mask": relative(row.mask),
        "lungs": relative(row.lungs),
        "text": row.text,
        "split": row.split,
        "patient": row.patient,
        "case": row.case,
        "slice": row.order,
    }
