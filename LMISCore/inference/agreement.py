"""Does the picture bear out what the words say of side, place, number and size? Told from a second mask.

An obedient network marks where its sentence says, so the segment itself always agrees. The second mask is asked for
with the finding's name alone, "Pulmonary infection.", and shows where the network sees the finding when it is not told
where to look. It is measured, compared with the words and thrown away: it is never shown as the finding's segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from LMISCore.inference.landmarks import THIRDS, Landmarks, thirds_of
from LMISCore.text.report_types import Finding
from LMISCore.volumes.orientation import Canonical

LEVELS = ("lower", "mid", "upper")
# Chosen on the validation slices of the bundled weights' data, see Testing/benchmarks/agreement_figures.py.
CUT = 0.5
"""Of the mask threshold: a question without place is answered more faintly, so its mask is cut lower."""
LEAST_ON_SIDE = 0.5
"""Share of the mask that must lie on the only side that the report names for the finding."""
LEAST_OF_BOTH = 0.05
"""Share that must lie on a side where another sentence names the other side: both are then in the mask."""
LEAST_IN_PLACE = 0.05
"""Share that must lie in the thirds that the words name."""
SIZE_FACTOR = 2.0
"""Lengths that differ by more are told."""
_DIRECTIONS = 18
_SMALLEST_PIECE = 8
"""Voxels: a smaller piece is a speck of the threshold, not an area that a reader would count."""


class Verdict(StrEnum):
    """What the comparison of one aspect gives."""

    AGREES = "agrees"
    CONTRADICTS = "contradicts"
    DIFFERS = "differs"
    """Not what the words say, but no contradiction: number, size, or one of two sides on which nothing was seen."""
    UNCLEAR = "unclear"
    """Nothing was seen, or nothing can be measured."""


@dataclass(frozen=True)
class MaskFacts:
    """A mask in numbers.

    Attributes:
        voxels: how many.
        sides: share on the patient's "left" and "right", together 1.
        thirds: share in "anterior", "middle", "posterior".
        levels: share in "lower", "mid", "upper"; empty for a single slice.
        pieces: connected components of at least 8 voxels.
        largest_mm: longest straight line, in one slice, across the largest piece; None where mm are not known.
        by_organ: whether an organ mask gave the midline and the thirds, else the body's outline.
    """

    voxels: int
    sides: dict[str, float]
    thirds: dict[str, float]
    levels: dict[str, float]
    pieces: int
    largest_mm: float | None
    by_organ: bool


@dataclass(frozen=True)
class Aspect:
    """One thing that the words say, and what the mask shows of it.

    Attributes:
        name: "side", "place", "level", "count" or "size".
        verdict: of the comparison.
        words: the comparison in plain words.
    """

    name: str
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Agreement:
    """Whether the second mask bears out what a finding's words say.

    Attributes:
        finding: its words in the report.
        prompt: what the second mask was asked for with.
        verdict: CONTRADICTS if any aspect does, else DIFFERS, else AGREES; UNCLEAR where nothing could be compared.
        aspects: in the order side, place, level, count, size; only what the words name.
        words: all of it in one line.
    """

    finding: str
    prompt: str
    verdict: Verdict
    aspects: tuple[Aspect, ...]
    words: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "finding": self.finding,
            "prompt": self.prompt,
            "verdict": self.verdict.value,
            "words": self.words,
            "aspects": [
                {"name": aspect.name, "verdict": aspect.verdict.value, "words": aspect.words} for aspect in self.aspects
            ],
        }


def measure(mask: np.ndarray, landmarks: Landmarks, canonical: Canonical, spacing_known: bool = True) -> MaskFacts:
    """Return a mask in numbers.

    Args:
        mask: ``(N, H, W)`` bool, canonical: feet to head, front to back, the patient's right to left.
        landmarks: midline and extent.
        canonical: the volume's, for its spacing.
        spacing_known: whether its mm are real.
    """
    voxels = int(np.count_nonzero(mask))
    if not voxels:
        return MaskFacts(0, {}, {}, {}, 0, None, landmarks.by_organ)
    columns = np.arange(mask.shape[2]) + 0.5
    right = int(mask[:, :, columns < landmarks.midline].sum())
    rows, slices = mask.sum(axis=(0, 2)), mask.sum(axis=(1, 2))
    pieces, sizes = _pieces(mask)
    largest = None
    if spacing_known and sizes.size:
        largest = _longest(pieces == 1 + int(sizes.argmax()), canonical.spacing_rc)
    return MaskFacts(
        voxels,
        {"left": 1 - right / voxels, "right": right / voxels},
        dict(zip(THIRDS, thirds_of(rows, landmarks.rows), strict=True)),
        dict(zip(LEVELS, thirds_of(slices, landmarks.slices), strict=True)) if mask.shape[0] >= len(LEVELS) else {},
        int((sizes >= _SMALLEST_PIECE).sum()) or int(sizes.size > 0),
        largest,
        landmarks.by_organ,
    )


def compare(
    finding: Finding,
    facts: MaskFacts,
    prompt: str,
    whole: MaskFacts | None = None,
    elsewhere: frozenset[str] = frozenset(),
) -> Agreement:
    """Compare what a finding's words say with the mask that was asked for without them.

    Args:
        finding: affirmed, of the vocabulary.
        facts: of the second mask, on the slices that the words choose.
        prompt: what that mask was asked for with.
        whole: of the second mask on all slices, for the level; None takes ``facts``.
        elsewhere: sides on which the rest of the report affirms the same finding: the one mask shows them too.
    """
    aspects = [
        aspect
        for aspect in (
            _side(finding, facts, elsewhere),
            _place(finding.zones & frozenset(THIRDS), facts.thirds, THIRDS, "place", facts.by_organ),
            _place(finding.levels, (whole or facts).levels, LEVELS, "level", facts.by_organ),
            _count(finding, facts),
            _size(finding, facts),
        )
        if aspect is not None
    ]
    verdicts = {aspect.verdict for aspect in aspects}
    order = (Verdict.CONTRADICTS, Verdict.DIFFERS, Verdict.AGREES)
    verdict = next((one for one in order if one in verdicts), Verdict.UNCLEAR)
    if not facts.voxels and not aspects:
        return Agreement(finding.words, prompt, Verdict.UNCLEAR, (), "asked without its place, nothing was seen")
    words = "; ".join(aspect.words for aspect in aspects) or "the words name no side, place, number or size"
    return Agreement(finding.words, prompt, verdict, tuple(aspects), words)


def _side(finding: Finding, facts: MaskFacts, elsewhere: frozenset[str]) -> Aspect | None:
    if not finding.side or not facts.voxels:
        return None
    if len(finding.side) > 1:
        fuller = max(facts.sides, key=lambda side: facts.sides[side])
        if facts.sides[fuller] == 1:
            return Aspect("side", Verdict.DIFFERS, f"text says both sides, all of the mask is on the {fuller}")
        return Aspect("side", Verdict.AGREES, f"text says both sides, {_percent(facts.sides['left'])} is on the left")
    (side,) = finding.side
    share = facts.sides[side]
    if share < (LEAST_OF_BOTH if _other(side) in elsewhere else LEAST_ON_SIDE):
        words = f"text says {side}, {_percent(1 - share)} of the mask is on the {_other(side)}"
        return Aspect("side", Verdict.CONTRADICTS, words)
    return Aspect("side", Verdict.AGREES, f"text says {side}, {_percent(share)} of the mask is there")


def _place(
    said: frozenset[str], shares: dict[str, float], order: Sequence[str], name: str, by_organ: bool
) -> Aspect | None:
    """Compare thirds; without an organ they are the body's or the volume's, and the one beside is no error."""
    if not said or not shares:
        return None
    words = " and ".join(place for place in order if place in said)
    share = sum(shares[place] for place in said)
    most = max(shares, key=lambda place: shares[place])
    if share >= LEAST_IN_PLACE or most in said:
        return Aspect(name, Verdict.AGREES, f"text says {words}, {_percent(share)} of the mask is there")
    told = f"text says {words}, {_percent(shares[most])} of the mask is {most}"
    beside = min(abs(order.index(most) - order.index(place)) for place in said) == 1
    if beside and not by_organ:
        return Aspect(name, Verdict.UNCLEAR, f"{told} as thirds without an organ go, too near to tell")
    return Aspect(name, Verdict.CONTRADICTS, told)


def _count(finding: Finding, facts: MaskFacts) -> Aspect | None:
    if finding.count is None or not facts.voxels:
        return None
    verdict = Verdict.AGREES if finding.count == facts.pieces else Verdict.DIFFERS
    return Aspect(
        "count", verdict, f"text says {finding.count}, the mask has {facts.pieces} {_pieces_word(facts.pieces)}"
    )


def _size(finding: Finding, facts: MaskFacts) -> Aspect | None:
    if finding.size_mm is None or not facts.voxels:
        return None
    if facts.largest_mm is None:
        return Aspect("size", Verdict.UNCLEAR, f"text says {finding.size_mm:g} mm, the image's mm are not known")
    ratio = max(finding.size_mm, facts.largest_mm) / max(min(finding.size_mm, facts.largest_mm), 1e-6)
    verdict = Verdict.AGREES if ratio <= SIZE_FACTOR else Verdict.DIFFERS
    return Aspect(
        "size", verdict, f"text says {finding.size_mm:g} mm, the largest piece measures {facts.largest_mm:.0f} mm"
    )


def _pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label the pieces that touch, corners included; returns labels and the voxels of each."""
    # 18 MB of modules that a run without this question does without.
    from scipy import ndimage

    labels, number = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    return labels, np.bincount(labels.ravel(), minlength=number + 1)[1:]


def _longest(piece: np.ndarray, spacing: tuple[float, float]) -> float:
    """Return the longest line across a piece ``(N, H, W)`` in any of its slices, mm, pixels' own width included."""
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    directions = np.stack([np.sin(angles), np.cos(angles)])
    width = np.abs(directions * np.asarray(spacing)[:, None]).sum(axis=0)
    longest = 0.0
    for index in np.flatnonzero(piece.any(axis=(1, 2))):
        along = np.argwhere(piece[index]) * np.asarray(spacing) @ directions
        longest = max(longest, float((along.max(axis=0) - along.min(axis=0) + width).max()))
    return longest


def _other(side: str) -> str:
    return "right" if side == "left" else "left"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _pieces_word(number: int) -> str:
    return "piece" if number == 1 else "pieces"
