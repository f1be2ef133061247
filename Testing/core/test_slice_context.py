"""Slice context in inference and on cards: the slices before and after as channels, K slices at a time."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from obedient import (
    WordEncoder,
    obedient_card,
    one_thread,  # noqa: F401
)
from predictor_makers import NOWHERE, noise_volume

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint, save_checkpoint
from LMISCore.errors import InputError
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.slices import SlicePictures, prepare_slices
from LMISCore.networks import create_network
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")
INFECTION = "Pulmonary infection."


def image(context: int | None) -> dict[str, Any]:
    values = {**obedient_card().image, "size": [32, 32]}
    return values if context is None else {**values, "context": context}


def pictures_of(volume: Volume, context: int | None = 1) -> SlicePictures:
    return prepare_slices(volume, image(context))


def context_card(network: torch.nn.Module, context: int = 1) -> Card:
    return obedient_card(
        network="tirnet",
        network_options=network.options,
        image=image(context),
        thresholds={"mask": 0.5, "presence": 0.0},
        format_version=2,
    )


def predictor(context: int, batch_size: int = 2) -> Predictor:
    torch.manual_seed(5)
    network = create_network("tirnet", width=4, text_width=4)
    return Predictor(
        Checkpoint(network, context_card(network, context), NOWHERE, "b" * 64), "cpu", batch_size, encoder=WordEncoder()
    )


def probability(volume: Volume, context: int, batch_size: int = 2) -> np.ndarray:
    (row,) = predictor(context, batch_size).segment(volume, INFECTION, keep_probability=True).rows
    assert row.permille is not None
    return row.permille


def test_the_channels_are_the_slice_nearer_the_feet_the_slice_and_the_one_nearer_the_head() -> None:
    volume = noise_volume(5)
    alone = [pictures_of(volume, 0).picture(n)[0] for n in range(5)]
    seen = pictures_of(volume)
    for n in range(1, 4):
        np.testing.assert_array_equal(seen.picture(n), np.stack([alone[n - 1], alone[n], alone[n + 1]]))
    head_first = Volume(volume.array[::-1].copy(), Geometry((20, 24, 5), (1.5, 1.0, 2.0), (0, 0, 8),
                        (1, 0, 0, 0, 1, 0, 0, 0, -1)), "turned", "made for tests")  # fmt: skip
    np.testing.assert_array_equal(pictures_of(head_first).picture(1), seen.picture(1))


def test_the_first_and_last_slice_stand_in_for_what_lies_beyond_them() -> None:
    volume = noise_volume(4)
    alone = [pictures_of(volume, 0).picture(n)[0] for n in range(4)]
    seen = pictures_of(volume)
    np.testing.assert_array_equal(seen.picture(0), np.stack([alone[0], alone[0], alone[1]]))
    np.testing.assert_array_equal(seen.picture(3), np.stack([alone[2], alone[3], alone[3]]))
    known = dataclasses.replace(seen, beyond=(alone[2], alone[1]))
    np.testing.assert_array_equal(known.picture(0)[0], alone[2])
    np.testing.assert_array_equal(known.picture(3)[2], alone[1])


def test_a_batch_holds_what_its_slices_hold_one_by_one_and_prepares_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = pictures_of(noise_volume(7))
    expected = np.stack([seen.picture(n) for n in (1, 2, 3, 6)])
    prepared: list[int] = []
    plane = SlicePictures.plane

    def counting(self: SlicePictures, index: int) -> np.ndarray:
        prepared.append(index)
        return plane(self, index)

    monkeypatch.setattr(SlicePictures, "plane", counting)
    np.testing.assert_array_equal(seen.batch([1, 2, 3, 6]), expected)
    assert prepared == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("context", [None, 0])
def test_without_context_pictures_are_the_normalisers_own_to_the_bit(context: int | None) -> None:
    pictures = pictures_of(noise_volume(3), context)
    for n in range(3):
        own = pictures.normaliser(pictures.canonical.slices[n], pictures.frame)
        np.testing.assert_array_equal(pictures.picture(n), own)
        np.testing.assert_array_equal(pictures.batch([n])[0], own)
    with pytest.raises(ValueError, match="no neighbours"):
        pictures.plane(0)


def test_shifting_a_volume_along_its_slices_shifts_the_answers() -> None:
    volume = noise_volume(8)
    shifted = dataclasses.replace(volume, array=np.roll(volume.array, 2, axis=0))
    before, after = probability(volume, 1), probability(shifted, 1)
    # Slices 0 and 1 of the shifted volume have other neighbours, and so has its slice 2.
    np.testing.assert_array_equal(after[3:7], before[1:5])
    assert (after[2] != before[0]).any(), "slice 0 lost its stand-in and got a true neighbour"


def test_answers_hang_on_the_neighbours_and_not_on_slices_further_away() -> None:
    volume = noise_volume(7)
    changed = volume.array.copy()
    changed[3] = 255 - changed[3]
    other = dataclasses.replace(volume, array=changed)
    differs = (probability(volume, 1) != probability(other, 1)).any(axis=(1, 2))
    assert differs.tolist() == [False, False, True, True, True, False, False]
    alone = (probability(volume, 0) != probability(other, 0)).any(axis=(1, 2))
    assert alone.tolist() == [False, False, False, True, False, False, False]


def test_how_many_slices_go_at_a_time_changes_no_answer() -> None:
    volume = noise_volume(7)
    whole = probability(volume, 1, 7).astype(int)
    for batch_size in (1, 3):
        # Batches may round differently in the last bit of a float; the answer is in whole thousandths.
        assert np.abs(probability(volume, 1, batch_size).astype(int) - whole).max() <= 1


def test_a_volume_of_equal_slices_is_answered_as_without_context() -> None:
    one = noise_volume(1).array
    volume = Volume(np.repeat(one, 4, axis=0), Geometry((20, 24, 4), (1.5, 1.0, 2.0)), "equal", "made for tests")
    np.testing.assert_array_equal(probability(volume, 1), probability(volume, 0))


def test_a_card_with_context_is_kept_in_the_format_that_older_releases_refuse(tmp_path: Path) -> None:
    network = create_network("tirnet", width=4, text_width=4)
    saved = save_checkpoint(tmp_path / "a.safetensors", network, context_card(network))
    loaded = load_checkpoint(saved.path)
    assert (loaded.card.context, loaded.card.format_version) == (1, 2)
    assert "with the slices before and after as channels" in loaded.card.to_markdown()
    plain = obedient_card()
    assert (plain.context, plain.format_version) == (0, 1) and "context" not in plain.to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"format_version": 1},
        {"image": {**image(1), "colour": "rgb"}},
        {"image": image(2)},
        {"image": image(-1)},
        {"image": {**image(0), "context": True}},
    ],
    ids=["first format", "colour", "two slices", "negative", "no number"],
)
def test_a_card_whose_context_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    good = {"image": image(1), "format_version": 2}
    assert obedient_card(**good).context == 1
    with pytest.raises(InputError, match=r"image\.context"):
        obedient_card(**{**good, **changes})
