"""Which sentences each slice is asked with: the right one, and those that show whether the text steers the mask.

Every condition is scored against the slice's own mask: a network that reads its sentence does worse with another
one, a network that ignores it does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LMISCore.text.places import mirror_sides

RIGHT = "right sentence"
SWAPPED = "side-swapped sentence"
EMPTY = "empty sentence"
OTHER = "another patient's sentence"
IMAGE_ONLY = "image-only network"

MEANINGS = {
    RIGHT: "the set's own sentence",
    SWAPPED: "left and right exchanged, on the slices where that changes the meaning",
    EMPTY: "no words at all",
    OTHER: "a sentence of another patient of the split that names other sides or zones, drawn with the seed",
    IMAGE_ONLY: "a separate network of the same recipe trained without text",
}

_SIDE = {"left": "left", "right": "right"}
_ZONE = {
    "upper": "upper",
    "anterior": "anterior",
    "middle": "middle",
    "mid": "middle",
    "lower": "lower",
    "posterior": "posterior",
    "apical": "upper",
    "basal": "lower",
}
_BOTH = frozenset({"bilateral", "both"})
_CLAUSE = re.compile(r"[,;.:]|\band\b|\bund\b", re.IGNORECASE)

Places = dict[str, frozenset[str]]


@dataclass(frozen=True)
class Condition:
    """One way of asking all slices.

    Attributes:
        name: one of ``MEANINGS``.
        sentences: one per slice; None where the condition does not apply to the slice.
    """

    name: str
    sentences: tuple[str | None, ...]

    @property
    def asked(self) -> int:
        """Number of slices it applies to."""
        return sum(sentence is not None for sentence in self.sentences)


def named_places(text: str) -> Places:
    """Read which zones a sentence names on which side, clause by clause.

    Made for sentences in the style of LViT, such as "lower left lung and upper middle right lung". A clause is what
    stands between commas and "and"; zones of a clause without a side belong to the next side ("upper and lower left
    lung"), or to "" when no side follows.

    Returns:
        {side: zones}; no zones, or three of them, means the whole side. "bilateral" alone names both sides.

    >>> named_places("two infected areas, lower left lung and all right lung.")["left"]
    frozenset({'lower'})
    """
    found: dict[str, set[str]] = {}
    waiting: set[str] = set()
    for clause in _CLAUSE.split(text):
        words = re.findall(r"[a-z]+", clause.lower())
        sides = [_SIDE[word] for word in words if word in _SIDE]
        waiting |= {_ZONE[word] for word in words if word in _ZONE}
        if waiting and not sides and not _BOTH.isdisjoint(words):
            sides = ["left", "right"]
        for side in sides:
            found.setdefault(side, set()).update(waiting)
        if sides:
            waiting = set()
    if waiting:
        found.setdefault("", set()).update(waiting)
    if not found and not _BOTH.isdisjoint(re.findall(r"[a-z]+", text.lower())):
        found = {"left": set(), "right": set()}
    return {side: frozenset() if len(zones) > 2 else frozenset(zones) for side, zones in found.items()}


def changes_when_mirrored(text: str) -> bool:
    """Whether exchanging left and right changes which places the sentence names."""
    return named_places(mirror_sides(text)) != named_places(text)


def right_sentences(sentences: Sequence[str]) -> Condition:
    """The slices' own sentences."""
    return Condition(RIGHT, tuple(sentences))


def side_swapped(sentences: Sequence[str]) -> Condition:
    """Left and right exchanged, where the sentence says different things of them."""
    return Condition(SWAPPED, tuple(mirror_sides(s) if changes_when_mirrored(s) else None for s in sentences))


def empty_sentences(sentences: Sequence[str]) -> Condition:
    """No words for any slice."""
    return Condition(EMPTY, ("",) * len(sentences))


def other_patients(sentences: Sequence[str], patients: Sequence[str], seed: int) -> Condition:
    """For each slice a sentence drawn from other patients' distinct ones that name other sides or zones.

    The draw depends on the seed and the order of the slices only. A slice for which no other patient has such a
    sentence is not asked.

    Raises:
        ValueError: if there are not as many patients as sentences.
    """
    if len(sentences) != len(patients):
        raise ValueError(f"got {len(sentences)} sentences and {len(patients)} patients, expected as many of each")
    generator = np.random.default_rng(seed)
    places = {sentence: named_places(sentence) for sentence in set(sentences)}
    drawn: list[str | None] = []
    for sentence, patient in zip(sentences, patients, strict=True):
        candidates = sorted(
            {
                other
                for other, owner in zip(sentences, patients, strict=True)
                if owner != patient and places[other] != places[sentence]
            }
        )
        drawn.append(candidates[int(generator.integers(len(candidates)))] if candidates else None)
    return Condition(OTHER, tuple(drawn))
