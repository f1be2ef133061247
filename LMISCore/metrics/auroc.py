"""Area under the ROC curve by ranks, ties counted half (the Mann-Whitney statistic)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Bounds the memory: a table of so many draws of a few thousand examples takes some ten MB.
_DRAWS_AT_A_TIME = 256


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Probability that a positive example scores above a negative one; equal scores count half.

    ``U = sum of the positives' mid-ranks - P (P + 1) / 2``, ``AUROC = U / (P N)`` (Hanley and McNeil 1982).

    Args:
        scores: ``(N,)`` finite numbers, larger meaning "present".
        positive: ``(N,)`` true where the thing is there.

    Returns:
        A number in [0, 1], or NaN when either class is missing (undefined, never 0.5 in disguise).

    Raises:
        ValueError: if the lengths differ or a score is not finite.
    """
    score, truth = checked_scores(scores, positive)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, value_of_row, how_often = np.unique(score, return_inverse=True, return_counts=True)
    # Equal scores share the mean of the ranks they take up: last rank minus half of (count - 1).
    mid_rank = np.cumsum(how_often) - (how_often - 1) / 2
    rank_sum = float(mid_rank[value_of_row.ravel()][truth].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def weighted_aurocs(scores: ArrayLike, positive: ArrayLike, weights: ArrayLike) -> NDArray[np.float64]:
    """The same for R sets in which each example counts several times, as in resampling.

    Args:
        scores, positive: ``(N,)`` as for :func:`auroc`.
        weights: ``(R, N)``, how often each example counts.

    Returns:
        ``(R,)``, NaN where either class has no weight.

    Raises:
        ValueError: as :func:`auroc`.
    """
    score, truth = checked_scores(scores, positive)
    table = np.asarray(weights)
    found = np.full(len(table), np.nan)
    if score.size == 0:
        return found
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(score[order]) > 0]))
    for first in range(0, len(table), _DRAWS_AT_A_TIME):
        part = slice(first, first + _DRAWS_AT_A_TIME)
        drawn = table[part][:, order].astype(np.float64)
        # One column for each distinct score, so that equal ones can count half.
        above = np.add.reduceat(drawn * truth[order], starts, axis=1)
        below = np.add.reduceat(drawn * ~truth[order], starts, axis=1)
        wins = (above * (np.cumsum(below, axis=1) - below / 2)).sum(1)
        pairs = above.sum(1) * below.sum(1)
        np.divide(wins, pairs, out=found[part], where=pairs > 0)
    return found


def checked_scores(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and labels as flat arrays ``(N,)``.

    Raises:
        ValueError: if the lengths differ or a score is not finite.
    """
    score = np.asarray(scores, dtype=np.float64).ravel()
    truth = np.asarray(positive, dtype=bool).ravel()
    if score.shape != truth.shape:
        raise ValueError(f"got {score.size} scores and {truth.size} labels, expected as many of each")
    if not np.isfinite(score).all():
        raise ValueError(f"{int((~np.isfinite(score)).sum())} of {score.size} scores are not finite")
    return score, truth
