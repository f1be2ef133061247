"""The text of a DICOM structured report: its TEXT items in order, under the names of their sections. No torch.

Reads what reporting systems send as Basic Text, Enhanced or Comprehensive SR (DICOM PS3.3 section C.17.3, laid out
after PS3.16 TID 2000): a tree of CONTAINERs, whose concept names are the headings, with TEXT items in them. Codes,
measurements, references and the observer's name are not text of the report and are left out.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from LMISCore.errors import InputError, MissingDependencyError
from LMISCore.text.phrases import rules

if TYPE_CHECKING:
    from pydicom import Dataset

_PREAMBLE = 128
_MARK = b"DICM"
# How an item stands to the one above it where it tells about the report, not about the patient's image.
_NOT_CONTENT = {"HAS OBS CONTEXT", "HAS ACQ CONTEXT", "HAS CONCEPT MOD"}
# Trees of real reports are less than ten deep; a damaged file must not exhaust the stack.
_DEEPEST = 50


def is_dicom(content: bytes) -> bool:
    """Whether these first bytes of a file are those of a DICOM file."""
    return content[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK


def structured_report_text(content: bytes, source: str) -> str:
    """Return the text of a structured report, with a heading such as ``FINDINGS:`` above each of its parts.

    An item's heading is the name of the nearest section around it that is a report heading, else its own concept
    name. Items are parted by an empty line, so that none runs into the next.

    Args:
        content: a whole DICOM file.
        source: what to call it in an error.

    Raises:
        MissingDependencyError: if pydicom is not installed.
        InputError: if the file is damaged, not a structured report, or one without text.
    """
    data = _read(content, source)
    if data.get("ValueType") != "CONTAINER":
        kind = f"of modality {data.Modality}" if data.get("Modality") else "of another kind"
        raise InputError(f"The DICOM file {source} is {kind}, not a structured report; give a report with text.")
    parts: list[str] = []
    last: str | None = None
    for heading, words in _texts(data, (), source, 0):
        parts.append(f"{heading}:\n{words}" if heading and heading != last else words)
        last = heading
    if not parts:
        raise InputError(
            f"The structured report {source} has no text item; expected findings in words; give the report as text."
        )
    return "\n\n".join(parts) + "\n"


def _read(content: bytes, source: str) -> Dataset:
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise MissingDependencyError(
            f"The report {source} is a DICOM file, which needs pydicom; install LMISCore[dicom], or give the report as "
            "text."
        ) from error
    try:
        data = pydicom.dcmread(io.BytesIO(content))
        # Elements are parsed when they are first looked at: a damaged one shows itself only then.
        data.decode()
    except (InvalidDicomError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"The DICOM file {source} could not be read: it is damaged; expected a structured report; export it again."
        ) from error
    except (NotImplementedError, RecursionError) as error:
        raise InputError(
            f"The DICOM file {source} is built in a way that cannot be read; export the report again, or as text."
        ) from error
    return data


def _texts(item: Dataset, sections: tuple[str, ...], source: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield heading and words of each TEXT item below ``item``; ``sections`` are the containers', innermost first."""
    if depth > _DEEPEST:
        raise InputError(f"The structured report {source} is nested too deeply; export it again.")
    for child in item.get("ContentSequence") or ():
        if child.get("RelationshipType") in _NOT_CONTENT:
            continue
        name, kind = _concept_name(child), child.get("ValueType")
        words = str(child.get("TextValue") or "").strip()
        if kind == "TEXT" and words:
            yield _heading((*sections, name)), words
        yield from _texts(child, (name, *sections) if kind == "CONTAINER" else sections, source, depth + 1)


def _concept_name(item: Dataset) -> str:
    codes = item.get("ConceptNameCodeSequence") or ()
    meaning = str(codes[0].get("CodeMeaning") or "") if codes else ""
    return " ".join(meaning.split()).rstrip(" :")


def _heading(names: tuple[str, ...]) -> str:
    """The first of the names that reports use as a heading, else the last that says anything."""
    known = next((name for name in names if name.lower() in _heading_words()), "")
    return (known or next((name for name in reversed(names) if name), "")).upper()


@lru_cache(maxsize=1)
def _heading_words() -> frozenset[str]:
    return frozenset(name for field in rules("fields")["fields"].values() for name in field["names"])
