"""The types of a report: fields, sentences, findings and their states. Every span points into the original text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """What becomes of a sentence (or of one finding in it); only an affirmed one gets a mask, unless forced."""

    AFFIRMED = "affirmed"
    NEGATED = "negated"
    UNCERTAIN = "uncertain"
    HISTORICAL = "historical"
    """Of the patient's past, and not said to be visible now."""
    NORMAL = "normal"
    """Says that an organ is normal."""
    NOT_COVERED = "not covered"
    """Nothing in it is in the vocabulary that the weights were trained with, or its field describes no image."""
    ABSENT = "absent"
    """Affirmed by the report, but the presence score is under the card's threshold."""
    STALE = "stale"
    """Its text, image or weights changed after the mask was made."""


class Span(NamedTuple):
    """Characters ``start`` up to but not including ``end`` of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """These characters of ``text``."""
        return text[self.start : self.end]

    def shifted(self, by: int) -> Span:
        """The same characters in a text that has ``by`` more before them."""
        return Span(self.start + by, self.end + by)


@dataclass(frozen=True)
class Finding:
    """One finding that a sentence names; spans as in its sentence's text or, inside a Report, in the report's.

    Attributes:
        words: as the report spells the first mention.
        span: of these words.
        status: affirmed, negated, uncertain, historical or normal.
        name: canonical name in the vocabulary, None if it is not in it.
        side: of "left", "right": the patient's.
        zones: of "anterior", "middle", "posterior": thirds of an axial picture, front to back; and of "central",
            "peripheral".
        levels: of "upper", "mid", "lower": head to feet.
        count: number of areas, if the text gives one.
        size_mm: largest stated dimension in mm.
        severity: minimal, mild, moderate or severe.
        comparison: new, unchanged, increased, decreased or resolved.
        cue: the words that negate it, leave it uncertain, put it in the past or call it normal.
        clauses: the parts of the sentence that are about it.
    """

    words: str
    span: Span
    status: State
    name: str | None = None
    side: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()
    count: int | None = None
    size_mm: float | None = None
    severity: str | None = None
    comparison: str | None = None
    cue: Span | None = None
    clauses: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Sentence:
    """One sentence; ``text`` is exactly the original's characters at ``span``, line breaks included.

    Attributes:
        id: the field's name and a running number, such as "findings-1"; "text-1" without heading.
        field: canonical name of its field, "" without heading.
        findings: those of the vocabulary that the report was read with.
        kind: "finding" if its field describes the image, "context" (history, technique, ...) if not.
        language: code of the report's language.
    """

    id: str
    text: str
    span: Span
    field: str
    findings: tuple[Finding, ...] = ()
    kind: str = "finding"
    language: str = "en"


@dataclass(frozen=True)
class Field:
    """A headed part of a report, heading included.

    Attributes:
        name: canonical, e.g. "FINDINGS"; "" for text without heading.
        header: of the heading with its colon; None without heading.
        kind: "finding" or "context".
    """

    name: str
    span: Span
    header: Span | None
    sentences: tuple[Sentence, ...]
    kind: str = "finding"


@dataclass(frozen=True)
class Report:
    """A report's original text, its fields in order and the code of its language."""

    text: str
    fields: tuple[Field, ...]
    language: str = "en"

    @property
    def sentences(self) -> Iterator[Sentence]:
        """All sentences in the order of the text."""
        for field in self.fields:
            yield from field.sentences

    def sentence(self, identifier: str) -> Sentence:
        """Return the sentence of that id.

        Raises:
            KeyError: if there is none.
        """
        for sentence in self.sentences:
            if sentence.id == identifier:
                return sentence
        raise KeyError(identifier)
