"""Percentile intervals by resampling blocks of neighbouring slices.

Slices beside each other in a scan are nearly copies, so resampling single slices gives intervals that are far too
narrow. Whole blocks of neighbours are drawn instead, over all scans together. With few patients the interval still
speaks of slices like these, not of other patients: figures are reported per patient besides.

All statistics of one evaluation share one table of draws, which makes their differences paired.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_SIZE = 10
DRAWS = 2000
LEVEL = 0.95

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile interval.

    Attributes:
        estimate: the statistic on the data as they are; NaN when undefined.
        low, high: ends of the interval; NaN when no draw defined the statistic.
        level: its coverage, such as 0.95.
        draws: number of draws in which the statistic was defined.
    """

    estimate: float
    low: float
    high: float
    level: float = LEVEL
    draws: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: undefined numbers are None."""
        return {
            "estimate": finite(self.estimate),
            "low": finite(self.low),
            "high": finite(self.high),
            "level": self.level,
            "draws": self.draws,
        }


def finite(value: float) -> float | None:
    """Return the number, or None when it is undefined: JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def neighbour_blocks(scans: Sequence[Hashable], size: int = BLOCK_SIZE) -> IntArray:
    """Number the blocks of up to ``size`` neighbouring slices; a block never crosses from one scan to another.

    Args:
        scans: for each of N rows the scan (patient and case) it belongs to; the rows of a scan stand in the order of
            its slices, but may be mixed with other scans'.
        size: slices per block; the last block of a scan may be shorter.

    Returns:
        ``(N,)`` block numbers 0 ... B-1.

    Raises:
        ValueError: if ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"block size is {size}, expected at least 1 slice")
    seen: dict[Hashable, int] = {}
    number: dict[tuple[Hashable, int], int] = {}
    blocks = np.empty(len(scans), dtype=np.int64)
    for row, scan in enumerate(scans):
        position = seen.get(scan, 0)
        seen[scan] = position + 1
        blocks[row] = number.setdefault((scan, position // size), len(number))
    return blocks


def block_weights(blocks: IntArray, draws: int, generator: np.random.Generator) -> IntArray:
    """Draw as many blocks as there are, with replacement, ``draws`` times.

    Args:
        blocks: ``(N,)`` block numbers of :func:`neighbour_blocks`.
        draws: number of resamples R.
        generator: source of randomness; the same state gives the same table.

    Returns:
        ``(R, N)``: how often each row counts in each resample.
    """
    count = int(blocks.max()) + 1 if blocks.size else 0
    if count == 0:
        return np.zeros((draws, 0), dtype=np.int64)
    drawn = generator.integers(count, size=(draws, count))
    per_block = np.stack([np.bincount(row, minlength=count) for row in drawn])
    weights: IntArray = per_block[:, blocks].astype(np.int64)
    return weights


def bootstrap(statistic: Callable[[IntArray], float], weights: IntArray, level: float = LEVEL) -> Interval:
    """Interval of any statistic of weighted rows.

    Args:
        statistic: takes ``(N,)`` weights (all ones = the data as they are), returns a number or NaN.
        weights: ``(R, N)`` from :func:`block_weights`.
        level: coverage of the percentile interval.
    """
    estimate = statistic(np.ones(weights.shape[1], dtype=np.int64))
    return percentile_interval(estimate, np.array([statistic(row) for row in weights], dtype=np.float64), level)


def bootstrap_mean(values: FloatArray, weights: IntArray, level: float = LEVEL) -> Interval:
    """Interval of the mean of ``(N,)`` values; NaN rows (undefined, such as an empty truth) are left out."""
    return percentile_interval(*_ratio(np.nan_to_num(values), np.isfinite(values).astype(float), weights), level)


def bootstrap_ratio(above: FloatArray, below: FloatArray, weights: IntArray, level: float = LEVEL) -> Interval:
    """Interval of ``sum(above) / sum(below)``, each ``(N,)``, such as the two parts of a pooled Dice."""
    return percentile_interval(*_ratio(above, below, weights), level)


def paired_mean_difference(
    values: FloatArray, reference: FloatArray, weights: IntArray, level: float = LEVEL
) -> Interval:
    """Interval of the mean of ``values - reference``, each ``(N,)``, over the rows where both are defined."""
    return bootstrap_mean(values - reference, weights, level)


def paired_ratio_difference(
    values: tuple[FloatArray, FloatArray],
    reference: tuple[FloatArray, FloatArray],
    weights: IntArray,
    level: float = LEVEL,
) -> Interval:
    """Interval of the difference of two ratios of sums on the same draws; each pair is (above, below), each (N,)."""
    estimate, drawn = _ratio(*values, weights)
    reference_estimate, reference_drawn = _ratio(*reference, weights)
    return percentile_interval(estimate - reference_estimate, drawn - reference_drawn, level)


def percentile_interval(estimate: float, drawn: FloatArray, level: float = LEVEL) -> Interval:
    """Central percentile interval of ``(R,)`` drawn values; undefined draws are left out and not counted.

    Raises:
        ValueError: if the level is no share between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a share between 0 and 1 such as 0.95")
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size == 0 or not np.isfinite(estimate):
        return Interval(float(estimate), float("nan"), float("nan"), level, int(drawn.size))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high), level, int(drawn.size))


def _ratio(above: FloatArray, below: FloatArray, weights: IntArray) -> tuple[float, FloatArray]:
    """The ratio of sums on the data as they are and ``(R,)`` on the draws; NaN where nothing is below the line."""
    tops = np.concatenate([[above.sum()], weights @ above])
    bottoms = np.concatenate([[below.sum()], weights @ below])
    values = np.full(tops.shape, np.nan)
    np.divide(tops, bottoms, out=values, where=bottoms > 0)
    return float(values[0]), values[1:]
