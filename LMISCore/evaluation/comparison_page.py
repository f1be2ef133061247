"""A comparison as a page in Markdown and as a table of single images, and results read back from their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError
from LMISCore.evaluation.markdown import interval, number, table
from LMISCore.spreadsheet import table_text

NAME = "evaluation.json"
_NEEDED = ("checkpoint", "data", "settings", "slices", "date")


def find_result(path: str | Path) -> Path | None:
    """The result's file where ``path`` is one, or is the folder that ``lmis evaluate`` wrote; else None."""
    path = Path(path)
    if path.suffix.lower() == ".json":
        return path
    return path / NAME if (path / NAME).is_file() else None


def read_result(path: str | Path) -> dict[str, Any]:
    """Read what ``lmis evaluate`` wrote.

    Raises:
        InputError: if the file cannot be read or is no result with its single slices.
    """
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}; give the {NAME} that lmis evaluate wrote."
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON file ({error}); give the {NAME} that lmis evaluate wrote.") from error
    missing = [key for key in _NEEDED if not isinstance(result, dict) or key not in result]
    if missing or not result["slices"] or not all("counts" in row for row in result["slices"]):
        lacks = f"lacks {', '.join(missing)}" if missing else "has no single slices"
        raise InputError(f"{path} {lacks}; expected the {NAME} that lmis evaluate wrote.")
    found: dict[str, Any] = result
    return found


def comparison_page(found: dict[str, Any]) -> str:
    """The whole comparison, all but the single images, as Markdown."""
    data, settings = found["data"], found["settings"]
    facts = [
        *((side.upper(), f"{found[side]['name']} ({found[side]['network']}), sha256 `{found[side]['hash'][:16]}`, "
           f"measured {found[side]['date']}") for side in ("a", "b")),
        ("Data", f"{data['name']}, split {data['split']}, sha256 `{data['hash'][:16]}`"),
        ("Images", f"{len(found['images'])} of {len(found['per_patient'])} patient(s)"),
        ("Intervals", f"95 %, {settings['draws']} resamples, the same for both, of {settings['blocks']} blocks of up "
         f"to {settings['block_size']} neighbouring slices of a scan; they say nothing of other patients"),
    ]  # fmt: skip
    parts = [
        "# B minus A",
        table(("", ""), facts),
        "## Figures",
        _figures(found),
        "## By patient",
        _by_patient(found),
    ]
    if found["notes"]:
        parts += ["## Notes", "\n".join(f"- {note}" for note in found["notes"])]
    return "\n\n".join(parts) + "\n"


def image_differences(found: dict[str, Any]) -> str:
    """One line an image, as CSV; an undefined Dice is an empty cell."""
    return table_text(list(found["images"][0]), found["images"])


def _figures(found: dict[str, Any]) -> str:
    rows = []
    for figure in found["figures"]:
        digits = 1 if "HD95" in figure["name"] else 3
        rows.append(
            (
                figure["name"],
                figure["n"],
                number(figure["a"], digits),
                number(figure["b"], digits),
                interval(figure["difference"], digits),
                _verdict(figure),
            )
        )
    note = (
        '"B better" and "A better" stand where the interval excludes 0; nothing is corrected for the number of rows. '
        "Means are over the images where both are defined."
    )
    return table(("", "n", "A", "B", "B minus A", ""), rows) + f"\n\n{note}"


def _verdict(figure: dict[str, Any]) -> str:
    difference = figure["difference"]
    if not figure["better"] or difference["low"] is None or difference["low"] <= 0 <= difference["high"]:
        return ""
    return "B better" if (difference["low"] > 0) == (figure["better"] == "higher") else "A better"


def _by_patient(found: dict[str, Any]) -> str:
    if len(found["per_patient"]) > 20:
        return f"{len(found['per_patient'])} patients: their figures are in the JSON file."
    rows = [
        (
            patient,
            figures["n"],
            *(number(figures[name][key]) for name in ("mean_dice", "pooled_dice") for key in ("a", "b", "difference")),
        )
        for patient, figures in found["per_patient"].items()
    ]
    heads = [f"{name} {what}".strip() for name in ("mean Dice", "pooled Dice") for what in ("A", "B", "B minus A")]
    return table(("patient", "n", *heads), rows)
