"""Ask a checkpoint everything that an evaluation needs, slice by slice, and keep only counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from torch import Tensor

from LMISCore.data.lungs import LungGeometry, Side
from LMISCore.data.manifest import Pair
from LMISCore.data.slices import TruthSlice, case_normalisers, changed_normalisers, read_slice
from LMISCore.errors import Cancelled
from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.asking import Asker
from LMISCore.evaluation.conditions import Condition
from LMISCore.evaluation.obedience import LungAnswer, measure_lung, places_in_view
from LMISCore.evaluation.pictures import Pictures
from LMISCore.evaluation.places import zone_sentence
from LMISCore.evaluation.quality import (
    Quality,
    SurfaceRule,
    bins_before_calibration,
    measure_native,
    measure_network,
    pack_mask,
)
from LMISCore.evaluation.robustness import CHANGES, change_picture
from LMISCore.inference.slices import SlicePictures
from LMISCore.metrics.overlap import Counts, count
from LMISCore.training.pairs import side_sentence
from LMISCore.volumes.intensity import Normaliser

Progress = Callable[[int, int, str], object]
Places = dict[tuple[int, Side, str | None], LungAnswer]


@dataclass(frozen=True)
class Fits:
    """Intensity conventions fitted to whole cases, as inference fits them to whole volumes.

    Attributes:
        plain: of the evaluated checkpoint, by case.
        image_only: of the checkpoint without text, by case; empty where there is none.
        changed: of the evaluated checkpoint, by change of the picture and case.
    """

    plain: dict[str, Normaliser]
    image_only: dict[str, Normaliser] = field(default_factory=dict)
    changed: dict[str, dict[str, Normaliser]] = field(default_factory=dict)


@dataclass
class Answers:
    """What came back, by slice number; filled batch by batch, and a batch may be repeated when memory runs out.

    Attributes:
        counts: by condition, agreement of each slice with its truth; None where it was not asked.
        presence: by condition, each slice's presence score; None where it was not asked.
        native, network: by slice, what the right sentence's answer is worth at either resolution.
        uncalibrated: by slice, as ``network`` before the card's calibration; empty where it has none.
        masks: by slice, the right sentence's answer, packed.
        places: by slice, lung and third (None for the whole lung), for those in view.
        changed: by change of the picture, as ``counts``.
    """

    counts: dict[str, list[Counts | None]]
    presence: dict[str, list[float | None]]
    native: dict[int, Quality] = field(default_factory=dict)
    network: dict[int, Quality] = field(default_factory=dict)
    uncalibrated: dict[int, Quality] = field(default_factory=dict)
    masks: dict[int, bytes] = field(default_factory=dict)
    places: Places = field(default_factory=dict)
    changed: dict[str, list[Counts | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One evaluation, ready to run.

    Attributes:
        asker, image_only: the checkpoint, and the one without text where there is one.
        pairs: N slices, those of a case together and in order.
        geometries: of each case's lungs.
        fits: the cards' intensity conventions, fitted to each case.
        conditions: the right sentence first.
        finding: name asked for in single places; None where obedience is not measured.
        zones: names of the thirds of a lung that are asked for, from the picture's top down.
        surface: how outlines are compared; None leaves their distances out.
        robustness: whether to ask about changed pictures.
        seed: of the noise.
    """

    asker: Asker
    image_only: Asker | None
    pairs: list[Pair]
    geometries: dict[str, LungGeometry | None]
    fits: Fits
    conditions: list[Condition]
    finding: str | None
    zones: tuple[str, ...]
    surface: SurfaceRule | None
    robustness: bool
    seed: int


def collect(task: Task, progress: Progress) -> Answers:
    """Ask about all slices in batches; memory is that of one batch.

    Raises:
        Cancelled: if the progress callback, called with (done, total, stage), returned False.
    """
    total = len(task.pairs)
    names = [condition.name for condition in task.conditions] + ([asked.IMAGE_ONLY] if task.image_only else [])
    answers = Answers(
        {name: [None] * total for name in names}, {condition.name: [None] * total for condition in task.conditions}
    )
    if task.robustness:
        answers.changed = {name: [None] * total for name in CHANGES}
    plain = Pictures(task.asker, task.pairs, task.fits.plain)
    without = None if task.image_only is None else Pictures(task.image_only, task.pairs, task.fits.image_only)
    changed = {
        name: Pictures(task.asker, task.pairs, task.fits.changed[name], partial(_changed_row, name, task.seed))
        for name in answers.changed
    }

    def work(rows: list[int]) -> None:
        slices = [read_slice(task.pairs[row]) for row in rows]

        def prepared(pictures: Pictures) -> list[SlicePictures]:
            return [pictures.picture(row, item.volume) for row, item in zip(rows, slices, strict=True)]

        _ask_sentences(task, rows, slices, prepared(plain), answers)
        if without is not None:
            _ask_image_only(without.asker, rows, slices, prepared(without), answers)
        for name, pictures in changed.items():
            _ask_changed(task, rows, slices, prepared(pictures), answers.changed[name])
        if progress(rows[-1] + 1, total, "evaluating") is False:
            raise Cancelled("The evaluation was stopped; nothing was written.")

    task.asker.engine.in_batches(range(total), work)
    return answers


