"""A report's text into fields and sentences with character spans (Report, Field, Sentence, Finding, State).

Headings are found whatever their case, with or without a colon, numbered or marked, on their own line or inline.
The original text is never changed: ``text[span]`` gives back exactly what a sentence or heading says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from LMISCore.text.language import detect_language
from LMISCore.text.language import language as tables_of
from LMISCore.text.phrases import rules
from LMISCore.text.report_types import Field, Finding, Report, Sentence, Span, State
from LMISCore.text.splitting import BLANK, LINE_END, sentence_spans

if TYPE_CHECKING:
    from LMISCore.text.findings import Vocabulary

__all__ = ["Field", "Finding", "Report", "Sentence", "Span", "State", "parse_report"]

_WORDS = re.compile(r"[^\W\d_]+")
_BEFORE_HEADING = re.compile(r"[\s#*_>•\-\u200b\ufeff]*(?:\(?\d{1,2}[.)][\s*_]*)?[\s*_]*$")
_MARKER_AFTER_SENTENCE = re.compile(r"(?:\s\(?\d{1,2}[.)])?[\s*_#>]{1,9}$")
_DASH = re.compile(r"\s[-\u2013\u2014]\s")
_IN_BRACKETS = re.compile(r"\s*\([^()\n]{0,60}\)\s*$")
_COLON = re.compile("[:：]")  # noqa: RUF001
_BLANK_LINE_ABOVE = re.compile(r"(?:^|[\r\n])[ \t\xa0]*(?:\r\n|[\r\n])$")
_STOPS = re.compile("[.;:]")
_REACH = 90
_LONGEST_WORD = 24
# What stands right before a colon: a word, or a closing bracket before which the heading's words are looked for.
_LAST_WORD = re.compile(r"(?:([^\W\d_]+)|\))[*_ \t]*$")
_MOST_WORDS = 5


@dataclass(frozen=True)
class _Heading:
    name: str
    kind: str
    start: int
    end: int


def parse_report(text: str, vocabulary: Vocabulary | None = None, language: str | None = None) -> Report:
    """Return the report's fields and sentences; with a vocabulary also each sentence's findings.

    Any string is accepted; text that holds no sentence gives a report without sentences.

    Args:
        text: the whole report. Line ends, tabs, a byte-order mark and wrapped lines may be of any kind.
        vocabulary: the findings that the weights know, from their card; None leaves ``findings`` empty.
        language: code of the report's language, such as "de"; None tells it by the report's words.

    Raises:
        InputError: if there are no rules for that language.
    """
    code = detect_language(text) if language is None else tables_of(language).code
    headings = list(_headings(text))
    starts = [heading.start for heading in headings]
    fields: list[Field] = []
    counts: Counter[str] = Counter()
    first = starts[0] if starts else len(text)
    if text[:first].strip(BLANK):
        fields.append(_field(text, _Heading("", "finding", 0, 0), None, first, counts, vocabulary, code))
    # Not strict: a report without headings still has an end.
    for heading, end in zip(headings, [*starts[1:], len(text)], strict=False):
        fields.append(_field(text, heading, Span(heading.start, heading.end), end, counts, vocabulary, code))
    return Report(text, tuple(fields), code)


def _field(
    text: str,
    heading: _Heading,
    header: Span | None,
    end: int,
    counts: Counter[str],
    vocabulary: Vocabulary | None,
    code: str,
) -> Field:
    from LMISCore.text.findings import assess

    label = heading.name.lower().replace(" ", "-") or "text"
    sentences = []
    for span in sentence_spans(text, heading.end, end):
        counts[label] += 1
        words = span.of(text)
        findings: tuple[Finding, ...] = ()
        if vocabulary is not None and heading.kind == "finding":
            findings = assess(words, vocabulary, offset=span.start, code=code)
        identifier = f"{label}-{counts[label]}"
        sentences.append(Sentence(identifier, words, span, heading.name, findings, heading.kind, code))
    return Field(heading.name, Span(heading.start, end), header, tuple(sentences), heading.kind)


def _headings(text: str) -> Iterator[_Heading]:
    """Yield the headings in order, none overlapping another."""
    begin = 0
    for ending in [*(found.span() for found in LINE_END.finditer(text)), (len(text), len(text))]:
        yield from _headings_of_line(text, begin, ending[0])
        begin = ending[1]


def _headings_of_line(text: str, start: int, end: int) -> Iterator[_Heading]:
    earlier = start
    for colon in _COLON.finditer(text, start, end):
        heading = _before_colon(text, start, earlier, colon.start())
        if heading is not None:
            yield heading
            earlier = heading.end
    if earlier == start and end - start <= _REACH:
        heading = _alone_on_line(text, start, end)
        if heading is not None:
            yield heading


def _before_colon(text: str, line: int, earlier: int, colon: int) -> _Heading | None:
    """Return the heading whose colon stands at ``colon``, if its words are one and it stands where headings do."""
    begin = max(earlier, colon - _REACH)
    last = _LAST_WORD.search(text, max(begin, colon - _LONGEST_WORD), colon)
    if last is None or (last[1] and last[1].lower() not in _last_words()):
        return None
    before = text[begin:colon].rstrip("*_ \t")
    if not before:
        return None
    before = _IN_BRACKETS.sub("", before) if before[-1] == ")" else before
    if not before or not before[-1].isalpha():
        return None
    words = list(_WORDS.finditer(before))[-_MOST_WORDS:]
    for first in range(len(words)):
        field = _field_of([word[0].lower() for word in words[first:]])
        if field is not None and not _STOPS.search(before, words[first].start()):
            start = _heading_start(text, line, begin + words[first].start(), before[words[first].start() :], earlier)
            if start is not None:
                return _Heading(*field, start, _past_emphasis(text, colon + 1))
    return None


def _heading_start(text: str, line: int, start: int, words: str, earlier: int) -> int | None:
    """Return where the heading with words at ``start`` begins (its marker included), None if it is no heading.

    It is one at the line's start, after a sentence, or set off by blanks or capitals. Looks back a bounded way only,
    so that a line of a megabyte stays linear.
    """
    tail = text[max(line, start - _REACH) : start]
    at_line_start = start - line == len(tail)
    if at_line_start and _BEFORE_HEADING.match(tail):
        return line + len(tail) - len(tail.lstrip(BLANK))
    if not tail[-1:].isspace() and tail[-1:] not in "*_":
        return None
    marker = _MARKER_AFTER_SENTENCE.search(tail)
    shown = tail[: marker.start()].rstrip(" \t\xa0") if marker else ""
    if marker and shown[-1:] in (".", ";", "!", "?", ""):
        begin = max(earlier, start - len(tail) + len(shown))
        return start - len(text[begin:start].lstrip(BLANK))
    set_off = tail.endswith(("  ", "\t")) or (words.isupper() and not tail.isupper() and len(words) > 4)
    modifiers = tail.strip(BLANK + "#*_>-")
    # "CT CHEST FINDINGS:"
    if at_line_start and earlier == line and tail.isupper() and modifiers.replace(" ", "").isalpha():
        return line + len(tail) - len(tail.lstrip(BLANK)) if len(modifiers.split()) <= 3 else None
    return start if words[:1].isupper() and set_off else None


def _alone_on_line(text: str, start: int, end: int) -> _Heading | None:
    """Return the heading that is all a line holds, or all before a dash; an ordinary word must show a capital."""
    dash = _DASH.search(text, start, end)
    stop = end if dash is None else dash.start()
    line = text[start:stop].strip(BLANK + "#*_>=-")
    marker = re.match(r"\(?\d{1,2}[.)]\s*", line)
    line = line[marker.end() :].strip("*_ ") if marker else line
    words = [word.lower() for word in _WORDS.findall(line)]
    field = _field_of(words)
    if not line or field is None or not line[-1].isalpha() or _STOPS.search(line):
        return None
    # "history" or "View" may end a wrapped line; below a blank line it is a heading all the same.
    is_plain_word = not line[0].isupper() or (len(words) == 1 and not line.isupper() and field[1] == "context")
    if is_plain_word and start > 0 and not _BLANK_LINE_ABOVE.search(text[max(0, start - _REACH) : start]):
        return None
    begin = start + len(text[start:end]) - len(text[start:end].lstrip(BLANK))
    return _Heading(*field, begin, text.index(line, start, end) + len(line) if dash is None else dash.end())


def _past_emphasis(text: str, position: int) -> int:
    while position < len(text) and text[position] in "*_":
        position += 1
    return position


def _field_of(words: list[str]) -> tuple[str, str] | None:
    """Return the canonical name and the kind of a heading's words, None if they are none; two headings may be one."""
    names = _names()
    found = names.get(" ".join(words))
    if found is not None:
        return found
    joining = rules("fields")["joining"]
    for cut in range(1, len(words)):
        first = names.get(" ".join(words[:cut]))
        second = names.get(" ".join(words[cut + (words[cut] in joining) :]))
        if first is not None and second is not None:
            return second if second[1] == "finding" and first[1] != "finding" else first
    return None


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, str]]:
    """Return heading words in lower case -> (canonical name, kind)."""
    fields = rules("fields")["fields"]
    return {name: (field, entry["kind"]) for field, entry in fields.items() for name in entry["names"]}


@lru_cache(maxsize=1)
def _last_words() -> frozenset[str]:
    return frozenset(name.rsplit(" ", 1)[-1] for name in _names())
