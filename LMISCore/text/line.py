"""One sentence as words with what they can be, what its phrases mark, and where one statement of it ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from LMISCore.text.language import Kind, Language, Values
from LMISCore.text.phrases import tokens
from LMISCore.text.report_types import Span

NO_VALUES: Values = {}
_OPEN, _CLOSE = ("(", "["), (")", "]")
_DASHES = ("-", "\u2013", "\u2014")
_ANSWERS = {"negation>", "<negation", "<negation>", "resolved", "uncertain>", "<uncertain", "<uncertain>"}
_SAYS_WHERE = Kind.ORGAN | Kind.ANATOMY | Kind.PREPOSITION | Kind.DETERMINER | Kind.PROPERTY
_LABEL_WORDS = 7
_VERB_WITHIN = 6
_SIZE = re.compile(
    r"(?<![\d.,/])\d{1,4}(?:[.,]\d{1,2})?"
    r"(?:(?:\s?(?:mm|cm))?\s?[x×]\s?\d{1,4}(?:[.,]\d{1,2})?|\s?(?:-|–|to|bis)\s?\d{1,4}(?:[.,]\d{1,2})?){0,2}"  # noqa: RUF001
    r"\s?-?(mm|cm)\b(?!\s?h2o)",
    re.IGNORECASE,
)
# "Small L effusion", "nodule (R)"; not "L4", "R > L", "L spine".
_SIDE_LETTER = re.compile(r"(?<![\w<>/.-])(?<![<>]\s)[LR](?=\s+(?!spin)[^\W\d_]|\)|[.,;]?\s*$)")
_UNIT = re.compile("[cm]m", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,2})?")


@dataclass(frozen=True)
class Mark:
    """A phrase that says something of a finding: tokens ``first`` to ``end``, and what."""

    first: int
    end: int
    values: Values


@dataclass(frozen=True)
class Size:
    """A length in the text: tokens ``first`` to ``end``, the largest of its numbers in mm."""

    first: int
    end: int
    mm: float


@dataclass
class Line:
    """A sentence, word by word.

    Attributes:
        text: the sentence.
        words: folded words and signs.
        spans: where each stands in ``text``.
        kinds: what each can be.
        marks: phrases in order, none overlapping another.
        mark_at: the mark that covers each word, None without one.
        clause: the number of the statement that each word belongs to; a contrast or a new subject begins another.
        depth: how many brackets are open at each word.
        label: words before the colon that opens the sentence, as in "Right kidney: ..."; 0 without one.
        sizes: lengths in order.
    """

    text: str
    words: list[str]
    spans: list[Span]
    kinds: list[int]
    marks: list[Mark]
    mark_at: list[Mark | None]
    clause: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    label: int = 0
    sizes: list[Size] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.words)

    def has(self, place: int, kind: str) -> bool:
        """Whether the phrase at a word marks ``kind``."""
        mark = self.mark_at[place]
        return mark is not None and kind in mark.values

    def values(self, place: int) -> Values:
        """What the phrase at a word says; nothing where there is none."""
        mark = self.mark_at[place]
        return NO_VALUES if mark is None else mark.values

    def marked(self, kind: str, first: int, end: int) -> list[Mark]:
        """The marks of a kind that begin from word ``first`` up to ``end``."""
        start = bisect_left(self.marks, first, key=lambda mark: mark.first)
        found = []
        for mark in self.marks[start:]:
            if mark.first >= end:
                break
            if kind in mark.values:
                found.append(mark)
        return found

    def span(self, first: int, end: int) -> Span:
        """Where the words from ``first`` up to ``end`` stand in the text."""
        return Span(self.spans[first].start, self.spans[end - 1].end)

    def is_number(self, place: int) -> bool:
        """Whether a word begins with a digit."""
        return self.words[place][0].isdigit()

    def answer_at(self, place: int) -> bool:
        """Whether a denial, a doubt or a "resolved" and nothing else stands there, up to a comma: "Effusion: no"."""
        mark = self.mark_at[place] if place < len(self) else None
        if mark is None or mark.first != place or not mark.values.keys() & _ANSWERS or "harmless" in mark.values:
            return False
        return mark.end == len(self) or self.words[mark.end] in (",", ";")

    def size_at(self, place: int) -> Size | None:
        """The length that a word belongs to; None without one."""
        for size in self.sizes:
            if size.first <= place < size.end:
                return size
        return None


def read_line(text: str, language: Language) -> Line:
    """Return a sentence's words, marks, statements and lengths."""
    lowered, found = tokens(text)
    words = [language.fold(word) for word in lowered]
    for place, match in enumerate(found):
        if match[0] in language.side_letters and _SIDE_LETTER.match(text, match.start()) is not None:
            words[place] = language.fold(language.side_letters[match[0]])
    spans = [Span._make(match.span()) for match in found]
    kinds = [language.kinds(word) for word in words]
    marks = [Mark(*each) for each in language.marks.find(words)]
    mark_at: list[Mark | None] = [None] * len(words)
    for mark in marks:
        mark_at[mark.first : mark.end] = [mark] * (mark.end - mark.first)
    line = Line(text, words, spans, kinds, marks, mark_at)
    line.depth = _depths(words)
    line.sizes = _sizes(text, spans)
    line.label = _label(line)
    line.clause = _clauses(line)
    return line


