"""Validation counts pictures together as it would one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_makers import recipe, training_ground

from LMISCore.metrics.batched import count_batch, read_counts
from LMISCore.metrics.overlap import Counts, count, summarise
from LMISCore.training import validation
from LMISCore.training.datasets import Slice, clean_picture
from LMISCore.training.trainer import Trainer
from LMISCore.volumes.framing import Frame

__all__ = ["training_ground"]


def test_masks_counted_together_are_counted_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.random((9, 7)) < share, rng.random((9, 7)) < 0.4) for share in (0.5, 0.0, 1.0)]
    together = count_batch(*(torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True)))
    assert read_counts([together[:2], together[2:]]) == [count(*pair) for pair in pairs]
    assert read_counts([]) == []
    by_hand = torch.tensor([[[True, True, False, False]]]), torch.tensor([[[True, False, True, False]]])
    assert read_counts([count_batch(*by_hand)]) == [Counts(1, 1, 1)]


def test_masks_of_different_shapes_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"prediction has shape \(1, 2, 2\), truth \(1, 2, 3\)"):
        count_batch(torch.ones(1, 2, 2, dtype=torch.bool), torch.ones(1, 2, 3, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(40, 30), (20, 50), (32, 32), (512, 400), (7, 5)])
def test_two_matrices_restore_a_picture_as_resizing_does(shape: tuple[int, int]) -> None:
    frame = Frame(shape, (32, 32), (0.8, 1.1))
    probability = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    (top, left), (height, width) = frame.corner, frame.inner
    rows, columns = frame.restoring()
    assert rows.shape == (shape[0], height) and columns.shape == (shape[1], width)
    found = rows @ probability[top : top + height, left : left + width] @ columns.T
    np.testing.assert_allclose(found, frame.restore(probability), atol=1e-6)


def test_slices_of_several_shapes_are_measured_as_one_by_one(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(recipe(ground), tmp_path, "cpu")
    slices: list[Slice] = []
    for number, item in enumerate([*trainer.val, *trainer.train][:11]):
        side = (48, 40, 64)[number % 3]
        lesion = Frame(item.frame.size, (side, side)).resize_mask(item.frame.resize_mask(item.places.lesion))
        places = replace(item.places, lesion=lesion)
        slices.append(replace(item, places=places, frame=Frame((side, side), item.frame.size)))
    assert len(slices) > validation.BATCH
    # The picture itself as the answer: it has edges everywhere, which the weights of no training have not.
    monkeypatch.setattr(validation, "probabilities", lambda network, images, *given: images[:, 0])
    found = validation.overlap(trainer.averaged, slices, "unit", trainer.cache, trainer.device)
    alone = []
    for item in slices:
        picture, words = clean_picture(item, "unit")[None], [item.places.report]
        answer = validation.probabilities(trainer.averaged, picture, words, trainer.cache, trainer.device)
        alone.append(count(item.frame.restore(answer[0].numpy()) >= 0.5, item.places.lesion))
    expected = summarise(alone)
    assert expected.images > 5 and 0 < expected.pooled_dice < 1
    assert found.mean_dice == pytest.approx(expected.mean_dice, abs=1e-4)
    assert (found.images, found.empty_truths) == (expected.images, expected.empty_truths)
