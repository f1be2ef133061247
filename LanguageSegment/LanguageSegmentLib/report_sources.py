"""A report from whatever a script has of it: its text, a file, or a text node of the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError
from LMISCore.inference.reading import read_report_text, report_text

_FILE_SUFFIXES = (".txt", ".json", ".dcm")
_LONGEST_PATH = 1024


@dataclass(frozen=True)
class ReportSource:
    """A report's text and where it came from.

    Attributes:
        text: the whole report.
        name: for a node made from it.
        node: the text node it stands in, None for text and files.
    """

    text: str
    name: str
    node: Any = None


def reportSource(report: Any) -> ReportSource:
    """Read a report.

    Args:
        report: its text; a path of a .txt, .json or DICOM structured report file, as ``Path`` or as one line of text
            with one of the endings .txt, .json and .dcm; or a vtkMRMLTextNode.

    Raises:
        InputError: if it is none of these, cannot be read, or is empty.
        MissingDependencyError: if it is a DICOM file and pydicom is not installed.
    """
    if isinstance(report, Path) or (isinstance(report, str) and _looksLikePath(report)):
        return ReportSource(read_report_text(report), Path(report).stem)
    if isinstance(report, str):
        return ReportSource(report_text(report.encode("utf-8", "replace"), "given as text"), "Report")
    if report is not None and hasattr(report, "IsA") and report.IsA("vtkMRMLTextNode"):
        text = report.GetText() or ""
        if not text.strip():
            raise InputError(
                _("The report {name!r} is empty; give text with at least one sentence.").format(name=report.GetName())
            )
        return ReportSource(text, report.GetName(), report)
    kind = "nothing" if report is None else f"a {type(report).__name__}"
    raise InputError(f"The report given is {kind}; expected its text, the path of a file, or a text node.")


def _looksLikePath(text: str) -> bool:
    return len(text) <= _LONGEST_PATH and "\n" not in text and text.strip().lower().endswith(_FILE_SUFFIXES)
