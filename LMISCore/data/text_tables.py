"""Tables of pictures and sentences, as CSV or as an Excel sheet."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from LMISCore.errors import InputError, MissingDependencyError


def text_rows(table: Path) -> Iterator[tuple[str, str]]:
    """Picture name and sentence of each row of an .xlsx or .csv table with the columns Image and Description.

    Raises:
        InputError: if it cannot be read or lacks one of them.
    """
    rows = csv_rows(table) if table.suffix == ".csv" else sheet_rows(table)
    header = [str(cell).strip() if cell is not None else "" for cell in rows[0]] if rows else []
    if "Image" not in header or "Description" not in header:
        raise InputError(f"{table} has the columns {', '.join(header) or 'none'}; expected Image and Description.")
    image, text = header.index("Image"), header.index("Description")
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        if len(row) <= max(image, text):
            raise InputError(f"{table} row {number} has {len(row)} cells; expected Image and Description in each row.")
        if row[image]:
            yield str(row[image]).strip(), str(row[text] or "").strip()


def csv_rows(table: Path) -> list[Sequence[object]]:
    """All cells of a CSV table.

    Raises:
        InputError: if it is no UTF-8 CSV table.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            # Strict: an open quote would else swallow all rows after it, other patients' among them.
            rows: list[Sequence[object]] = list(csv.reader(stream, strict=True))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{table} is not UTF-8 text; expected a table saved as CSV in UTF-8; save it again."
        ) from error
    except csv.Error as error:
        raise InputError(f"{table} is no CSV table ({error}); expected one saved as CSV in UTF-8.") from error
    except OSError as error:
        raise InputError(f"Cannot read {table}: {error.strerror or error}; check the file and its rights.") from error
    if rows and len(rows[0]) == 1 and (sign := next((s for s in ";\t" if s in str(rows[0][0])), "")):
        name = "semicolons" if sign == ";" else "tabs"
        raise InputError(f"{table} parts its cells by {name}; expected commas; save it as CSV with commas.")
    return rows


def sheet_rows(table: Path) -> list[Sequence[object]]:
    """All cells of an Excel table's first sheet.

    Raises:
        InputError: if it is damaged or of another kind.
    """
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {table.name} needs openpyxl; install it with: pip install 'LMISCore[train]'."
        ) from error
    # What openpyxl and the zip and XML readers under it raise on damaged files.
    damaged = (OSError, ValueError, TypeError, AttributeError, LookupError, EOFError, SyntaxError, RuntimeError)
    try:
        with closing(openpyxl.load_workbook(table, read_only=True)) as book:
            return list(book.worksheets[0].iter_rows(values_only=True))
    except (*damaged, zipfile.BadZipFile, zlib.error, InvalidFileException) as error:
        raise InputError(
            f"{table} cannot be read as an Excel table; it is damaged or of another kind; save it again."
        ) from error
