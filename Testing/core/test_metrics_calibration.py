"""Expected calibration error against scikit-learn's calibration curve, by hand, and its interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from LMISCore.metrics.bootstrap import block_weights, bootstrap, neighbour_blocks
from LMISCore.metrics.calibration import BINS, bin_table, bootstrap_calibration, expected_calibration_error

probability = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, 1 / 15, 2 / 15, 14 / 15]))


@given(st.lists(st.tuples(probability, st.booleans()), min_size=1, max_size=60))
def test_the_bins_and_the_error_equal_those_of_scikit_learn(rows: list[tuple[float, bool]]) -> None:
    from sklearn.calibration import calibration_curve

    scores, positive = np.array([p for p, _ in rows]), np.array([y for _, y in rows])
    # scikit-learn refuses labels of one class.
    assume(positive.any() and not positive.all())
    table = bin_table(scores, positive)
    share, mean = calibration_curve(positive, scores, n_bins=BINS, strategy="uniform")
    filled = table[0] > 0
    assert table[2][filled] / table[0][filled] == pytest.approx(share)
    assert table[1][filled] / table[0][filled] == pytest.approx(mean)
    expected = float(np.sum(table[0][filled] / len(rows) * np.abs(share - mean)))
    assert float(expected_calibration_error(table)) == pytest.approx(expected, abs=1e-12)


def test_a_hand_counted_example() -> None:
    # Two bins: 0.2 and 0.4 with one of two true (0.3 against 0.5), 0.9 twice with both true (0.9 against 1).
    table = bin_table([0.2, 0.4, 0.9, 0.9], [0, 1, 1, 1], bins=2)
    assert table.tolist() == [[2, 2], [pytest.approx(0.6), pytest.approx(1.8)], [1, 2]]
    assert float(expected_calibration_error(table)) == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)


def test_probabilities_that_come_true_as_often_as_they_say_have_a_small_error() -> None:
    generator = np.random.default_rng(0)
    scores = generator.random(200_000)
    honest = bin_table(scores, generator.random(scores.size) < scores)
    boastful = bin_table(scores, generator.random(scores.size) < scores / 2)
    assert float(expected_calibration_error(honest)) < 0.005
    assert float(expected_calibration_error(boastful)) == pytest.approx(0.25, abs=0.005)


def test_tables_of_parts_add_up_to_that_of_the_whole() -> None:
    generator = np.random.default_rng(1)
    scores, positive = generator.random(300), generator.random(300) < 0.4
    parts = [bin_table(scores[at : at + 100], positive[at : at + 100]) for at in (0, 100, 200)]
    assert np.sum(parts, axis=0) == pytest.approx(bin_table(scores, positive))
    assert expected_calibration_error(np.stack(parts)).shape == (3,)


def test_nothing_has_no_error_rather_than_none_at_all() -> None:
    assert math.isnan(float(expected_calibration_error(bin_table([], []))))


def test_the_interval_of_the_pooled_error_equals_resampling_in_a_loop() -> None:
    generator = np.random.default_rng(2)
    tables = np.stack([bin_table(generator.random(50), generator.random(50) < 0.3) for _ in range(12)])
    weights = block_weights(neighbour_blocks(["a"] * 12, 3), 200, np.random.default_rng(0))
    looped = bootstrap(lambda w: float(expected_calibration_error((tables * w[:, None, None]).sum(0))), weights)
    found = bootstrap_calibration(tables, weights)
    assert (found.estimate, found.low, found.high) == pytest.approx((looped.estimate, looped.low, looped.high))
    assert found.low < found.high


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="2 probabilities and 1 labels"):
        bin_table([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="2 of 3 probabilities"):
        bin_table([1.2, math.nan, 0.5], [True, False, True])
