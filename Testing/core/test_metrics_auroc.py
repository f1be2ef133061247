"""The rank AUROC against counting pairs one by one and against scikit-learn, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LMISCore.metrics.auroc import auroc, weighted_aurocs


def count_pairs(scores: list[float], positive: list[bool]) -> float:
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, is_positive in zip(scores, positive, strict=True)
        if is_positive
        for b, other_is_positive in zip(scores, positive, strict=True)
        if not other_is_positive
    ]
    return sum(wins) / len(wins) if wins else math.nan


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40))
def test_the_rank_formula_equals_counting_every_pair_with_ties_half(rows: list[tuple[int, bool]]) -> None:
    scores = [value / 6 for value, _ in rows]
    positive = [flag for _, flag in rows]
    assert auroc(scores, positive) == pytest.approx(count_pairs(scores, positive), nan_ok=True, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_rank_formula_equals_that_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(seed)
    positive = generator.random(200) < 0.3
    scores = np.round(generator.random(200) + 0.2 * positive, 1 + seed)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_weighted_examples_count_as_often_as_their_weights_say() -> None:
    generator = np.random.default_rng(3)
    scores, positive = generator.integers(0, 9, 40) / 9, generator.random(40) < 0.4
    weights = generator.integers(0, 4, (300, 40))
    weights[7] *= positive
    found = weighted_aurocs(scores, positive, weights)
    expected = [auroc(np.repeat(scores, row), np.repeat(positive, row)) for row in weights]
    assert found == pytest.approx(expected, nan_ok=True, abs=1e-12)
    assert math.isnan(found[7])
    assert np.isnan(weighted_aurocs([], [], np.ones((2, 0)))).all()


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.5, 0.5, 0.5], [1, 0, 0], 0.5),
        ([0.8, 0.6, 0.6, 0.2], [1, 1, 0, 0], 0.875),
    ],
)
def test_hand_counted_examples(scores: list[float], positive: list[int], expected: float) -> None:
    assert auroc(scores, positive) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_one_class_alone_is_undefined_and_not_one_half(positive: list[bool]) -> None:
    assert math.isnan(auroc([0.1, 0.9], positive))


def test_lengths_that_differ_and_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 scores and 3 labels"):
        auroc([0.1, 0.2], [True, False, True])
    with pytest.raises(ValueError, match="1 of 2 scores"):
        auroc(np.array([0.1, np.nan]), [True, False])
