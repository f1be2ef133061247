"""Words with their places, and tables of phrases looked up word by word (longest phrase first, linear in the text)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, Generic, TypeVar

from LMISCore.resources import resource

Value = TypeVar("Value")

# Numbers keep their decimals, r/o, w/o, c/w and their like are words, a hyphen inside a word separates, one between
# spaces is a dash.
_TOKEN = re.compile(
    r"\b(?:[rsw]/[op]|c/w|h/o|b/l|d/t)\b|\d{1,9}(?:[.,]\d{1,9})?|[^\W\d_]+(?:['’][^\W\d_]+)*|[,;:?()\[\]]|(?<=\s)[-–—]+(?=\s)",  # noqa: RUF001
    re.IGNORECASE,
)
_IRREGULAR = {
    "atelectases": "atelectasis",
    "metastases": "metastasis",
    "diagnoses": "diagnosis",
    "nuclei": "nucleus",
    "foci": "focus",
    "emboli": "embolus",
    "thrombi": "thrombus",
    "bullae": "bulla",
    "pneumoniae": "pneumonia",
}
_ENDINGS = ("ations", "ation", "ative", "ated", "ions", "ion", "ious", "ive", "ed")
_KEPT_LETTERS = 5
_SAME = {"\u2013": "-", "\u2014": "-", "isn\u2019t": "isn't", "aren\u2019t": "aren't", "can\u2019t": "can't"}


def tokens(text: str) -> tuple[list[str], list[re.Match[str]]]:
    """Return the words, numbers and meaningful signs of ``text`` in lower case, and where each stands."""
    found = list(_TOKEN.finditer(text))
    if text.isascii():
        return [match[0].lower() for match in found], found
    return [_SAME.get(word, word) for word in (match[0].lower() for match in found)], found


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return ``word`` without plural and without the endings that turn a noun into an adjective or participle.

    >>> [stem(word) for word in ("opacities", "infected", "infection", "consolidative", "masses", "atelectases")]
    ['opacity', 'infect', 'infect', 'consolid', 'mass', 'atelectasis']
    """
    word = word.removesuffix("'s")
    word = _IRREGULAR.get(word, word)
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _KEPT_LETTERS:
            return word[: -len(ending)]
    return word


class PhraseTable(Generic[Value]):
    """Phrases (sequences of words) and what each means."""

    def __init__(self, entries: Iterable[tuple[Sequence[str], Value]]) -> None:
        self._values: dict[tuple[str, ...], Value] = {}
        for words, value in entries:
            if words:
                self._values.setdefault(tuple(words), value)
        lengths: dict[str, set[int]] = {}
        for phrase in self._values:
            lengths.setdefault(phrase[0], set()).add(len(phrase))
        self._lengths = {word: sorted(found, reverse=True) for word, found in lengths.items()}

    def find(self, words: Sequence[str]) -> list[tuple[int, int, Value]]:
        """Return (first, past the last, value) of each phrase in ``words``, none overlapping another."""
        found: list[tuple[int, int, Value]] = []
        position = 0
        lengths = self._lengths
        if lengths.keys().isdisjoint(words):
            return found
        for start, word in enumerate(words):
            if word not in lengths or start < position:
                continue
            for length in lengths[word]:
                phrase = tuple(words[start : start + length])
                if phrase in self._values:
                    # Near the end fewer words than asked for are left.
                    position = start + len(phrase)
                    found.append((start, position, self._values[phrase]))
                    break
        return found


@cache
def rules(name: str) -> dict[str, Any]:
    """Return the rule table ``resources/rules/<name>.json``."""
    loaded: dict[str, Any] = json.loads(resource("rules", f"{name}.json").read_text(encoding="utf-8"))
    return loaded
