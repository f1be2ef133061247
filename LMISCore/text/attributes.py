"""Thirds of the axial picture that words name, and the length of what they measure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

from LMISCore.text.levels import take_levels
from LMISCore.text.phrases import PhraseTable, rules, tokens

MOST_CHARACTERS = 2000
"""Read of a clause: longer ones are no prose, and the rules look at every word several times."""

_SIZE = re.compile(
    r"(?<![\d.,])(\d{1,4}(?:[.,]\d{1,2})?)(?:\s?(?:mm|cm)?\s?[x×]\s?(\d{1,4}(?:[.,]\d{1,2})?)){0,2}\s?-?(mm|cm)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d{1,4}(?:[.,]\d{1,2})?")


@lru_cache(maxsize=4096)
def thirds(clause: str) -> frozenset[str]:
    """Return which of "anterior", "middle", "posterior" a clause names; head-feet words are none of them.

    >>> sorted(thirds("middle posterior left lung")), sorted(thirds("middle lobe"))
    (['middle', 'posterior'], [])
    """
    clause = clause[:MOST_CHARACTERS]
    rest, levels, _ = take_levels(clause)
    return _zones(tokens(rest if levels else clause)[0])


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


def _zones(words: Sequence[str]) -> frozenset[str]:
    no_place = frozenset(rules("attributes")["middle_is_no_place_before"])
    return frozenset(
        value
        for first, _, value in _table().find(words)
        if value != "middle" or not no_place & set(words[first + 1 : first + 2])
    )


@cache
def _table() -> PhraseTable[str]:
    table = rules("attributes")["zone"]
    return PhraseTable((phrase.split(), value) for value, phrases in table.items() for phrase in phrases)
