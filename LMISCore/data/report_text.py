"""What a report affirms, as one text: for masks that belong to a whole report and not to one of its sentences."""

from __future__ import annotations

from pathlib import Path

from LMISCore.errors import InputError
from LMISCore.text.findings import Vocabulary, sentence_state
from LMISCore.text.prompts import prompt_for
from LMISCore.text.reader import named_in
from LMISCore.text.report import State, parse_report
from LMISCore.text.report_types import Sentence


def affirmed_text(report: str, vocabulary: Vocabulary | None = None, plane: str = "picture") -> str:
    """Return the sentences of a report that affirm a finding, as they would be sent to a network, in one line.

    Args:
        report: the whole text.
        vocabulary: the findings that count; None takes every sentence about the image but those whose findings are
            all negated, uncertain, past or normal.
        plane: of the pictures; on "axial" ones head-feet words are not sent, see ``LMISCore.text.prompts``.

    Returns:
        "" where nothing is affirmed.

    >>> affirmed_text("FINDINGS: Infection in the left lung. No effusion.")
    'Infection in the left lung.'
    """
    parsed = parse_report(report, vocabulary)
    return " ".join(prompt_for(each, plane).text for each in parsed.sentences if _affirms(each, vocabulary))


def _affirms(sentence: Sentence, vocabulary: Vocabulary | None) -> bool:
    if sentence.kind != "finding":
        return False
    if vocabulary is not None:
        return sentence_state(sentence, vocabulary)[0] is State.AFFIRMED
    named = named_in(sentence)
    return not named or any(finding.status is State.AFFIRMED for finding in named)


def read_report(path: Path) -> str:
    """Read a report's text.

    Raises:
        InputError: if it cannot be read as UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; expected a report saved as plain text; save it again.") from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error


def read_report_text(path: Path, vocabulary: Vocabulary | None = None, plane: str = "picture") -> str:
    """The affirmed text of a report in a file; see :func:`affirmed_text`."""
    return affirmed_text(read_report(path), vocabulary, plane)
