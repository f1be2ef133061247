"""The result as a table: for the terminal and as CSV. Works on the plain values of ``CaseResult.to_dict``."""

from __future__ import annotations

import shutil
from typing import Any

from LMISCore.spreadsheet import table_text

CSV_COLUMNS = (
    "id",
    "field",
    "sentence",
    "state",
    "reason",
    "segment",
    "segment_id",
    "presence",
    "volume_ml",
    "volume_is_nominal",
    "slices",
    "forced",
    "prompt",
    "prompt_source",
    "prompt_reason",
    "agreement",
    "agreement_words",
)
_TITLES = ("sentence", "state", "segment", "presence", "volume (mL)", "slices", "agreement")
_NARROWEST_SENTENCE = 24
_NARROWEST_SEGMENT = 22
_LONGEST_REASON = 48


def csv_text(result: dict[str, Any]) -> str:
    """One line per sentence, with a header; empty cells where there is no segment or score."""
    nominal = not result["geometry"]["spacing_known"]
    lines = []
    for row in result["rows"]:
        known = nominal if row["volume_ml"] is not None else None
        told = {"agreement": verdict(row), "agreement_words": agreement_words(row)}
        lines.append({**row, **told, "sentence": _one_line(row["sentence"]), "volume_is_nominal": known})
    return table_text(CSV_COLUMNS, lines)


def terminal_table(result: dict[str, Any], width: int | None = None) -> str:
    """The table for people: sentence, state, segment (or why there is none), presence score, volume in mL, slices.

    Args:
        result: of ``CaseResult.to_dict``.
        width: columns of the terminal; sentences are cut to what the other columns leave, and names and reasons where
            that is not enough. None asks the terminal.
    """
    nominal = not result["geometry"]["spacing_known"]
    rows = [
        (
            _one_line(row["sentence"]),
            row["state"] + (" (forced)" if row["forced"] else ""),
            row["segment"] or _why_none(row["reason"]),
            "-" if row["presence"] is None else f"{row['presence']:.2f}",
            "-" if row["volume_ml"] is None else f"{row['volume_ml']:.1f}" + (" (nominal spacing)" if nominal else ""),
            "-" if row["slices"] is None else str(row["slices"]),
            verdict(row) or "-",
        )
        for row in result["rows"]
    ]
    widths = [max(len(line[column]) for line in (_TITLES, *rows)) for column in range(len(_TITLES))]
    total = width or shutil.get_terminal_size((120, 24)).columns
    widths[0] = min(widths[0], max(_NARROWEST_SENTENCE, total - sum(widths[1:]) - 2 * (len(widths) - 1)))
    # A sentence at its narrowest may leave too little room for the longest reason.
    widths[2] = min(widths[2], max(_NARROWEST_SEGMENT, total - sum(widths) + widths[2] - 2 * (len(widths) - 1)))
    rule = "  ".join("-" * size for size in widths)
    return "\n".join([_line(_TITLES, widths), rule, *(_line(row, widths) for row in rows)])


def verdict(row: dict[str, Any]) -> str:
    """The gravest verdict on a row's findings, such as "contradicts" or "agrees"; "" where none was asked."""
    found = [agreement["verdict"] for agreement in row.get("agreement", ())]
    return next((word for word in ("contradicts", "differs", "agrees", "unclear") if word in found), "")


def agreement_words(row: dict[str, Any]) -> str:
    """What the second mask says of a row's findings, in plain words."""
    several = len(row.get("agreement", ())) > 1
    parts = [(a["finding"] + ": " if several else "") + a["words"] for a in row.get("agreement", ())]
    return _one_line("; ".join(parts))


def contradictions(result: dict[str, Any]) -> list[str]:
    """One line for each sentence that the second mask contradicts."""
    rows = [row for row in result["rows"] if verdict(row) == "contradicts"]
    return [f"{row['id']}: {agreement_words(row)}" for row in rows]


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    # Numbers stand right, so that their sizes can be compared down a column.
    shown = [
        _cut(cell, size).rjust(size) if column in (3, 4, 5) else _cut(cell, size).ljust(size)
        for column, (cell, size) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(shown).rstrip()


def _why_none(reason: str) -> str:
    """The last of a row's reasons decided that it has no segment; what it adds in brackets stands in the CSV."""
    words = _one_line(reason.rpartition("; ")[2].partition(" (")[0])
    return f"- {_cut(words, _LONGEST_REASON)}" if words else "-"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def _one_line(text: str) -> str:
    return " ".join(text.split())
