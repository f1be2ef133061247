"""What is asked of the network: which sentences, in which words, on which slices; before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.naming import free_colour, segment_term
from LMISCore.inference.result import SentenceResult
from LMISCore.inference.slices import LEVELS, level_slices
from LMISCore.text.findings import Vocabulary, sentence_state
from LMISCore.text.prompts import prompt_for
from LMISCore.text.report import Report, State

ProgressCallback = Callable[[int, int, str], "bool | None"]


@dataclass
class Ask:
    """One distinct question: a prompt on some slices, for every row that asks just this.

    Attributes:
        text: what the text encoder gets.
        slices: canonical slice numbers, feet to head.
        rows: the sentences that share it.
        scores: presence score by slice, filled while running; its length says how far the work is.
        mask: ``(N, H, W)`` bool, canonical.
        permille: ``(N, H, W)`` uint16, canonical, the probability in thousandths, only when it is kept.
        cut: share of the mask threshold at which its mask is cut; 1 for every mask that is shown.
    """

    text: str
    slices: tuple[int, ...]
    rows: list[SentenceResult]
    scores: dict[int, float] = field(default_factory=dict)
    mask: np.ndarray | None = None
    permille: np.ndarray | None = None
    cut: float = 1.0

    def positions(self, part: list[int]) -> list[int]:
        """Places within ``part`` whose slices this asks about."""
        return [place for place, index in enumerate(part) if self._first <= index <= self._last and index in self._set]

    def __post_init__(self) -> None:
        self._set = frozenset(self.slices)
        self._first, self._last = self.slices[0], self.slices[-1]


def plan_rows(
    report: Report,
    vocabulary: Vocabulary,
    force: frozenset[str],
    plane: str,
    slice_count: int,
    extent: tuple[int, int],
    extent_of: str,
) -> tuple[list[SentenceResult], list[Ask]]:
    """Decide on each sentence's state from its text, and what to ask for those that get asked.

    Args:
        report: with its findings filled in.
        vocabulary: the card's.
        force: ids of sentences that are asked whatever their state.
        plane: by which words are understood, see ``plane_of_words``; head-feet words choose slices on axial ones only.
        slice_count: N.
        extent: first slice and one past the last of what head-feet words are thirds of.
        extent_of: "organ" or "volume", for the reason.

    Returns:
        one row per sentence, and the distinct questions in the order in which they come up.

    Raises:
        InputError: if the report has no sentence, or a forced id is not in it.
    """
    found = [(field_.name, sentence) for field_ in report.fields for sentence in field_.sentences]
    if not found:
        raise InputError("The report holds no sentence; give text with at least one.")
    unknown = sorted(force - {sentence.id for _, sentence in found})
    if unknown:
        raise InputError(
            f"There is no sentence {unknown[0]!r} to force; this report has "
            f"{', '.join(sentence.id for _, sentence in found)}."
        )
    rows: list[SentenceResult] = []
    asks: dict[tuple[str, tuple[int, ...]], Ask] = {}
    used: set[tuple[float, float, float]] = set()
    for field_name, sentence in found:
        state, reason = sentence_state(sentence, vocabulary)
        row = SentenceResult(sentence, field_name, state, reason, forced=sentence.id in force)
        rows.append(row)
        if state != State.AFFIRMED and not row.forced:
            continue
        row.prompt = prompt_for(sentence, plane, vocabulary.places)
        term = segment_term(sentence)
        row.colour = free_colour(term.colour if term.name else None, used)
        used.add(row.colour)
        slices = tuple(range(slice_count))
        if row.prompt.levels and plane == "axial":
            slices = tuple(level_slices(row.prompt.levels, extent))
            row.add_reason(_where(row.prompt.levels, slices, slice_count, extent, extent_of))
        row.asked_slices = len(slices)
        ask = asks.setdefault((row.prompt.text, slices), Ask(row.prompt.text, slices, []))
        ask.rows.append(row)
    return rows, list(asks.values())


def keep_only(
    rows: list[SentenceResult], asks: list[Ask], only: frozenset[str]
) -> tuple[list[SentenceResult], list[Ask]]:
    """Drop all but some sentences from a plan; each keeps the state, colour and slices that it has among all.

    Args:
        rows, asks: of :func:`plan_rows`.
        only: ids of the sentences that stay; empty keeps all.

    Raises:
        InputError: if one of them is not in the report.
    """
    if not only:
        return rows, asks
    known = [row.sentence.id for row in rows]
    unknown = sorted(only - set(known))
    if unknown:
        raise InputError(f"There is no sentence {unknown[0]!r} to run again; this report has {', '.join(known)}.")
    for ask in asks:
        ask.rows = [row for row in ask.rows if row.sentence.id in only]
    return [row for row in rows if row.sentence.id in only], [ask for ask in asks if ask.rows]


def names_levels(asks: list[Ask]) -> bool:
    """Whether any question's words name a level from feet to head."""
    return any(row.prompt is not None and row.prompt.levels for ask in asks for row in ask.rows)


def _where(levels: frozenset[str], slices: tuple[int, ...], count: int, extent: tuple[int, int], of: str) -> str:
    words = " and ".join(level for level in reversed(LEVELS) if level in levels)
    if count == 1:
        return f"asked on the one slice there is without saying {words}, as a single slice shows one level only"
    if extent[1] - extent[0] < len(LEVELS):
        return f"asked on {len(slices)} of {count} slices, as the {of} has too few for thirds from feet to head"
    parts = "third" if len(levels) == 1 else "thirds"
    return (
        f"asked on {len(slices)} of {count} slices, the {words} {parts} of the {of} from feet to head "
        f"(slices {slices[0] + 1} to {slices[-1] + 1} from the feet)"
    )


@dataclass
class Tracker:
    """Reports progress and turns a refusal into :class:`Cancelled`."""

    callback: ProgressCallback | None
    total: int

    def __call__(self, done: int, stage: str) -> None:
        if self.callback is not None and self.callback(done, self.total, stage) is False:
            raise Cancelled("Cancelled as asked; nothing was written.")
