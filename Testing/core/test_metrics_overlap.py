"""Overlap against MONAI and scikit-learn, the two reductions, and the treatment of empty truths and answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from LMISCore.metrics.overlap import Counts, count, pooled, summarise

numbers = st.integers(0, 5000)


def random_masks(seed: int, images: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random((images, 12, 9)) < 0.3
    prediction = truth ^ (generator.random(truth.shape) < 0.2)
    return prediction, truth


def test_dice_and_iou_of_every_image_equal_those_of_monai() -> None:
    from monai.metrics import compute_dice, compute_iou

    prediction, truth = random_masks(0)
    arguments = [torch.from_numpy(mask[:, None].astype(np.float32)) for mask in (prediction, truth)]
    found = [count(p, t) for p, t in zip(prediction, truth, strict=True)]
    assert [c.dice for c in found] == pytest.approx(compute_dice(*arguments).flatten().tolist(), abs=1e-6)
    assert [c.iou for c in found] == pytest.approx(compute_iou(*arguments).flatten().tolist(), abs=1e-6)


masks = arrays.arrays(bool, (4, 5), elements=st.booleans(), fill=st.booleans())


@given(masks, masks)
def test_every_score_of_any_two_masks_equals_that_of_scikit_learn(prediction: np.ndarray, truth: np.ndarray) -> None:
    from sklearn import metrics

    found, arguments = count(prediction, truth), (truth.ravel(), prediction.ravel())
    # Undefined there means a division by nought, as here.
    for name, score in (
        ("dice", metrics.f1_score),
        ("iou", metrics.jaccard_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ):
        undefined = {"zero_division": 0} if name == "iou" else {"zero_division": np.nan}
        expected = score(*arguments, **undefined)
        if name == "iou" and not (prediction | truth).any():
            expected = math.nan
        assert getattr(found, name) == pytest.approx(expected, nan_ok=True), name


def test_an_answer_without_foreground_has_a_recall_of_nought_and_no_precision() -> None:
    silent, wrong = Counts(0, 0, 5), Counts(0, 5, 0)
    assert (silent.dice, silent.recall) == (0, 0)
    assert math.isnan(silent.precision)
    assert (wrong.dice, wrong.precision) == (0, 0)
    assert math.isnan(wrong.recall)


def test_the_mean_precision_leaves_out_what_was_not_marked_and_counts_it() -> None:
    summary = summarise([Counts(2, 2, 0), Counts(0, 0, 5), Counts(1, 3, 4), Counts(0, 7, 0)])
    assert (summary.images, summary.empty_truths, summary.unmarked) == (3, 1, 1)
    assert summary.mean_precision == pytest.approx((0.5 + 0.25) / 2)
    assert summary.mean_recall == pytest.approx((1 + 0 + 0.2) / 3)
    assert (summary.pooled_precision, summary.pooled_recall) == pytest.approx((3 / 15, 3 / 12))


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
