"""Words that are mistyped by one letter: found by what is left when a letter is dropped, which needs no search."""

from __future__ import annotations

from collections.abc import Iterable


def slips_of(names: Iterable[str]) -> dict[str, str]:
    """Return each name, and the name with one letter left out -> the name."""
    return {slip: word for word in sorted(names) for slip in (word, *without_one(word))}


def without_one(word: str) -> Iterable[str]:
    """Return the word with each of its letters left out in turn."""
    return (word[:place] + word[place + 1 :] for place in range(len(word)))


def is_one_slip(word: str, name: str, long: bool) -> bool:
    """Whether one letter too many or too few, or two neighbours swapped, parts them (a wrong letter in long words)."""
    if len(word) == len(name):
        differ = [place for place in range(len(word)) if word[place] != name[place]]
        if len(differ) == 1:
            return long
        return (
            len(differ) == 2
            and differ[1] == differ[0] + 1
            and word[differ[0]] == name[differ[1]]
            and (word[differ[1]] == name[differ[0]])
        )
    shorter, longer = sorted((word, name), key=len)
    return len(longer) == len(shorter) + 1 and shorter in set(without_one(longer))
