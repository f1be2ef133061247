"""Head-feet words of the lungs: taken out of a sentence and returned as levels, the sentence left as plain English.

On an axial picture "lower zone" says which slices are meant, not where in the picture; see ``LMISCore.text.prompts``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from LMISCore.text.phrases import rules

LEVELS = ("upper", "mid", "lower")

Rewrite = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""A pattern whose group ``what`` holds the head-feet words, and the words that stay."""


def take_levels(text: str) -> tuple[str, frozenset[str], tuple[str, ...]]:
    """Return ``text`` without head-feet words, the levels they name, and the words taken.

    >>> take_levels("Infection in the lower zone of the left lung.")[:2]
    ('Infection in the left lung.', frozenset({'lower'}))
    >>> take_levels("Infection in the middle posterior left lung.")[1]
    frozenset()
    """
    if _any_word().search(text) is None:
        return text, frozenset(), ()
    level_of = _level_of()
    taken: list[str] = []
    levels: set[str] = set()
    rest = text
    for pattern, stays in _rewrites():

        def replace(match: re.Match[str], stays: Callable[[re.Match[str]], str] = stays) -> str:
            levels.update(level_of[word] for word in re.findall("[a-z]+", match["what"].lower()) if word in level_of)
            taken.append(" ".join(match[0].split()))
            return stays(match)

        rest = pattern.sub(replace, rest)
    return (_tidied(rest, text) if taken else text), frozenset(levels), tuple(taken)


def _tidied(text: str, original: str) -> str:
    """Mend what the missing words left behind: blanks, doubled words, capitals."""
    text = " ".join(text.split())
    text = re.sub(r"\s([,.;:])", r"\1", text)
    text = re.sub(r"\b(in|of|at|the|both|and) \1\b", r"\1", text, flags=re.IGNORECASE).strip(" ,")
    text = re.sub(r"\bat (?=(?:the |both |)(?:left |right )?lungs?\b)", "in ", text)
    text = re.sub(r"\b(?:the )?bilateral lungs\b", "both lungs", text)
    text = re.sub(
        r"\b((left |right )?lungs?)(?:,| and|, and) (?:the )?(?:\2)?lungs?\b", r"\1", text, flags=re.IGNORECASE
    )
    if original.isupper():
        return text.upper()
    return text[:1].upper() + text[1:] if original.lstrip()[:1].isupper() else text


@lru_cache(maxsize=1)
def _level_of() -> dict[str, str]:
    table = rules("levels")
    plain = [table["level"], table["noun"], table["both_sides"]]
    found = {word: level for part in plain for level, words in part.items() for word in words}
    return found | {word: level for word, (_, level) in table["compound"].items()}


@lru_cache(maxsize=1)
def _any_word() -> re.Pattern[str]:
    return re.compile(_any(_level_of()), re.IGNORECASE)


