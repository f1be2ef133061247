"""Masks cut from kept thousandths are those cut from the probabilities themselves."""

import numpy as np
import pytest

from LMISCore.volumes.permille import STEPS, cut, to_permille


def neighbours(values: np.ndarray) -> np.ndarray:
    """Each value and the single-precision numbers right below and above it."""
    return np.stack([np.nextafter(values, np.float32(-1)), values, np.nextafter(values, np.float32(2))]).clip(0, 1)


def test_every_threshold_of_whole_thousandths_cuts_where_the_probability_itself_is_cut() -> None:
    thresholds = [step / STEPS for step in range(STEPS + 1)]
    probability = neighbours(np.array(thresholds, dtype=np.float32))
    kept = to_permille(probability)
    assert kept.dtype == np.uint16
    for threshold in thresholds:
        np.testing.assert_array_equal(cut(kept, threshold), probability >= threshold)


def test_random_probabilities_are_rounded_down_by_less_than_a_thousandth() -> None:
    probability = np.random.default_rng(0).random((40, 50, 60), dtype=np.float32)
    lost = probability - to_permille(probability) / STEPS
    assert lost.min() > -1e-7 and lost.max() < 1.0001 / STEPS


def test_a_threshold_between_two_thousandths_takes_the_higher_one() -> None:
    assert cut(np.array([500, 501], dtype=np.uint16), 0.5004).tolist() == [False, True]


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        cut(np.zeros(1, dtype=np.uint16), threshold)
