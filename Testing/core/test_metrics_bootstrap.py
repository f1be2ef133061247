"""Blocks of neighbouring slices, their resamples, and the intervals made of them."""

from __future__ import annotations

import numpy as np
import pytest

from LMISCore.metrics.bootstrap import (
    block_weights,
    bootstrap,
    bootstrap_mean,
    bootstrap_ratio,
    neighbour_blocks,
    paired_mean_difference,
    paired_ratio_difference,
)

SCANS = ["a"] * 23 + ["b"] * 10 + ["c"] * 3


def weights_of(scans: list[str], draws: int = 400, seed: int = 0, size: int = 10) -> np.ndarray:
    return block_weights(neighbour_blocks(scans, size), draws, np.random.default_rng(seed))


def test_blocks_hold_ten_neighbours_and_never_cross_a_scan() -> None:
    blocks = neighbour_blocks(SCANS)
    assert np.bincount(blocks).tolist() == [10, 10, 3, 10, 3]
    for number in range(5):
        assert len({SCANS[row] for row in np.flatnonzero(blocks == number)}) == 1


def test_rows_of_two_scans_may_be_mixed() -> None:
    assert neighbour_blocks(["a", "b", "a", "b", "a"], size=2).tolist() == [0, 1, 0, 1, 2]


def test_a_block_below_one_slice_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        neighbour_blocks(SCANS, size=0)


def test_a_resample_draws_whole_blocks_as_many_as_there_are() -> None:
    blocks, weights = neighbour_blocks(SCANS), weights_of(SCANS)
    first_of_block = [int(np.flatnonzero(blocks == number)[0]) for number in range(5)]
    assert (weights[:, first_of_block].sum(1) == 5).all()
    for number in range(5):
        assert (weights[:, blocks == number] == weights[:, [first_of_block[number]]]).all()


def test_the_same_generator_state_gives_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(5).random(len(SCANS))
    first, again, other = (bootstrap_mean(values, weights_of(SCANS, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_the_mean_leaves_undefined_rows_out() -> None:
    values = np.array([0.2, np.nan, 0.6, np.nan])
    interval = bootstrap_mean(values, weights_of(["a", "b", "c", "d"]))
    assert interval.estimate == pytest.approx(0.4)
    assert 0.2 <= interval.low <= 0.4 <= interval.high <= 0.6


def test_draws_in_which_nothing_is_defined_are_not_counted() -> None:
    values = np.array([np.nan, 0.5])
    interval = bootstrap_mean(values, weights_of(["a", "b"], draws=1000))
    assert interval.estimate == 0.5
    # One block of two is left out of a resample of two with probability a quarter.
    assert 650 <= interval.draws <= 850
    assert bootstrap_mean(values[:1], weights_of(["a"])).as_dict()["estimate"] is None


def test_the_vectorised_mean_and_ratio_agree_with_a_plain_loop() -> None:
    generator = np.random.default_rng(3)
    above, below = generator.random(len(SCANS)), 1 + generator.random(len(SCANS))
    weights = weights_of(SCANS)
    loop = bootstrap(lambda w: float((w * above).sum() / (w * below).sum()), weights)
    ratio = bootstrap_ratio(above, below, weights)
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((loop.estimate, loop.low, loop.high))
    mean = bootstrap_mean(above, weights)
    looped_mean = bootstrap(lambda w: float(np.average(above, weights=w)), weights)
    assert (mean.low, mean.high) == pytest.approx((looped_mean.low, looped_mean.high))


def test_blocks_of_copies_give_wider_intervals_than_single_slices() -> None:
    values = np.repeat(np.random.default_rng(0).random(12), 10)
    scans = ["a"] * 120
    in_blocks, alone = (bootstrap_mean(values, weights_of(scans, 2000, size=size)) for size in (10, 1))
    assert in_blocks.high - in_blocks.low > 2 * (alone.high - alone.low)


def test_the_interval_of_independent_rows_is_as_wide_as_the_normal_approximation() -> None:
    values = np.random.default_rng(0).normal(size=400)
    interval = bootstrap_mean(values, weights_of([str(i) for i in range(400)], 4000))
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_a_constant_paired_difference_has_an_interval_of_no_width() -> None:
    reference = np.random.default_rng(1).random(len(SCANS))
    interval = paired_mean_difference(reference - 0.1, reference, weights_of(SCANS))
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((-0.1, -0.1, -0.1))


def test_the_paired_ratio_difference_of_equal_ratios_is_nought() -> None:
    generator = np.random.default_rng(1)
    pair = (generator.random(len(SCANS)), 1 + generator.random(len(SCANS)))
    interval = paired_ratio_difference(pair, pair, weights_of(SCANS))
    assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


def test_a_level_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.95"):
        bootstrap_mean(np.ones(4), weights_of(["a", "b", "c", "d"]), level=95)
