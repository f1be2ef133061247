"""HD95 and surface Dice in mm against MONAI, by hand, and for masks without an outline."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from LMISCore.metrics.surface import outline, surface_scores

# MONAI's own use of an argument that it is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")


def monai_scores(
    prediction: np.ndarray, truth: np.ndarray, spacing: tuple[float, ...], tolerance: float
) -> tuple[float, float]:
    from monai.metrics import compute_hausdorff_distance, compute_surface_dice

    pair = [torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (prediction, truth)]
    common = {"include_background": True, "spacing": list(spacing)}
    hd95 = compute_hausdorff_distance(*pair, percentile=95, **common)
    dice = compute_surface_dice(*pair, class_thresholds=[tolerance], **common)
    return float(hd95), float(dice)


def blob(seed: int, shape: tuple[int, ...], share: float) -> np.ndarray:
    """Smooth random foreground that also touches the picture's edge."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    mask: np.ndarray = noise > np.quantile(noise, 1 - share)
    return mask


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((31, 40), (1.0, 1.0)), ((31, 40), (0.7, 1.3)), ((9, 20, 17), (5.0, 0.8, 0.6))],
    ids=["square pixels", "oblong pixels", "volume"],
)
def test_random_masks_score_as_in_monai(seed: int, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    prediction, truth = blob(seed, shape, 0.2), blob(seed + 100, shape, 0.1 + 0.05 * seed)
    found = surface_scores(prediction, truth, spacing, 2.05)
    assert (found.hd95, found.surface_dice) == pytest.approx(monai_scores(prediction, truth, spacing, 2.05), rel=1e-5)
    assert 0 < found.surface_dice < 1


small = arrays.arrays(bool, (4, 5), elements=st.booleans(), fill=st.booleans())


@settings(max_examples=60, deadline=None)
@given(small, small)
def test_any_two_small_masks_score_as_in_monai(prediction: np.ndarray, truth: np.ndarray) -> None:
    if not prediction.any() or not truth.any():
        return
    found = surface_scores(prediction, truth, (0.9, 1.2), 1.25)
    expected = monai_scores(prediction, truth, (0.9, 1.2), 1.25)
    assert (found.hd95, found.surface_dice) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.filterwarnings("ignore:the (prediction|ground truth) of class:UserWarning")
@pytest.mark.parametrize("full", ["neither", "truth", "prediction"])
def test_masks_without_an_outline_follow_the_stated_convention(full: str) -> None:
    empty, filled = np.zeros((6, 6), bool), blob(0, (6, 6), 0.3)
    prediction = filled if full == "prediction" else empty
    truth = filled if full == "truth" else empty
    found = surface_scores(prediction, truth, (1.0, 1.0))
    if full == "neither":
        assert math.isnan(found.hd95)
        assert math.isnan(found.surface_dice)
    else:
        assert (found.hd95, found.surface_dice) == (math.inf, 0.0)
    dice = monai_scores(prediction, truth, (1.0, 1.0), 2.0)[1]
    assert found.surface_dice == pytest.approx(dice, nan_ok=True)


def square(row: int, column: int, side: int, size: int = 20) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[row : row + side, column : column + side] = True
    return mask


def test_distances_are_in_mm_along_each_axis() -> None:
    # One pixel each, 3 rows and 4 columns apart: with pixels of 2 mm x 0.5 mm, 6 mm and 2 mm.
    found = surface_scores(square(2, 2, 1), square(5, 6, 1), (2.0, 0.5), 6.0)
    assert found.hd95 == pytest.approx(math.hypot(6, 2))
    assert found.surface_dice == 0
    assert surface_scores(square(2, 2, 1), square(5, 6, 1), (2.0, 0.5), 6.4).surface_dice == 1


def test_the_larger_of_both_directions_counts() -> None:
    near, far = square(2, 2, 3), square(2, 2, 3) | square(15, 15, 3)
    assert surface_scores(far, near, (1.0, 1.0)).hd95 > 15
    assert surface_scores(near, far, (1.0, 1.0)) == surface_scores(far, near, (1.0, 1.0))


def test_a_distance_equal_to_the_tolerance_lies_within_it() -> None:
    # 3 x 0.1 is 0.30000000000000004 in floating point.
    assert surface_scores(square(2, 2, 1), square(5, 2, 1), (0.1, 0.1), 0.3).surface_dice == 1


def test_equal_masks_have_no_distance_and_the_picture_edge_belongs_to_the_outline() -> None:
    mask = square(0, 0, 20)
    found = surface_scores(mask, mask, (0.8, 0.8), 0.0)
    assert (found.hd95, found.surface_dice) == (0, 1)
    assert int(outline(mask).sum()) == 4 * 19


def test_what_cannot_be_measured_is_refused() -> None:
    mask = square(1, 1, 2)
    with pytest.raises(ValueError, match="expected the same"):
        surface_scores(mask, mask[:5], (1.0, 1.0))
    with pytest.raises(ValueError, match="2 positive numbers"):
        surface_scores(mask, mask, (1.0,))
    with pytest.raises(ValueError, match="2 positive numbers"):
        surface_scores(mask, mask, (1.0, 0.0))
    with pytest.raises(ValueError, match="not negative"):
        surface_scores(mask, mask, (1.0, 1.0), -1.0)
