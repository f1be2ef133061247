"""Area under the ROC curve by ranks, ties counted half (the Mann-Whitney statistic)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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
    score = np.asarray(scores, dtype=np.float64).ravel()
    truth = np.asarray(positive, dtype=bool).ravel()
    if score.shape != truth.shape:
        raise ValueError(f"got {score.size} scores and {truth.size} labels, expected as many of each")
    if not np.isfinite(score).all():
        raise ValueError(f"{int((~np.isfinite(score)).sum())} of {score.size} scores are not finite")
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, value_of_row, how_often = np.unique(score, return_inverse=True, return_counts=True)
    # Equal scores share the mean of the ranks they take up: last rank minus half of (count - 1).
    mid_rank = np.cumsum(how_often) - (how_often - 1) / 2
    rank_sum = float(mid_rank[value_of_row.ravel()][truth].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)
