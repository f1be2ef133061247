"""Sentences of a stretch of report text, with their places: full stops, list items, wrapped and unwrapped lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from LMISCore.text.phrases import rules
from LMISCore.text.report_types import Span

LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
# All that str.isspace knows, the zero-width space and the byte-order mark.
BLANK = "".join(character for character in map(chr, range(0x3001)) if character.isspace()) + "\u200b\ufeff"
_MARKER = re.compile(r"(?:\(?\d{1,2}[.)](?=[A-Z])|(?:\(?\d{1,2}[.)]|[-*•‣·–]|\(?[a-h]\))(?=\s))[ \t\xa0]{0,9}")  # noqa: RUF001
# The second form mends a missing blank: "left lung.No effusion".
_STOP = re.compile(r"[.!?]+[\"'”\u2019)\]]{0,3}(?=\s|$)|(?<=[a-z]{3})\.(?=[A-Z][a-z])")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_LAST_WORD = re.compile(r"[^\s(\[/,;:]{1,24}$")
# A label's answer ends its line; a line that begins with a label begins a statement, whatever its case.
_ANSWERED = re.compile(r"(?:[:=|?]|\s[-\u2013\u2014]|\t|\.{2}|[^\s.!?]\s{2})\s*([^\W\d_]+)[.!]?$")
_LABELLED = re.compile(r"[^\W\d_][^\W\d_]*(?:[ /-][^\W\d_]+){0,3}\s?:(?=\s|$)")
_ANSWER = re.compile(r"[^\S\r\n]*([^\W\d_]+)[.,;!]?(?=\s*$|\s*[\r\n]|\s+[A-Z])")
# Shorter lines are no sign of wrapping at all.
_LEAST_WRAP = 40


def sentence_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the spans of the sentences in ``text[start:end]``: trimmed, in order, none without a letter or digit.

    List markers ("1.", "-") lie outside the spans. A line break ends a sentence if a blank line, a list item or what
    looks like a new statement follows; other line breaks are wrapping.
    """
    for block in _blocks(text, start, end):
        begin = block.start
        for stop in _STOP.finditer(text, block.start, block.end):
            # A list number at a sentence's start is a marker, not a sentence: "1. Clear lungs. 2. No effusion."
            begin = _past_marker(text, begin, block.end)
            if stop.end() <= begin or _asks(stop, begin) or not _ends_sentence(text, stop, block.end):
                continue
            yield from _tidy(text, begin, stop.end())
            begin = stop.end()
        yield from _tidy(text, _past_marker(text, begin, block.end), block.end)


def _asks(stop: re.Match[str], begin: int) -> bool:
    """Whether a question mark opens what it asks about: "? effusion"."""
    return stop[0] == "?" and stop.start() == begin


def _tidy(text: str, start: int, end: int) -> Iterator[Span]:
    inside = text[start:end]
    if _LETTER_OR_DIGIT.search(inside):
        start += len(inside) - len(inside.lstrip(BLANK))
        yield Span(start, start + len(inside.strip(BLANK)))


def _past_marker(text: str, start: int, end: int) -> int:
    while start < end and text[start] in BLANK:
        start += 1
    marker = _MARKER.match(text, start, end)
    return marker.end() if marker else start


def _blocks(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield stretches that no sentence crosses, made of one or more lines."""
    lines = list(_lines(text, start, end))
    longest = max((line.end - line.start for line in lines), default=0)
    first: int | None = None
    previous: Span | None = None
    for line in lines:
        inside = line.of(text)
        starts_new = (
            previous is None
            or _MARKER.match(inside) is not None
            or _is_new_statement(previous.of(text), inside, longest)
        )
        if first is not None and previous is not None and (starts_new or not inside):
            yield Span(first, previous.end)
            first = None
        if inside and first is None:
            first = line.start
        previous = line if inside else None
    if first is not None and previous is not None:
        yield Span(first, previous.end)


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    begin = start
    for ending in LINE_END.finditer(text, start, end):
        yield _trimmed(text, begin, ending.start())
        begin = ending.end()
    yield _trimmed(text, begin, end)


def _trimmed(text: str, start: int, end: int) -> Span:
    inside = text[start:end]
    left = len(inside) - len(inside.lstrip(BLANK))
    return Span(start + left, start + left + len(inside.strip(BLANK)))


def _is_new_statement(before: str, after: str, longest: int) -> bool:
    """Whether a line break between two lines ends a statement that has no full stop."""
    if not after[:1].isupper() and not after[:1].isdigit():
        return bool(_LABELLED.match(before) and _LABELLED.match(after))
    if not before[-1:].isalnum() and before[-1:] not in ")]%\"'":
        return False
    table = _table()
    last = before.rsplit(None, 1)[-1].lower()
    if last in table["unfinished"] and not (last in table["answers"] and _answer_ends_line(before, after)):
        return False
    word = after.split(None, 1)[0]
    if word[0].isupper() and (word[1:2].islower() or len(word) == 1) and not before.isupper():
        return True
    # Capitals and numbers begin statements and continue lines alike; a wrapped line had no room for the next word.
    return len(before) + 1 + len(word) <= max(longest, _LEAST_WRAP)


def _answer_ends_line(before: str, after: str) -> bool:
    """Whether a line is a label with its answer, and the next one is another: "Effusion: no" above "Mass: yes"."""
    follows = _LABELLED.match(after) or _ANSWERED.search(after[-_LEAST_WRAP:])
    return bool(follows and _ANSWERED.search(before[-_LEAST_WRAP:]))


def _ends_sentence(text: str, stop: re.Match[str], end: int) -> bool:
    if stop[0][0] == "?" or stop[0].startswith("..."):
        answer = _ANSWER.match(text, stop.end(), end)
        if answer and answer[1].lower() in _table()["answers"]:
            return False
    if not stop[0].startswith("."):
        return True
    position = stop.end()
    while position < end and text[position] in BLANK:
        position += 1
    following = text[position] if position < end else ""
    if not following:
        return True
    if stop[0].startswith(".."):
        return following.isupper()
    found = _LAST_WORD.search(text, max(0, stop.start() - 24), stop.start())
    word = found[0].lower().lstrip("\"'“‘") if found else ""  # noqa: RUF001
    table = _table()
    if word in table["never"]:
        return False
    if word in table["before_lower"]:
        return following.isupper()
    if word in table["before_starter"]:
        next_word = re.match(r"\w{1,16}", text[position : position + 16])
        return following.isupper() and next_word is not None and next_word[0].lower() in table["starters"]
    if word in table["before_digit"]:
        return not following.isdigit()
    if len(word) == 1 and word.isalpha() and found is not None and found[0].isupper():
        # An initial, unless a usual first word follows: "J. Smith", but "hepatitis C. No effusion."
        next_word = re.match(r"\w{1,12}", text[position : position + 12])
        return next_word is not None and next_word[0].lower() in table["starters"]
    return True


@lru_cache(maxsize=1)
def _table() -> dict[str, frozenset[str]]:
    return {key: frozenset(value) for key, value in rules("sentences").items() if key != "about"}
