"""Does a probability of 0.8 come true eight times in ten? Expected calibration error over equal-width bins.

Each image is reduced to one small table, and tables add up: pooling over images, resampling them and drawing the
reliability plot all work on sums of tables, never on pixels again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from LMISCore.metrics.bootstrap import FloatArray, IntArray, Interval, percentile_interval

BINS = 15


def bin_table(probabilities: ArrayLike, positive: ArrayLike, bins: int = BINS) -> FloatArray:
    """Sort probabilities into bins of equal width, each open below and closed above (0 belongs to the first).

    Args:
        probabilities: ``(N,)`` in [0, 1].
        positive: ``(N,)`` true where the thing is there.
        bins: number of bins B.

    Returns:
        ``(3, B)``: how many fell into each bin, the sum of their probabilities, how many of them were positive.

    Raises:
        ValueError: if the lengths differ or a probability is none.
    """
    probability = np.asarray(probabilities, dtype=np.float64).ravel()
    truth = np.asarray(positive, dtype=bool).ravel()
    if probability.shape != truth.shape:
        raise ValueError(f"got {probability.size} probabilities and {truth.size} labels, expected as many of each")
    outside = int(np.count_nonzero(~((probability >= 0) & (probability <= 1))))
    if outside:
        raise ValueError(f"{outside} of {probability.size} probabilities do not lie between 0 and 1")
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], probability)
    rows = [np.bincount(place, weights=weights, minlength=bins) for weights in (None, probability, truth)]
    return np.stack(rows).astype(np.float64)


def expected_calibration_error(table: ArrayLike) -> FloatArray:
    """``sum over bins of n_b / N * |positive share_b - mean probability_b|`` (Naeini et al. 2015, Guo et al. 2017).

    Args:
        table: ``(..., 3, B)`` of :func:`bin_table`, or sums of such.

    Returns:
        ``(...)``, each in [0, 1]; NaN where the table is empty.
    """
    counts, probability, positive = np.moveaxis(np.asarray(table, dtype=np.float64), -2, 0)
    # n_b cancels out of the bin's share times its two means.
    above = np.abs(positive - probability).sum(-1)
    total = counts.sum(-1)
    error: FloatArray = np.full(total.shape, np.nan)
    np.divide(above, total, out=error, where=total > 0)
    return error


def bootstrap_calibration(tables: FloatArray, weights: IntArray) -> Interval:
    """Interval of the pooled expected calibration error.

    Args:
        tables: ``(N, 3, B)``, one of each image; zeros where it has none.
        weights: ``(R, N)`` resamples of the images.
    """
    flat = tables.reshape(len(tables), -1)
    drawn = (weights.astype(np.float64) @ flat).reshape(len(weights), *tables.shape[1:])
    return percentile_interval(float(expected_calibration_error(tables.sum(0))), expected_calibration_error(drawn))
