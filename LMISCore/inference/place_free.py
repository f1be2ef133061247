"""Asking for findings by their names alone, and what the answers say of the report's words; see ``agreement``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from LMISCore.inference.agreement import CUT, compare, measure
from LMISCore.inference.landmarks import find_landmarks
from LMISCore.inference.plan import Ask
from LMISCore.inference.result import SentenceResult
from LMISCore.text.prompts import place_free_prompt
from LMISCore.text.report import Finding, State
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.volume import Volume


def second_asks(rows: Sequence[SentenceResult], asks: Sequence[Ask], slice_count: int) -> dict[str, Ask]:
    """Return the place-free question of each distinct finding that an affirmed, asked sentence names.

    Args:
        rows: of the plan.
        asks: the plan's own questions; a finding that one of them asks about on all slices is asked again all the same,
            for its mask is cut lower.
        slice_count: N.
    """
    asked = {id(row) for ask in asks for row in ask.rows}
    prompts = dict.fromkeys(
        place_free_prompt(finding) for row in rows if id(row) in asked for finding in _compared(row)
    )
    return {prompt: Ask(prompt, tuple(range(slice_count)), [], cut=CUT) for prompt in prompts}


def add_agreements(
    asks: Sequence[Ask], seconds: dict[str, Ask], canonical: Canonical, volume: Volume, organ: np.ndarray | None
) -> None:
    """Fill the rows' ``agreement`` from the answered place-free questions and free their masks.

    Args:
        asks: the plan's own questions, with their rows.
        seconds: of :func:`second_asks`, answered.
        canonical: of the volume.
        volume: for whether its mm are real.
        organ: ``(K, J, I)`` whose midline and thirds count; None takes the body's and the volume's.
    """
    landmarks = find_landmarks(canonical, organ) if seconds else None
    sides: dict[str, frozenset[str]] = {}
    for finding in (finding for ask in asks for row in ask.rows for finding in _compared(row)):
        prompt = place_free_prompt(finding)
        sides[prompt] = sides.get(prompt, frozenset()) | finding.side
    for ask in asks:
        for row in ask.rows:
            found = []
            for finding in _compared(row):
                prompt = place_free_prompt(finding)
                second = seconds.get(prompt)
                if second is None or second.mask is None or landmarks is None:
                    continue
                whole = measure(second.mask, landmarks, canonical, volume.spacing_known)
                facts = whole
                if finding.levels and len(ask.slices) < len(second.mask):
                    part = np.zeros_like(second.mask)
                    part[list(ask.slices)] = second.mask[list(ask.slices)]
                    facts = measure(part, landmarks, canonical, volume.spacing_known)
                found.append(compare(finding, facts, second.text, whole, sides[prompt]))
            row.agreement = tuple(found)
    for second in seconds.values():
        second.mask = None


def _compared(row: SentenceResult) -> list[Finding]:
    """The affirmed findings of the card's vocabulary in a row's sentence."""
    return [finding for finding in row.sentence.findings if finding.name and finding.status is State.AFFIRMED]
