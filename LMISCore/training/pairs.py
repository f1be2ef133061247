"""Sentence-to-part pairs: many sentences for one slice, each with the part of the mask it speaks of.

A network trained on whole-slice sentences alone learns that text never matters: the mask is always everything. So
training draws, for a slice with lesion and lung masks, one of seven kinds of sentence:

    report         the set's own sentence                      -> the whole mask
    side           names one affected lung                     -> the mask cut to that lung
    zone           names a third of an affected lung           -> the mask cut to it
    name           names the finding and no place              -> the whole mask
    rewritten      names every affected lung, in other words   -> the whole mask
    empty_place    names a place without lesion                -> empty
    other_finding  speaks of something else                    -> empty
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from LMISCore.data.lungs import AXIAL_ZONES, SIDES, SMALLEST_PIECE, LungGeometry, named_zones

KINDS = ("report", "side", "zone", "name", "rewritten", "empty_place", "other_finding")

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@dataclass(frozen=True)
class FindingWords:
    """How a finding may be called in a training sentence.

    Attributes:
        names: noun phrases, the first one canonical.
        others: whole sentences about other findings, with ``{side}`` where a side may stand.
    """

    names: tuple[str, ...] = ("pulmonary infection",)
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class SlicePlaces:
    """What is known of one slice before any sentence is drawn.

    Attributes:
        lesion: mask ``(H, W)`` bool.
        geometry: of the slice's scan; None where there are no lung masks (then only report and name can be drawn).
        report: the set's sentence, its place words already rewritten.
    """

    lesion: np.ndarray
    geometry: LungGeometry | None
    report: str


@dataclass(frozen=True)
class DrawnSentence:
    """One training sentence with its mask ``(H, W)`` bool and its kind."""

    text: str
    mask: np.ndarray
    kind: str


def side_cut(lesion: np.ndarray, geometry: LungGeometry, side: str) -> np.ndarray:
    """The part of ``lesion`` ``(H, W)`` in one lung's half of the picture."""
    part: np.ndarray = lesion & geometry.side((lesion.shape[0], lesion.shape[1]), "left" if side == "left" else "right")
    return part


def count_pieces(mask: np.ndarray, smallest: int = SMALLEST_PIECE) -> int:
    """Number of 8-connected pieces of a mask ``(H, W)`` that have at least ``smallest`` pixels."""
    from scipy import ndimage

    labels, number = ndimage.label(mask, structure=np.ones((3, 3), dtype=int))
    return int(np.count_nonzero(np.bincount(labels.ravel(), minlength=number + 1)[1:] >= smallest))


def location_sentence(
    name: str, lesion: np.ndarray, geometry: LungGeometry | None, zones: Sequence[str] = AXIAL_ZONES
) -> str:
    """The sentence that a mask itself tells: how many areas, in which lungs and thirds; no randomness.

    Args:
        name: noun phrase of the finding.
        lesion: mask ``(H, W)`` bool.
        geometry: of the scan's lungs; None names no place.
        zones: names of the lungs' thirds from the picture's top down; empty names lungs alone.

    >>> location_sentence("pulmonary infection", np.zeros((4, 4), dtype=bool), None)
    'No pulmonary infection.'
    """
    if not lesion.any():
        return f"No {name}."
    areas = _areas(lesion, "infected" if "infect" in name.lower() else "affected")
    sides = [] if geometry is None else [(side, side_cut(lesion, geometry, side)) for side in SIDES]
    affected = [(side, part) for side, part in sides if np.count_nonzero(part) >= SMALLEST_PIECE]
    if geometry is None or not affected:
        return f"{_capital(name)}, {areas}."
    words = [f"{_zone_words(part, geometry, zones)} {side} lung".strip() for side, part in affected]
    extent = "Bilateral" if len(affected) == len(SIDES) else "Unilateral"
    return f"{extent} {name}, {areas}, {' and '.join(words)}."


def side_sentence(name: str, side: str) -> str:
    """The plainest sentence about one lung; evaluation asks obedience with it.

    >>> side_sentence("pulmonary infection", "left")
    'Pulmonary infection in the left lung.'
    """
    return f"{_capital(name)} in the {side} lung."


