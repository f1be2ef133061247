"""What a clause says of a finding: side, thirds of the picture, head-feet levels, count, size, severity, comparison."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from LMISCore.text.levels import take_levels
from LMISCore.text.phrases import PhraseTable, rules, tokens

MOST_CHARACTERS = 2000
"""Read of a clause: longer ones are no prose, and the rules look at every word several times."""

_SIZE = re.compile(
    r"(?<![\d.,])(\d{1,4}(?:[.,]\d{1,2})?)(?:\s?(?:mm|cm)?\s?[x×]\s?(\d{1,4}(?:[.,]\d{1,2})?)){0,2}\s?-?(mm|cm)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,2})?")
_COUNT_REACH = 3


class Attributes(NamedTuple):
    """Fields of a Finding that its clause tells."""

    side: frozenset[str]
    zones: frozenset[str]
    levels: frozenset[str]
    size_mm: float | None
    severity: str | None
    comparison: str | None


@lru_cache(maxsize=4096)
def attributes(clause: str) -> Attributes:
    """Return side, zones, levels, size_mm, severity and comparison of a clause. Cached: reports repeat themselves."""
    clause = clause[:MOST_CHARACTERS]
    rest, levels, _ = take_levels(clause)
    words, _ = tokens(clause)
    sides = {side for _, _, value in _table("side").find(words) for side in value.split()}
    return Attributes(
        side=frozenset(sides),
        zones=_zones(tokens(rest)[0] if levels else words),
        levels=levels,
        size_mm=size_mm(clause),
        severity=next((value for _, _, value in _table("severity").find(words)), None),
        comparison=next((value for _, _, value in _table("comparison").find(words)), None),
    )


def size_mm(text: str) -> float | None:
    """Return the largest dimension that ``text`` states, in mm: "3.5 x 2 cm" gives 35.

    >>> size_mm("a 3.5 x 2 cm nodule"), size_mm("no size")
    (35.0, None)
    """
    sizes = [
        float(number.replace(",", ".")) * (10.0 if found[3].lower() == "cm" else 1.0)
        for found in _SIZE.finditer(text)
        for number in _NUMBER.findall(found[0])
    ]
    return max(sizes, default=None)


def count_before(words: Sequence[str], mention: int) -> int | None:
    """Return the number that stands at most three words before the word ``mention``: "two infected areas" gives 2."""
    words = list(words[max(0, mention - _COUNT_REACH) : mention])
    for _, end, value in reversed(_table("number").find(words)):
        if words[end : end + 1] != ["of"]:
            return int(value)
    digits = [word for word in words if word.isdecimal() and len(word) <= 2]
    units = {"mm", "cm", "ml", "hu", "days", "day", "weeks", "week", "months", "years", "year"}
    return int(digits[-1]) if digits and not units & set(words) else None


def _zones(words: Sequence[str]) -> frozenset[str]:
    no_place = frozenset(rules("attributes")["middle_is_no_place_before"])
    return frozenset(
        value
        for first, _, value in _table("zone").find(words)
        if value != "middle" or not no_place & set(words[first + 1 : first + 2])
    )


@cache
def _table(name: str) -> PhraseTable[str]:
    table = rules("attributes")[name]
    return PhraseTable((phrase.split(), value) for value, phrases in table.items() for phrase in phrases)
