"""Reports from files: UTF-8 text, JSON or a DICOM structured report. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError
from LMISCore.text.structured_report import is_dicom, structured_report_text

# No report is longer; a volume given by mistake in the report's place is refused before it fills the memory.
_LONGEST_BYTES = 4_000_000


def read_report_text(path: str | Path) -> str:
    """Return the text of a report file.

    ``.json`` may hold the text itself, an object with the text under "report" or "text", or an object of fields such
    as {"FINDINGS": "...", "IMPRESSION": "..."}. A DICOM file, whatever its ending, must be a structured report.
    Anything else is read as plain UTF-8 text.

    Raises:
        InputError: if the file is missing, empty, too long, not UTF-8, not such JSON, or DICOM without report text.
        MissingDependencyError: if it is DICOM and pydicom is not installed.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise InputError(f"No report file at {path}; give a text or JSON file, or the text itself with --text.")
        with path.open("rb") as file:
            content = file.read(_LONGEST_BYTES + 1)
    except OSError as error:
        raise InputError(f"Cannot read the report {path}: {error.strerror or error}; check its rights.") from error
    if is_dicom(content) and len(content) <= _LONGEST_BYTES:
        return structured_report_text(content, str(path))
    return report_text(content, str(path), is_json=path.suffix.lower() == ".json")


def report_text(content: bytes, source: str, is_json: bool = False) -> str:
    """Decode a report.

    Args:
        content: UTF-8 bytes, with or without a byte order mark.
        source: what to call it in an error.
        is_json: see :func:`read_report_text`.

    Raises:
        InputError: as :func:`read_report_text`.
    """
    if len(content) > _LONGEST_BYTES:
        raise InputError(f"The report {source} is longer than {_LONGEST_BYTES // 10**6} MB; give one report's text.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The report {source} is not UTF-8 text (byte {content[error.start]:#04x} at place {error.start}); "
            "save it as UTF-8."
        ) from error
    if "\0" in text:
        raise InputError(f"The report {source} is a binary file; give a text or JSON file.")
    if is_json:
        text = _from_json(text, source)
    if not text.strip():
        raise InputError(f"The report {source} is empty; give text with at least one sentence.")
    return text


def _from_json(text: str, source: str) -> str:
    expected = 'expected a string, {"report": "..."} or fields such as {"FINDINGS": "...", "IMPRESSION": "..."}'
    try:
        value: Any = json.loads(text)
    except RecursionError as error:
        raise InputError(f"The report {source} is JSON nested too deeply; {expected}.") from error
    except ValueError as error:
        raise InputError(f"The report {source} is not JSON ({error}); {expected}.") from error
    if isinstance(value, dict):
        for key in ("report", "text"):
            if isinstance(value.get(key), str):
                return str(value[key])
        if value and all(isinstance(part, str) for part in value.values()):
            return "\n\n".join(f"{name.upper().rstrip(' :')}:\n{part}" for name, part in value.items())
    if isinstance(value, str):
        return value
    raise InputError(f"The report {source} holds other JSON than a report; {expected}.")
