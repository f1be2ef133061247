"""Which sentences each slice is asked with: the right one, and those that show whether the text steers the mask.

Every condition is scored against the slice's own mask: a network that reads its sentence does worse with another
one, a network that ignores it does not. Negated and out-of-vocabulary sentences never reach the network when a report
is segmented, the text rules keep them away; here they are sent all the same, because it is the network that is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from LMISCore.text.findings import Vocabulary, assess
from LMISCore.text.places import mirror_sides
from LMISCore.text.report_types import State

RIGHT = "right sentence"
SWAPPED = "side-swapped sentence"
EMPTY = "empty sentence"
OTHER = "another patient's sentence"
SHUFFLED = "shuffled sentence"
NEGATED = "negated sentence"
OUTSIDE = "out-of-vocabulary sentence"
IMAGE_ONLY = "image-only network"

MEANINGS = {
    RIGHT: "the set's own sentence",
    SWAPPED: "left and right exchanged, on the slices where that changes the meaning",
    EMPTY: "no words at all",
    OTHER: "a sentence of another patient of the split that names other sides or zones, drawn with the seed",
    SHUFFLED: "the split's sentences dealt out anew over its slices with the seed, on the slices whose words change",
    NEGATED: "the set's own sentence denied, on the slices where it affirms a finding; nothing should be marked",
    OUTSIDE: "a sentence of medicine that names nothing of the card's vocabulary; nothing should be marked",
    IMAGE_ONLY: "a separate network of the same recipe trained without text",
}

# None of them holds a word of place, and each is used only where the weights never saw it and do not know its words.
OUTSIDE_SENTENCES = (
    "Fracture of the femoral neck.",
    "Retinal detachment.",
    "Polyp of the sigmoid colon.",
    "Enlarged pituitary gland.",
    "Rupture of the Achilles tendon.",
    "Impacted wisdom tooth.",
)

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
_THERE_IS = re.compile(r"^there (?:is|are|was|were) (?:an? )?", re.IGNORECASE)
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


def shuffled(sentences: Sequence[str], seed: int) -> Condition:
    """The same sentences as often as before, over other slices: what is left of the score is what they share."""
    order = np.random.default_rng([seed, 2]).permutation(len(sentences))
    dealt = [sentences[place] for place in order]
    return Condition(SHUFFLED, tuple(d if d != own else None for d, own in zip(dealt, sentences, strict=True)))


def negated(sentences: Sequence[str], vocabulary: Vocabulary) -> Condition:
    """Each sentence denied, where the text rules read it as affirmed and its denial as negated."""
    denied = {sentence: _denial(sentence, vocabulary) for sentence in set(sentences)}
    return Condition(NEGATED, tuple(denied[sentence] for sentence in sentences))


def out_of_vocabulary(sentences: Sequence[str], vocabulary: Vocabulary, seen: Collection[str], seed: int) -> Condition:
    """For each slice one of ``OUTSIDE_SENTENCES``, drawn with the seed.

    Args:
        sentences: the slices' own.
        vocabulary: of the card; a sentence that names anything of it is not taken.
        seen: sentences the network was trained with, which are not taken either.
        seed: of the draw.
    """
    known = {text.casefold() for text in seen}
    free = [text for text in OUTSIDE_SENTENCES if text.casefold() not in known and not assess(text, vocabulary)]
    if not free:
        return Condition(OUTSIDE, (None,) * len(sentences))
    drawn = np.random.default_rng([seed, 3]).integers(len(free), size=len(sentences))
    return Condition(OUTSIDE, tuple(free[int(number)] for number in drawn))


def _denial(sentence: str, vocabulary: Vocabulary) -> str | None:
    found = assess(sentence, vocabulary)
    if not any(finding.status is State.AFFIRMED for finding in found):
        return None
    rest = _THERE_IS.sub("", sentence.strip())
    # An abbreviation such as "CT" or "GGO" keeps its capitals.
    lowered = rest[:1].lower() + rest[1:] if not rest[1:2].isupper() else rest
    # A negation need not reach beyond a comma: each part that names a finding is denied, its places stay as they are.
    first, *others = lowered.split(", ")
    denied = [f"no evidence of {part}" if assess(part, vocabulary) else part for part in others]
    for denial in (", ".join([f"No evidence of {first}", *denied]), f"No {found[0].name}."):
        if all(finding.status is State.NEGATED for finding in assess(denial, vocabulary)):
            return denial
    return None
