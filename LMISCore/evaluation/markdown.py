"""Cells and tables in Markdown: a figure with its interval, a number that may be undefined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def interval(figure: dict[str, Any], digits: int = 3) -> str:
    """An estimate with its interval, as :meth:`Interval.as_dict` gives it.

    >>> interval({"estimate": 0.5, "low": 0.4, "high": 0.6})
    '0.500 [0.400, 0.600]'
    """
    if figure["estimate"] is None:
        return "undefined"
    estimate, low, high = (number(figure[key], digits) for key in ("estimate", "low", "high"))
    return estimate if figure["low"] is None else f"{estimate} [{low}, {high}]"


def number(value: float | None, digits: int = 3) -> str:
    """A number with so many digits after the point, or "undefined" for None."""
    return "undefined" if value is None else f"{value:.{digits}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; a bar within a cell is escaped."""
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in [header, *rows]]
    return "\n".join([lines[0], "|" + " --- |" * len(header), *lines[1:]])