@lru_cache(maxsize=1)
def _rewrites() -> tuple[Rewrite, ...]:
    """Return the rewrites in the order of use, the ones that see most words first."""
    table = rules("levels")
    level = _any(word for words in table["level"].values() for word in words)
    # "upper, middle and lower", "mid- to lower"; side by side as LViT-style sentences have it.
    joined = rf"{level}(?:(?:-?,?\s+(?:and|or|to|&)\s+|,\s*|/|\s+|-\s?){level}){{0,3}}"
    noun = _any(word for words in table["noun"].values() for word in words)
    both = _any(word for words in table["both_sides"].values() for word in words)
    compounds: dict[str, str] = {word: kept for word, (kept, _) in table["compound"].items()}
    adjective = _any(table["adjectives"]) + rf"(?!\s+{_any(table['adjective_of_others'])})"
    lung_unit = _any(table["lung_units"], "s?")
    unit = _any([*table["lung_units"], *table["any_units"], "halve"], "s?")

    side = r"(?P<side>(?:(?:left\s+and\s+right|right\s+and\s+left|left|right|both|bilateral)\s+)?)"
    lungs = r"(?:the\s+|both\s+|each\s+)?(?:(?:left|right|both|bilateral)\s+)?(?:lungs?|hemithorax)\b"
    own_organ = rf"(?!\s+of\s+(?!{lungs}))"  # not "lower lobe of the liver"
    own_base = "".join(rf"(?<!{organ}\s)" for organ in table["other_organs"])
    adverb = r"(?:(?:predominantly|mainly|mostly|chiefly|more)[\s-]+)?"

    def lung_of(match: re.Match[str]) -> str:
        which, what = match["side"].lower(), match["what"].lower()
        if not which and re.match(r"middle[\s-]+lobe", what):
            which = "right "  # only the right lung has a middle lobe
        one = which.strip() in ("left", "right") or not re.search(r"(s|apices)$", what)
        return f"{which}{'lung' if one else 'lungs'}"

    def nothing(match: re.Match[str]) -> str:
        return ""

    patterns: list[tuple[str, Callable[[re.Match[str]], str]]] = [
        (rf"{side}(?P<what>{joined}[\s-]*{lung_unit})[\s-]+predominant\s+", nothing),
        (rf",\s*(?P<what>{joined}[\s-]*{lung_unit})(?=\s*(?:[.,;]|$))", nothing),
        (rf"(?P<what>{_any(compounds)})", lambda match: compounds[match["what"].lower()]),
        (rf"(?P<what>{both})", lambda match: "bilateral"),
        (rf"(?:\b(?:the|an?)\s+)?(?P<what>{joined}[\s-]+(?:(?:lung|pulmonary)\s+)?{unit})\s+of\s+(?={lungs})", nothing),
        (rf"(?:\bthe\s+)?(?P<what>{noun})\s+of\s+(?={lungs})", nothing),
        # "left lower and right upper lobes": the first lobe is only meant.
        (rf"{side}(?P<what>{joined})(?=\s+(?:and|or)\s+(?:left|right)\s+{joined}[\s-]*{lung_unit})", lung_of),
        # The organ is named anyway in "left lower zone pulmonary infection".
        (rf"{side}(?P<what>{joined}[\s-]*{lung_unit})\s+(?=pulmonary|lung)", lambda match: match["side"]),
        (rf"{side}(?P<what>{joined}[\s-]+lung\s+{unit})", lung_of),
        (rf"{side}(?P<what>{joined}[\s-]*{lung_unit}){own_organ}", lung_of),
        (rf"{own_base}{side}(?P<what>(?:(?:lung|pulmonary)\s+)?{noun}){own_organ}", lung_of),
        # Alone, "middle left lung" is the middle third of the picture, front to back.
        (
            rf"(?<!anterior\s)(?<!posterior\s)(?P<what>(?!middle\s+(?:(?:left|right)\s+)?lung){joined})\s+(?={lungs})",
            nothing,
        ),
        (rf"\b(?:the|an?)\s+(?P<what>{_any(table['adjectives'])}\s+segments?)\s+of\s+(?={lungs})", nothing),
        (rf"(?<=left\s)(?P<what>{adjective})(?!\s+(?:pulmonary|lung|segment))", lambda match: "lung"),
        (rf"(?<=right\s)(?P<what>{adjective})(?!\s+(?:pulmonary|lung|segment))", lambda match: "lung"),
        (rf"(?<=\bis\s){adverb}(?P<what>{adjective})(?=\s*(?:[.,;]|$))", lambda match: "present"),
        (rf"(?<=\bare\s){adverb}(?P<what>{adjective})(?=\s*(?:[.,;]|$))", lambda match: "present"),
        (rf"{adverb}(?P<what>{adjective})(?:[\s-]+predominant)?\s*", nothing),
    ]
    return tuple((re.compile(pattern, re.IGNORECASE), stays) for pattern, stays in patterns)


def _any(words: Iterable[str], ending: str = "") -> str:
    return rf"\b(?:{'|'.join(sorted(map(re.escape, words), key=len, reverse=True))}){ending}\b"