def _depths(words: Sequence[str]) -> list[int]:
    depth, depths = 0, []
    for word in words:
        if word in _OPEN:
            depth += 1
        depths.append(depth)
        if word in _CLOSE:
            depth = max(0, depth - 1)
    return depths


def _sizes(text: str, spans: Sequence[Span]) -> list[Size]:
    sizes: list[Size] = []
    if _UNIT.search(text) is None:
        return sizes
    starts = [span.start for span in spans]
    for match in _SIZE.finditer(text):
        unit = 10.0 if match[1].lower() == "cm" else 1.0
        largest = max(float(number.replace(",", ".")) for number in _NUMBER.findall(match[0])) * unit
        first, end = bisect_left(starts, match.start()), bisect_left(starts, match.end())
        if first < end and largest > 0:
            sizes.append(Size(first, end, round(largest, 3)))
    return sizes


def _label(line: Line) -> int:
    """Return how many words stand before the colon that opens the sentence as a label."""
    for place, word in enumerate(line.words[: _LABEL_WORDS + 1]):
        if word == ":":
            return place
        if word in (",", ";", "?") or (line.kinds[place] & Kind.VERB and not line.kinds[place] & Kind.ORGAN):
            return 0
    return 0


def _clauses(line: Line) -> list[int]:
    """Number the statements; a contrast, semicolon, dash, or comma before a new subject with its verb parts them."""
    number, numbers, begun, has_verb = 0, [], 0, False
    words, kinds = line.words, line.kinds
    for place, word in enumerate(words):
        mark = line.mark_at[place]
        breaks = mark is not None and mark.first == place and "break" in mark.values
        breaks = breaks or word == ";" or (word in _DASHES and not _goes_on(line, place + 1))
        if not breaks and place > begun and (word == "," or kinds[place] & Kind.CONJUNCTION) and has_verb:
            breaks = _new_subject(line, place + 1)
        if word == ":" and place != line.label and not line.answer_at(place + 1):
            breaks = True
        if breaks and place > 0:
            number, begun, has_verb = number + 1, place, False
        if kinds[place] & Kind.VERB:
            has_verb = True
        numbers.append(number)
    return numbers


def _goes_on(line: Line, first: int) -> bool:
    """Whether what follows a dash belongs to what stands before it: an answer, or nothing but a place and a size."""
    if line.answer_at(first):
        return True
    placed = False
    for place in range(first, len(line)):
        word, values = line.words[place], line.values(place)
        if word in (";", *_DASHES):
            break
        placed = placed or bool(values.keys() & {"side", "zone"})
        if values.keys() & {"side", "zone"} or line.kinds[place] & _SAYS_WHERE or line.size_at(place) is not None:
            continue
        if word not in (",", "(", ")") and not line.kinds[place] & Kind.CONJUNCTION:
            return False
    return placed


def _new_subject(line: Line, first: int) -> bool:
    """Whether a subject with a verb of its own begins at word ``first``."""
    if first < len(line) and line.kinds[first] & Kind.RELATIVE:
        return False
    for place in range(first, min(first + _VERB_WITHIN, len(line))):
        kind, word = line.kinds[place], line.words[place]
        if kind & Kind.VERB and not kind & Kind.ORGAN:
            return place > first
        if word in (",", ";", "(", ")", ":") or kind & (Kind.COMPANION | Kind.CONJUNCTION):
            return False
        if line.values(place).keys() & {"negation>", "uncertain>", "<uncertain>", "affirm>"}:
            return False
    return False
