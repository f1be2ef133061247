"""Tables as CSV that people open in a spreadsheet: no text in them is taken for a formula.

A spreadsheet computes a cell that begins with one of a few marks, whatever quotes stand around it; a report's sentence
or a file's name could so call a web address or a program on the reader's computer ("CSV injection", OWASP). Such a text
gets an apostrophe in front, which spreadsheets take for "this is text". Numbers and plain names such as -0.5 or -case-1
call nothing and stay as they are, so that tables can be joined by them. Manifests, which are read back, are not written
through here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# The second four are their full-width forms, which some spreadsheets take for the same.
_FORMULA_MARKS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20\t\r\n")
_PLAIN = re.compile(r"-[\w.\-]*")


def cell(value: Any) -> Any:
    """Return a cell's value such that a spreadsheet shows it and does not compute it.

    Args:
        value: a text that begins as a formula does, and is no plain name, gets an apostrophe in front; all else
            is kept.
    """
    if not isinstance(value, str) or value[:1] not in _FORMULA_MARKS or _PLAIN.fullmatch(value):
        return value
    return f"'{value}"


def cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row, cells by column, with each value as :func:`cell` gives it."""
    return {name: cell(value) for name, value in row.items()}


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a CSV table with its header.

    Args:
        columns: names in order.
        rows: cells by column; keys that are no column are left out, what lacks is an empty cell.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(cells, rows))
    return stream.getvalue()
