"""Choosing the presence threshold: the score from which a sentence's finding counts as there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from LMISCore.metrics.auroc import checked_scores

DEFAULT_PRESENCE = 0.5


@dataclass(frozen=True)
class PresenceThreshold:
    """A chosen threshold and what it does on the examples it was chosen on.

    Attributes:
        threshold: a finding is present when its score is at least this.
        sensitivity, specificity: on those examples; None when that class was missing.
        present, absent: how many examples of each.
        rule: one sentence for the card on how it was chosen.
    """

    threshold: float
    sensitivity: float | None
    specificity: float | None
    present: int
    absent: int
    rule: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(self.__dict__)


def choose_presence_threshold(
    scores: ArrayLike, present: ArrayLike, default: float = DEFAULT_PRESENCE
) -> PresenceThreshold:
    """Take the threshold with the largest sensitivity + specificity - 1 (Youden's index).

    Candidates lie halfway between neighbouring distinct scores, so that the choice does not hang on the last bit of
    one example. Of equally good ones the lowest is taken: a present finding declared absent loses its segment,
    an absent one declared present is still seen and judged. Choose on validation data, never on Test.

    Args:
        scores: ``(N,)`` presence scores in [0, 1].
        present: ``(N,)`` true where the finding is there.
        default: what to return, with a rule that says so, when either class is missing and nothing can be chosen.

    Raises:
        ValueError: if the lengths differ or a score is not finite.
    """
    score, truth = checked_scores(scores, present)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        missing = "present" if positives == 0 else "absent"
        rule = f"default: no {missing} examples on the validation data to choose it with"
        return PresenceThreshold(default, None, None, positives, negatives, rule)
    values, row = np.unique(score, return_inverse=True)
    at_value = np.bincount(row.ravel(), weights=truth, minlength=values.size)
    all_at_value = np.bincount(row.ravel(), minlength=values.size)
    # Candidate c lets the values c, c+1, ... count as present. Letting none do so is never better than letting all.
    present_below = np.concatenate([[0.0], np.cumsum(at_value)[:-1]])
    all_below = np.concatenate([[0.0], np.cumsum(all_at_value)[:-1]])
    sensitivity = 1 - present_below / positives
    specificity = (all_below - present_below) / negatives
    best = int(np.argmax(np.round(sensitivity + specificity, 12)))
    below = values[best - 1] if best else min(0.0, float(values[0]))
    threshold = float((below + values[best]) / 2)
    if best and threshold <= below:  # neighbouring floating-point numbers have nothing between them
        threshold = float(values[best])
    return PresenceThreshold(
        threshold,
        float(sensitivity[best]),
        float(specificity[best]),
        positives,
        negatives,
        "largest sensitivity + specificity - 1 on the validation data, the lowest of equally good ones",
    )
