"""Running a plan: each question's mask and presence score from the network, then what that means for its sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from LMISCore.errors import InputError
from LMISCore.inference.cleanup import Cleanup
from LMISCore.inference.engine import Engine
from LMISCore.inference.naming import segment_id, segment_name
from LMISCore.inference.plan import Ask, Tracker
from LMISCore.inference.presence import slice_presence, volume_presence
from LMISCore.inference.result import SentenceResult
from LMISCore.inference.slices import SlicePictures
from LMISCore.text.report import State
from LMISCore.text.states import TextStates
from LMISCore.volumes.permille import to_permille
from LMISCore.volumes.volume import Volume


def collect_answers(
    engine: Engine,
    pictures: SlicePictures,
    asks: Sequence[Ask],
    states: Sequence[TextStates],
    tracker: Tracker,
    threshold: float,
    keep_probability: bool,
    skip_air: bool = False,
) -> int:
    """Fill each question's mask and presence scores; memory beside them is that of one batch.

    Args:
        engine: the network; each slice goes through its image encoder once.
        pictures: of the volume.
        asks: the questions.
        states: ``(1, L, D)`` of each question's text.
        tracker: told after each step.
        threshold: probability, on the volume's own pixels, from which one belongs to the mask.
        keep_probability: whether to fill ``Ask.permille`` too.
        skip_air: whether slices that show nothing but air go unasked, with presence 0 and no mask.

    Returns:
        how many slices went unasked for that.
    """
    shape = (pictures.count, *pictures.shape)
    for ask in asks:
        ask.mask = np.zeros(shape, dtype=bool)
        ask.permille = np.zeros(shape, dtype=np.uint16) if keep_probability and ask.rows else None
    frame = pictures.frame
    (top, left), (height, width) = frame.corner, frame.inner
    inside = torch.zeros(frame.size, dtype=torch.bool)
    inside[top : top + height, left : left + width] = True

    def work(part: list[int]) -> None:
        tracker(sum(len(ask.scores) for ask in asks), "segmenting")
        features = engine.features(pictures.batch(part))
        for ask, text in zip(asks, states, strict=True):
            places = ask.positions(part)
            if not places:
                continue
            chosen = features if len(places) == len(part) else features.rows(torch.tensor(places))
            probability = engine.probability(chosen, text)
            # What lies on the padding around a slice is nowhere in the volume.
            scores = slice_presence(probability * inside).tolist()
            for place, score, picture in zip(places, scores, probability.numpy(), strict=True):
                index = part[place]
                restored = frame.restore(picture)
                assert ask.mask is not None
                ask.mask[index] = restored >= engine.calibration.share_of(threshold, ask.cut)
                if ask.permille is not None:
                    ask.permille[index] = to_permille(restored)
                ask.scores[index] = score
            tracker(sum(len(ask.scores) for ask in asks), "segmenting")

    wanted = sorted({index for ask in asks for index in ask.slices})
    air = {index for index in wanted if skip_air and pictures.shows_air(index)}
    for ask in asks:
        ask.scores.update(dict.fromkeys(air & set(ask.slices), 0.0))
    engine.in_batches([index for index in wanted if index not in air], work)
    return len(air)


def finish_rows(
    ask: Ask, pictures: SlicePictures, volume: Volume, thresholds: Mapping[str, float], cleanup: Cleanup
) -> None:
    """Judge a question's presence and give its rows their mask on the volume's grid; frees the question's arrays.

    A row ends with a mask of at least one voxel, or with none and the state ABSENT (a forced one that its text does
    not affirm keeps the text's state).
    """
    presence = volume_presence(ask.scores)
    permille = None if ask.permille is None else pictures.native(ask.permille)
    present = presence >= thresholds["presence"]
    mask: np.ndarray | None = None
    before = False
    if present or any(row.forced for row in ask.rows):
        assert ask.mask is not None
        before = bool(ask.mask.any())
        mask = cleanup.apply(pictures.native(ask.mask), volume.geometry.voxel_volume_ml)
    ask.mask = ask.permille = None
    for row in ask.rows:
        row.presence, row.permille = presence, permille
        if not present and not row.forced:
            _absent(row, f"presence {presence:.2f} is under the threshold {thresholds['presence']:.2f}")
        elif mask is None or not mask.any():
            why = "the clean-up dropped all of it" if before else f"no voxel reaches {thresholds['mask']:g}"
            _absent(row, f"presence is {presence:.2f}, but {why}")
        else:
            _bind(row, mask, pictures, volume)
            if row.forced:
                row.add_reason(f"a mask was asked for all the same (presence {presence:.2f})")


def _bind(row: SentenceResult, mask: np.ndarray, pictures: SlicePictures, volume: Volume) -> None:
    row.mask = mask
    row.volume_ml = float(np.count_nonzero(mask)) * volume.geometry.voxel_volume_ml
    row.slices = int(np.count_nonzero(pictures.canonical.from_native(mask).any(axis=(1, 2))))
    row.segment_id = segment_id(row.sentence.id)
    row.name = segment_name(row.sentence)


def _absent(row: SentenceResult, why: str) -> None:
    if row.state == State.AFFIRMED:
        row.state = State.ABSENT
    row.add_reason(why)
    row.colour = None


def fraction(what: str, given: float | None, default: float) -> float:
    """What was given, else the default.

    Raises:
        InputError: if it is no number from 0 to 1.
    """
    value = float(default if given is None else given)
    if not 0 <= value <= 1:
        raise InputError(f"The {what} is {value:g}; give a number from 0 to 1.")
    return value
