"""Dice and IoU against MONAI, the two reductions, and the treatment of empty truths."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LMISCore.metrics.overlap import Counts, count, pooled, summarise

numbers = st.integers(0, 5000)


def random_masks(seed: int, images: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random((images, 12, 9)) < 0.3
    prediction = truth ^ (generator.random(truth.shape) < 0.2)
    return prediction, truth


def test_dice_and_iou_of_every_image_equal_those_of_monai() -> None:
    pytest.importorskip("monai")
    import torch
    from monai.metrics import compute_dice, compute_iou

    prediction, truth = random_masks(0)
    arguments = [torch.from_numpy(mask[:, None].astype(np.float32)) for mask in (prediction, truth)]
    found = [count(p, t) for p, t in zip(prediction, truth, strict=True)]
    assert [c.dice for c in found] == pytest.approx(compute_dice(*arguments).flatten().tolist(), abs=1e-6)
    assert [c.iou for c in found] == pytest.approx(compute_iou(*arguments).flatten().tolist(), abs=1e-6)


def test_the_pooled_score_is_that_of_all_pixels_as_one_image() -> None:
    prediction, truth = random_masks(1)
    summary = summarise(count(p, t) for p, t in zip(prediction, truth, strict=True))
    everything = count(prediction.reshape(-1), truth.reshape(-1))
    assert (summary.pooled_dice, summary.pooled_iou) == (everything.dice, everything.iou)
    assert summary.mean_dice != pytest.approx(summary.pooled_dice, abs=1e-6)


@given(st.lists(st.builds(Counts, numbers, numbers, numbers), min_size=1, max_size=8))
def test_pooled_iou_is_dice_over_two_minus_dice(counts: list[Counts]) -> None:
    dice, iou = pooled(counts).dice, pooled(counts).iou
    assert iou == pytest.approx(dice / (2 - dice), nan_ok=True, abs=1e-12)


@given(st.builds(Counts, numbers, numbers, numbers))
def test_exchanging_prediction_and_truth_changes_no_score(c: Counts) -> None:
    mirrored = Counts(c.tp, c.fn, c.fp)
    assert mirrored.dice == pytest.approx(c.dice, nan_ok=True)
    assert mirrored.iou == pytest.approx(c.iou, nan_ok=True)


@pytest.mark.parametrize(
    ("counts", "dice", "iou"),
    [
        (Counts(3, 0, 0), 1.0, 1.0),
        (Counts(0, 4, 2), 0.0, 0.0),
        (Counts(2, 1, 1), 2 / 3, 0.5),
        (Counts(1, 0, 3), 0.4, 0.25),
    ],
)
def test_hand_counted_scores(counts: Counts, dice: float, iou: float) -> None:
    assert (counts.dice, counts.iou) == pytest.approx((dice, iou))


def test_an_image_with_an_empty_truth_is_left_out_of_the_mean_and_counted() -> None:
    summary = summarise([Counts(2, 1, 1), Counts(0, 7, 0), Counts(0, 0, 0)])
    assert (summary.images, summary.empty_truths) == (1, 2)
    assert summary.mean_dice == pytest.approx(2 / 3)
    assert summary.pooled_dice == pytest.approx(4 / (4 + 8 + 1))


def test_nothing_but_empty_truths_has_no_mean() -> None:
    summary = summarise([Counts(0, 0, 0)])
    assert math.isnan(summary.mean_dice)
    assert math.isnan(summary.pooled_dice)


def test_masks_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        count(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
