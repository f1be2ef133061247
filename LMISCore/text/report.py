"""A report's text into fields and sentences with character spans (Report, Field, Sentence, Finding, State).

Headings are found whatever their case, with or without a colon, numbered or marked, on their own line or inline.
The original text is never changed: ``text[span]`` gives back exactly what a sentence or heading says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from LMISCore.text.phrases import rules
from LMISCore.text.report_types import Field, Finding, Report, Sentence, Span, State
from LMISCore.text.splitting import BLANK, LINE_END, sentence_spans

if TYPE_CHECKING:
    from LMISCore.text.findings import Vocabulary

__all__ = ["Field", "Finding", "Report", "Sentence", "Span", "State", "parse_report"]

_WORDS = re.compile(r"[^\W\d_]+")
_BEFORE_HEADING = re.compile(r"[\s#*_>•\-\u200b\ufeff]*(?:\(?\d{1,2}[.)][\s*_]*)?[\s*_]*$")
_IN_BRACKETS = re.compile(r"\s*\([^()\n]{0,60}\)\s*$")
_COLON = re.compile("[:：]")  # noqa: RUF001
_BLANK_LINE_ABOVE = re.compile(r"(?:^|[\r\n])[ \t\xa0]*(?:\r\n|[\r\n])$")
_REACH = 90
_MOST_WORDS = 5


@dataclass(frozen=True)
class _Heading:
    name: str
    kind: str
    start: int
    end: int


def parse_report(text: str, vocabulary: Vocabulary | None = None) -> Report:
    """Return the report's fields and sentences; with a vocabulary also each sentence's findings.

    Any string is accepted; text that holds no sentence gives a report without sentences.

    Args:
        text: the whole report. Line ends, tabs, a byte-order mark and wrapped lines may be of any kind.
        vocabulary: the findings that the weights know, from their card; None leaves ``findings`` empty.
    """
    headings = list(_headings(text))
    starts = [heading.start for heading in headings]
    fields: list[Field] = []
    counts: Counter[str] = Counter()
    first = starts[0] if starts else len(text)
    if text[:first].strip(BLANK):
        fields.append(_field(text, _Heading("", "finding", 0, 0), None, first, counts, vocabulary))
    for heading, end in zip(headings, [*starts[1:], len(text)], strict=False):
        fields.append(_field(text, heading, Span(heading.start, heading.end), end, counts, vocabulary))
    return Report(text, tuple(fields))


def _field(
    text: str, heading: _Heading, header: Span | None, end: int, counts: Counter[str], vocabulary: Vocabulary | None
) -> Field:
    from LMISCore.text.findings import assess

    label = heading.name.lower().replace(" ", "-") or "text"
    sentences = []
    for span in sentence_spans(text, heading.end, end):
        counts[label] += 1
        words = span.of(text)
        findings: tuple[Finding, ...] = ()
        if vocabulary is not None and heading.kind == "finding":
            findings = tuple(_shifted(finding, span.start) for finding in assess(words, vocabulary))
        sentences.append(Sentence(f"{label}-{counts[label]}", words, span, heading.name, findings, heading.kind))
    return Field(heading.name, Span(heading.start, end), header, tuple(sentences), heading.kind)


def _shifted(finding: Finding, by: int) -> Finding:
    return replace(
        finding,
        span=finding.span.shifted(by),
        cue=finding.cue and finding.cue.shifted(by),
        clauses=tuple(clause.shifted(by) for clause in finding.clauses),
    )


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
    before = text[begin:colon].rstrip("*_ \t")
    if not before:
        return None
    before = _IN_BRACKETS.sub("", before) if before[-1] == ")" else before
    if not before or not before[-1].isalpha():
        return None
    words = list(_WORDS.finditer(before))[-_MOST_WORDS:]
    names = _names()
    for first in range(len(words)):
        name = " ".join(word[0].lower() for word in words[first:])
        if name in names and not any(sign in ".,;:" for sign in before[words[first].start() :]):
            start = begin + words[first].start()
            if _stands_as_heading(text, line, start, before[words[first].start() :], earlier > line):
                return _Heading(*names[name], start, _past_emphasis(text, colon + 1))
    return None


def _stands_as_heading(text: str, line: int, start: int, words: str, follows_heading: bool) -> bool:
    """Whether heading words at ``start`` stand at the line's start, after a sentence, or set off by blanks or capitals.

    Looks back a bounded way only, so that a line of a megabyte stays linear.
    """
    tail = text[max(line, start - _REACH) : start]
    if start - line <= _REACH and _BEFORE_HEADING.match(tail):
        return True
    if not tail[-1:].isspace() and tail[-1:] not in "*_":
        return False
    shown = tail.rstrip(" \t*_\xa0")
    if shown[-1:] in (".", ";", "!", "?", ""):
        return True
    set_off = tail.endswith(("  ", "\t")) or (words.isupper() and not shown.isupper() and len(words) > 4)
    modifiers = shown.strip(BLANK + "#*_>-")
    only_modifiers = (
        not follows_heading
        and start - line <= _REACH
        and tail.isupper()
        and len(modifiers.split()) <= 3
        and modifiers.replace(" ", "").isalpha()
    )
    return words[:1].isupper() and (set_off or only_modifiers)


def _alone_on_line(text: str, start: int, end: int) -> _Heading | None:
    """Return the heading that is all a line holds, without colon; an ordinary word must show itself by a capital."""
    line = text[start:end].strip(BLANK + "#*_>=-")
    marker = re.match(r"\(?\d{1,2}[.)]\s*", line)
    line = line[marker.end() :].strip("*_ ") if marker else line
    name = " ".join(word.lower() for word in _WORDS.findall(line))
    if not line or name not in _names() or not line[-1].isalpha() or any(sign in ".,;:" for sign in line):
        return None
    # "history" or "View" may end a wrapped line; below a blank line it is a heading all the same.
    is_plain_word = not line[0].isupper() or (" " not in name and not line.isupper() and _names()[name][1] == "context")
    if is_plain_word and start > 0 and not _BLANK_LINE_ABOVE.search(text[max(0, start - _REACH) : start]):
        return None
    begin = text.index(line[0], start, end) if marker is None else text.index(line, start, end)
    return _Heading(*_names()[name], begin, begin + len(line))


def _past_emphasis(text: str, position: int) -> int:
    while position < len(text) and text[position] in "*_":
        position += 1
    return position


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, str]]:
    """Return heading words in lower case -> (canonical name, kind)."""
    fields = rules("fields")["fields"]
    return {name: (field, entry["kind"]) for field, entry in fields.items() for name in entry["names"]}
