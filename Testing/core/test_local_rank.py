"""A pixel's rank among its neighbours, beside SimpleITK and beside counting one by one."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from LMISCore.volumes.intensity import equalise
from LMISCore.volumes.local_rank import local_rank


def drawn(height: int, width: int, seed: int = 0, levels: int = 256) -> np.ndarray:
    """A smooth picture ``(height, width)`` uint8 that has level 0 and the highest."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, levels, (height // 4 + 2, width // 4 + 2)).astype(np.float64)
    fine = np.kron(coarse, np.ones((4, 4)))[:height, :width] + generator.normal(0, levels / 20, (height, width))
    picture = np.clip(fine, 0, levels - 1).astype(np.uint8)
    picture[0, 0], picture[-1, -1] = 0, levels - 1
    return picture


def by_simpleitk(picture: np.ndarray, radius: tuple[int, int]) -> np.ndarray:
    image = sitk.GetImageFromArray(picture.astype(np.float32) / np.float32(255))
    found: np.ndarray = sitk.GetArrayFromImage(sitk.AdaptiveHistogramEqualization(image, radius[::-1], 0.0, 0.0))
    return found


@pytest.mark.parametrize(
    ("shape", "radius"), [((40, 56), (5, 7)), ((33, 20), (4, 2)), ((24, 24), (1, 1)), ((9, 12), (3, 8))]
)
def test_ranks_are_those_of_simpleitk_to_the_last_bit(shape: tuple[int, int], radius: tuple[int, int]) -> None:
    for seed in range(3):
        picture = drawn(*shape, seed=seed)
        assert np.array_equal(local_rank(picture, radius).astype(np.float32), by_simpleitk(picture, radius))


def test_few_grey_values_share_their_ranks() -> None:
    picture = drawn(30, 30, levels=3)
    found = local_rank(picture, (4, 4))
    for row, column in ((0, 0), (15, 12), (29, 3)):
        seen = picture[max(row - 4, 0) : row + 5, max(column - 4, 0) : column + 5]
        own = picture[row, column]
        assert found[row, column] == pytest.approx(np.mean(seen < own) + np.mean(seen == own) / 2, abs=1e-12)


def test_neighbourhoods_of_more_pixels_than_sixteen_bits_count_are_counted_right() -> None:
    # 40,000 neighbours counted twice do not fit 16 bits.
    picture = drawn(200, 200)
    found = local_rank(picture, (200, 200))
    ordered = np.sort(picture, axis=None)
    darker = np.searchsorted(ordered, picture, "left")
    not_brighter = np.searchsorted(ordered, picture, "right")
    np.testing.assert_allclose(found, (darker + not_brighter) / (2 * picture.size), atol=1e-12)


def test_neighbours_reach_no_further_than_the_picture() -> None:
    picture = drawn(6, 5)
    assert np.array_equal(local_rank(picture, (6, 5)), local_rank(picture, (60, 50)))


def test_a_flat_picture_is_equalised_to_black() -> None:
    assert not equalise(np.full((8, 8), 0.4, np.float32)).any()