class PairSampler:
    """Draws sentences for slices by the shares of a recipe.

    Args:
        shares: weight of each kind in ``KINDS``; a kind that a slice does not allow (no unaffected place, say) is
            drawn again among those it does.
        words: names of the finding and sentences about others.
        zones: names of the lungs' thirds from the picture's top down; empty names no thirds.
    """

    def __init__(self, shares: Mapping[str, float], words: FindingWords, zones: Sequence[str] = AXIAL_ZONES) -> None:
        self.shares = {kind: float(shares.get(kind, 0)) for kind in KINDS}
        self.words = words
        self.zones = tuple(zones)

    def draw(self, places: SlicePlaces, rng: np.random.Generator) -> DrawnSentence:
        """Draw one sentence and its mask for a slice."""
        options = self.options(places)
        weights = np.array([self.shares[kind] if kind in options else 0.0 for kind in KINDS])
        if weights.sum() == 0:
            return DrawnSentence(places.report, places.lesion, "report")
        kind = str(rng.choice(KINDS, p=weights / weights.sum()))
        return self.make(kind, places, rng)

    def options(self, places: SlicePlaces) -> tuple[str, ...]:
        """Kinds of sentence that this slice allows."""
        kinds = ["report", "name"] + (["other_finding"] if self.words.others else [])
        if places.geometry is not None:
            if any(part is not None for part in self._parts(places)):
                kinds += ["side", *["zone"] * bool(self.zones), "rewritten"]
            if self._empty_places(places):
                kinds.append("empty_place")
        return tuple(kinds)

    def make(self, kind: str, places: SlicePlaces, rng: np.random.Generator) -> DrawnSentence:
        """Make a sentence of one kind; the slice must allow it."""
        if kind == "report":
            return DrawnSentence(places.report, places.lesion, kind)
        if kind == "other_finding":
            text = str(rng.choice(self.words.others)).format(side=rng.choice(SIDES))
            return DrawnSentence(text, np.zeros_like(places.lesion), kind)
        name = str(rng.choice(self.words.names))
        if kind == "name":
            return DrawnSentence(_name_only(name, rng), places.lesion, kind)
        if kind == "empty_place":
            empty = self._empty_places(places)
            empty_side, empty_zone = empty[int(rng.integers(len(empty)))]
            place = f"{empty_side} lung" if empty_zone is None else f"{empty_zone} {empty_side} lung"
            return DrawnSentence(_at(name, place, rng), np.zeros_like(places.lesion), kind)
        assert places.geometry is not None
        parts = zip(SIDES, self._parts(places), strict=True)
        affected: list[tuple[str, np.ndarray]] = [(side, part) for side, part in parts if part is not None]
        if kind == "rewritten":
            return DrawnSentence(_whole(name, affected, places.geometry, rng, self.zones), places.lesion, kind)
        side, part = affected[int(rng.integers(len(affected)))]
        if kind == "side":
            return DrawnSentence(_one_lung(name, side, part, places.geometry, rng, self.zones), part, kind)
        zone = str(rng.choice(named_zones(part, places.geometry, self.zones)))
        third = part & places.geometry.zone((part.shape[0], part.shape[1]), zone, self.zones)
        return DrawnSentence(_at(name, f"{zone} {side} lung", rng), third, kind)

    def _parts(self, places: SlicePlaces) -> list[np.ndarray | None]:
        """The lesion's part in each lung, None where a lung is not affected."""
        assert places.geometry is not None
        parts = [side_cut(places.lesion, places.geometry, side) for side in SIDES]
        return [part if np.count_nonzero(part) >= SMALLEST_PIECE else None for part in parts]

    def _empty_places(self, places: SlicePlaces) -> list[tuple[str, str | None]]:
        """Lungs and thirds of lungs without a single lesion pixel."""
        assert places.geometry is not None
        empty: list[tuple[str, str | None]] = []
        shape = (places.lesion.shape[0], places.lesion.shape[1])
        for side in SIDES:
            part = side_cut(places.lesion, places.geometry, side)
            if not part.any():
                # The whole lung is worth as much as its thirds together: it is what presence is measured on.
                empty += [(side, None)] * max(len(self.zones), 1)
            empty += [(side, z) for z in self.zones if not (part & places.geometry.zone(shape, z, self.zones)).any()]
        return empty


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _name_only(name: str, rng: np.random.Generator) -> str:
    forms = ("{n}", "{n}.", "There is {n}.", "Findings of {n}.", "{n} is seen.")
    return _capital(str(rng.choice(forms)).format(n=name))


def _at(name: str, place: str, rng: np.random.Generator) -> str:
    forms = (
        "{n} in the {p}.",
        "{n} in the {p}",
        "{n}, {p}.",
        "There is {n} in the {p}.",
        "{p}: {n}.",
        "{n} is seen in the {p}.",
        "The {p} shows {n}.",
    )
    return _capital(str(rng.choice(forms)).format(n=name, p=place))


def _areas(mask: np.ndarray, word: str = "infected") -> str:
    number = max(1, count_pieces(mask))
    words = NUMBERS[number] if number < len(NUMBERS) else "more than twelve"
    return f"{words} {word} area{'s' if number > 1 else ''}"


def _zone_words(part: np.ndarray, geometry: LungGeometry, zones: Sequence[str] = AXIAL_ZONES) -> str:
    named = named_zones(part, geometry, zones) if zones else []
    return "all" if named and len(named) == len(zones) else " ".join(named)


def _one_lung(
    name: str, side: str, part: np.ndarray, geometry: LungGeometry, rng: np.random.Generator, zones: Sequence[str]
) -> str:
    """One lung alone: half plainly, half in the set's own form with count and thirds."""
    if rng.random() < 0.6:
        return _at(name, f"{side} lung", rng)
    place = f"{_zone_words(part, geometry, zones)} {side} lung".strip()
    return f"{_capital(name)}, {_areas(part)}, {place}."


def _whole(
    name: str,
    affected: Sequence[tuple[str, np.ndarray]],
    geometry: LungGeometry,
    rng: np.random.Generator,
    zones: Sequence[str],
) -> str:
    """All affected lungs: "in both lungs", or the set's form without its count."""
    if len(affected) == len(SIDES) and rng.random() < 0.5:
        return _capital(str(rng.choice(("{n} in both lungs.", "Bilateral {n}.", "{n} on both sides."))).format(n=name))
    parts = [f"{_zone_words(part, geometry, zones)} {side} lung".strip() for side, part in affected]
    extent = "Bilateral" if len(affected) == len(SIDES) else "Unilateral"
    return f"{extent} {name}, {' and '.join(parts)}."