def _ask_sentences(
    task: Task, rows: list[int], slices: list[TruthSlice], prepared: list[SlicePictures], answers: Answers
) -> None:
    """Ask each slice all its sentences, every distinct one once."""
    asker = task.asker
    features = asker.features(prepared)
    places = [_place_sentences(task, row, item) for row, item in zip(rows, slices, strict=True)]
    questions = [
        (place, sentence)
        for place, row in enumerate(rows)
        for sentence in dict.fromkeys([*_sentences(task, row), *places[place].values()])
    ]
    found = dict(zip(questions, asker.ask(features, questions), strict=True))
    for number, (row, item) in enumerate(zip(rows, slices, strict=True)):
        # The masks of one slice at a time: a large picture's, for all sentences of a batch, would fill the memory.
        mine = {sentence: value for (owner, sentence), value in found.items() if owner == number}
        _judge(task, row, item, prepared[number], mine, places[number], answers)


def _judge(
    task: Task,
    row: int,
    item: TruthSlice,
    prepared: SlicePictures,
    found: dict[str, Tensor],
    places: dict[tuple[Side, str | None], str],
    answers: Answers,
) -> None:
    """Compare the answers to one slice's sentences with its truth."""
    asker = task.asker
    masks = {sentence: asker.mask(prepared, value) for sentence, value in found.items()}
    presence = {sentence: asker.presence(prepared, value) for sentence, value in found.items()}
    for condition in task.conditions:
        sentence = condition.sentences[row]
        if sentence is not None:
            answers.counts[condition.name][row] = count(masks[sentence], item.truth)
            answers.presence[condition.name][row] = presence[sentence]
    right = task.conditions[0].sentences[row]
    assert right is not None, "the first condition is asked of every slice"
    probability = found[right].numpy()
    restored = prepared.frame.restore(probability)
    answers.native[row] = measure_native(item, restored, masks[right], task.surface)
    answers.network[row] = measure_network(item, prepared.frame, probability, asker.threshold, task.surface)
    if asker.card.calibration:
        answers.uncalibrated[row] = bins_before_calibration(item, prepared.frame, probability, asker.engine.calibration)
    answers.masks[row] = pack_mask(masks[right])
    geometry = task.geometries[task.pairs[row].case]
    for (side, zone), sentence in places.items():
        assert geometry is not None
        answers.places[row, side, zone] = measure_lung(
            row, side, masks[sentence], item.truth, geometry, presence[sentence], zone, task.zones, masks[right]
        )


def _sentences(task: Task, row: int) -> list[str]:
    return [text for condition in task.conditions if (text := condition.sentences[row]) is not None]


def _place_sentences(task: Task, row: int, item: TruthSlice) -> dict[tuple[Side, str | None], str]:
    """The plainest sentence about each lung, and each third of one, in view."""
    geometry = task.geometries[task.pairs[row].case]
    if task.finding is None or geometry is None or item.lungs is None:
        return {}
    return {
        (side, zone): side_sentence(task.finding, side) if zone is None else zone_sentence(task.finding, side, zone)
        for side, zone in places_in_view(item.lungs, geometry, task.zones)
    }


def _ask_image_only(
    asker: Asker, rows: list[int], slices: list[TruthSlice], prepared: list[SlicePictures], answers: Answers
) -> None:
    found = asker.ask(asker.features(prepared), [(place, asker.rule("")) for place in range(len(rows))])
    for row, item, picture, probability in zip(rows, slices, prepared, found, strict=True):
        answers.counts[asked.IMAGE_ONLY][row] = count(asker.mask(picture, probability), item.truth)


def _ask_changed(
    task: Task, rows: list[int], slices: list[TruthSlice], changed: list[SlicePictures], found: list[Counts | None]
) -> None:
    asker, right = task.asker, task.conditions[0].sentences
    answered = asker.ask(asker.features(changed), [(place, right[row] or "") for place, row in enumerate(rows)])
    for row, item, frame, probability in zip(rows, slices, changed, answered, strict=True):
        found[row] = count(asker.mask(frame, probability), item.truth)


def fit_cases(asker: Asker, image_only: Asker | None, pairs: Sequence[Pair], changes: Sequence[str], seed: int) -> Fits:
    """Fit the checkpoints' conventions to every case, and to every changed case where that makes a difference."""
    plain = case_normalisers(pairs, asker.card.image["convention"])
    changed = {name: changed_normalisers(pairs, plain, partial(_changed_row, name, seed)) for name in changes}
    other = {} if image_only is None else case_normalisers(pairs, image_only.card.image["convention"])
    return Fits(plain, other, changed)


def changed_slice(picture: np.ndarray, name: str, seed: int, row: int) -> np.ndarray:
    """One slice ``(H, W)`` or ``(H, W, 3)``, HU or brightness, under one change.

    The noise hangs on slice and change, not on how slices fall into batches.
    """
    return change_picture(picture, name, np.random.default_rng([seed, 1, list(CHANGES).index(name), row]))


def _changed_row(name: str, seed: int, row: int, picture: np.ndarray) -> np.ndarray:
    return changed_slice(picture, name, seed, row)
