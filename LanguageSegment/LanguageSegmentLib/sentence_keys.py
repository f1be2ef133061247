"""Keys that stay with a report's sentences while its text is edited.

Sentence ids count ("findings-2") and shift when a sentence is put in before; a key does not. After an edit the old and
the new sentences are aligned field by field: the same words keep their key wherever they moved to, a rewritten
sentence keeps the key of the one it replaced, a deleted one takes its key with it and gets it back when it returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from LMISCore.text.report import Report, Sentence

# Beyond this many comparisons rewritten sentences are paired in order instead of by likeness.
_MOST_COMPARISONS = 400
_MOST_GONE = 500


@dataclass(frozen=True)
class Keyed:
    """A sentence as it stood when its key was given or last confirmed; ``words`` without line breaks."""

    key: str
    field: str
    words: str


@dataclass
class Register:
    """The keys of one report.

    Attributes:
        present: in the order of the text.
        gone: of deleted sentences, latest last.
        last: highest number given so far for each label, so that no key is given twice.
    """

    present: list[Keyed] = field(default_factory=list)
    gone: list[Keyed] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)

    def knows(self, key: str) -> bool:
        """Whether a sentence has this key, or a deleted one had it."""
        return any(each.key == key for each in [*self.present, *self.gone])

    def to_json(self) -> str:
        """The register as one line of ASCII."""
        present, gone = ([[each.key, each.field, each.words] for each in part] for part in (self.present, self.gone))
        return json.dumps({"present": present, "gone": gone, "last": self.last})

    @staticmethod
    def from_json(text: str) -> Register:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: if it is something else.
        """
        try:
            content: Any = json.loads(text)
            present, gone = ([Keyed(*map(str, each)) for each in content[part]] for part in ("present", "gone"))
            return Register(present, gone, {str(label): int(last) for label, last in content["last"].items()})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a register of sentence keys") from error


def plain_words(text: str) -> str:
    """Return a sentence without its line breaks and doubled blanks: wrapping a line anew changes nothing it says."""
    return " ".join(text.split())


def align(register: Register, report: Report) -> Register:
    """Return the register of ``report``, with the keys of ``register`` kept as far as its sentences are there."""
    sentences = list(report.sentences)
    new = [(each.field, plain_words(each.text)) for each in sentences]
    keys: list[str | None] = [None] * len(new)
    old = list(register.present)
    free = set(range(len(old)))

    def give(place: int, number: int) -> None:
        keys[place] = old[number].key
        free.discard(number)

    gaps = _same_order(old, new, give)
    _same_words(old, free, new, keys, give, lambda each: (each.field, each.words), lambda item: item)
    _same_words(old, free, new, keys, give, lambda each: each.words, lambda item: item[1])
    returned = _returned(register.gone, new, keys)
    for numbers, places in gaps:
        _rewritten(
            old, [n for n in numbers if n in free], new, [place for place in places if keys[place] is None], give
        )
    last = dict(register.last)
    named = [
        Keyed(key if key is not None else _new_key(sentence, last), *item)
        for key, sentence, item in zip(keys, sentences, new, strict=True)
    ]
    gone = [each for each in register.gone if each.key not in returned] + [old[number] for number in sorted(free)]
    return Register(named, gone[-_MOST_GONE:], last)


def _same_order(
    old: Sequence[Keyed], new: Sequence[tuple[str, str]], give: Callable[[int, int], None]
) -> list[tuple[list[int], list[int]]]:
    """Match runs of unchanged sentences within each field; return what lies between them, old and new numbers."""
    gaps = []
    for name in dict.fromkeys(item[0] for item in new):
        numbers = [number for number, each in enumerate(old) if each.field == name]
        places = [place for place, item in enumerate(new) if item[0] == name]
        matcher = SequenceMatcher(None, [old[n].words for n in numbers], [new[p][1] for p in places], autojunk=False)
        for kind, begin, end, start, stop in matcher.get_opcodes():
            if kind == "equal":
                for number, place in zip(numbers[begin:end], places[start:stop], strict=True):
                    give(place, number)
            elif kind == "replace":
                gaps.append((numbers[begin:end], places[start:stop]))
    return gaps


def _same_words(
    old: Sequence[Keyed],
    free: set[int],
    new: Sequence[tuple[str, str]],
    keys: Sequence[str | None],
    give: Callable[[int, int], None],
    of_old: Callable[[Keyed], Any],
    of_new: Callable[[tuple[str, str]], Any],
) -> None:
    for place, item in enumerate(new):
        if keys[place] is None:
            number = next((n for n in sorted(free) if of_old(old[n]) == of_new(item)), None)
            if number is not None:
                give(place, number)


def _returned(gone: Sequence[Keyed], new: Sequence[tuple[str, str]], keys: list[str | None]) -> set[str]:
    """Give deleted sentences that stand in the text again their keys back."""
    found: set[str] = set()
    for place, item in enumerate(new):
        if keys[place] is None:
            back = next((k for k in reversed(gone) if (k.field, k.words) == item and k.key not in found), None)
            if back is not None:
                keys[place] = back.key
                found.add(back.key)
    return found


def _rewritten(
    old: Sequence[Keyed],
    numbers: list[int],
    new: Sequence[tuple[str, str]],
    places: list[int],
    give: Callable[[int, int], None],
) -> None:
    """Pair what stood in a gap with what stands there now: in order if as many, else the likest first."""
    if len(numbers) == len(places) or len(numbers) * len(places) > _MOST_COMPARISONS:
        # Not strict: of unequal numbers, too many to compare, the last ones stay unpaired.
        for number, place in zip(numbers, places, strict=False):
            give(place, number)
        return
    likeness = sorted(
        (-SequenceMatcher(None, old[number].words, new[place][1], autojunk=False).ratio(), place, number)
        for number in numbers
        for place in places
    )
    used_numbers: set[int] = set()
    used_places: set[int] = set()
    for _, place, number in likeness:
        if number not in used_numbers and place not in used_places:
            give(place, number)
            used_numbers.add(number)
            used_places.add(place)


def _new_key(sentence: Sentence, last: dict[str, int]) -> str:
    """Return the sentence's own id if that number was never given, else the next number of its label."""
    label, _, count = sentence.id.rpartition("-")
    last[label] = number = max(int(count), last.get(label, 0) + 1)
    return f"{label}-{number}"
