"""Probabilities moved so that 0.8 comes true eight times in ten: one slope and one offset on the logits.

Platt 1999, "Probabilistic outputs for support vector machines"; with offset 0 it is the temperature of Guo et al. 2017.
The map is monotone: a mask cut at the moved threshold is the mask as it was, but for what interpolating between the
pixels of the network's picture makes of values beside the threshold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from LMISCore.metrics.bootstrap import FloatArray

KIND = "platt"
# Beyond these the logits of float32 probabilities cannot be told apart.
LARGEST_LOGIT = 15.0
_SMALLEST_SCALE = 1e-2
_ROUNDS = 100


@dataclass(frozen=True)
class Platt:
    """``sigmoid(scale * logit + offset)``; ``scale`` is above 0."""

    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def from_card(cls, calibration: Mapping[str, Any]) -> Platt | None:
        """Of a card's ``calibration``; None where it has none."""
        return cls(float(calibration["scale"]), float(calibration["offset"])) if calibration else None

    def probability(self, probability: ArrayLike) -> FloatArray:
        """Calibrate probabilities of any shape."""
        return _sigmoid(self.scale * _logit(probability) + self.offset)

    def undo(self, probability: ArrayLike) -> FloatArray:
        """The network's own probabilities, from calibrated ones of any shape."""
        return _sigmoid((_logit(probability) - self.offset) / self.scale)

    def threshold(self, before: float) -> float:
        """Where a threshold on the network's own probability has moved to."""
        return float(self.probability(before))

    def share_of(self, threshold: float, share: float) -> float:
        """Where a share of the threshold on the network's own probability has moved to, from where that one has.

        >>> Platt().share_of(0.5, 0.5)
        0.25
        """
        if share == 1 or self == Platt():
            return threshold * share
        return self.threshold(float(self.undo(threshold)) * share)


def fit_platt(logits: ArrayLike, counts: ArrayLike, positive: ArrayLike) -> Platt | None:
    """Maximum likelihood by Newton's method on groups of equal logits.

    Args:
        logits: ``(G,)`` of the network.
        counts: ``(G,)`` how many had this logit.
        positive: ``(G,)`` how many of them were positive.

    Returns:
        None where all or none are positive, or higher logits are not likelier positive: nothing can be fitted then.
    """
    x, n, k = (np.asarray(values, dtype=np.float64) for values in (logits, counts, positive))
    if not 0 < k.sum() < n.sum():
        return None
    scale, offset = 1.0, 0.0
    loss = _loss(x, n, k, scale, offset)
    for _ in range(_ROUNDS):
        p = _sigmoid(scale * x + offset)
        slope = n * p - k
        weight = n * p * (1 - p)
        gradient = np.array([(slope * x).sum(), slope.sum()])
        curvature = np.array([[(weight * x * x).sum(), (weight * x).sum()], [(weight * x).sum(), weight.sum()]])
        step = np.linalg.solve(curvature + 1e-9 * n.sum() * np.eye(2), gradient)
        length = 1.0
        while length > 1e-6:
            tried = (scale - length * step[0], offset - length * step[1])
            after = _loss(x, n, k, *tried)
            if after <= loss:
                break
            length /= 2
        else:
            break
        done = loss - after <= 1e-12 * abs(loss)
        (scale, offset), loss = tried, after
        if done:
            break
    if scale < _SMALLEST_SCALE or not math.isfinite(scale + offset):
        return None
    return Platt(float(scale), float(offset))


def _loss(x: FloatArray, n: FloatArray, k: FloatArray, scale: float, offset: float) -> float:
    z = scale * x + offset
    return float((n * np.logaddexp(0, z) - k * z).sum())


def _sigmoid(values: ArrayLike) -> FloatArray:
    z = np.asarray(values, dtype=np.float64)
    found: FloatArray = np.exp(-np.logaddexp(0, -z))
    return found


def _logit(probability: ArrayLike) -> FloatArray:
    p = np.asarray(probability, dtype=np.float64)
    edge = 1 / (1 + math.exp(LARGEST_LOGIT))
    p = np.clip(p, edge, 1 - edge)
    found: FloatArray = np.log(p) - np.log1p(-p)
    return found
