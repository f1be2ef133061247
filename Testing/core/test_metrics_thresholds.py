"""The presence threshold: chosen by Youden's index, between scores, lowest of equals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from LMISCore.metrics.thresholds import choose_presence_threshold


def youden(scores: np.ndarray, present: np.ndarray, threshold: float) -> float:
    called = scores >= threshold
    return float(called[present].mean() + (~called[~present]).mean() - 1)


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20),
)
def test_no_other_threshold_separates_better(there: list[float], not_there: list[float]) -> None:
    scores = np.array(there + not_there)
    present = np.array([True] * len(there) + [False] * len(not_there))
    chosen = choose_presence_threshold(scores, present)
    best = max(youden(scores, present, value) for value in scores)
    assert youden(scores, present, chosen.threshold) == pytest.approx(best)
    assert chosen.sensitivity == pytest.approx((scores >= chosen.threshold)[present].mean())
    assert chosen.specificity == pytest.approx((scores < chosen.threshold)[~present].mean())


def test_the_threshold_lies_halfway_between_the_scores_it_parts() -> None:
    chosen = choose_presence_threshold([0.1, 0.2, 0.6, 0.9], [False, False, True, True])
    assert chosen.threshold == pytest.approx(0.4)
    assert (chosen.sensitivity, chosen.specificity, chosen.present, chosen.absent) == (1.0, 1.0, 2, 2)


def test_of_equally_good_thresholds_the_lowest_keeps_more_findings() -> None:
    # Above 0.15 and above 0.45 both have Youden's index 1/2.
    chosen = choose_presence_threshold([0.1, 0.2, 0.4, 0.5], [False, True, False, True])
    assert chosen.threshold == pytest.approx(0.15)
    assert chosen.sensitivity == 1.0


@pytest.mark.parametrize(("present", "missing"), [([True, True], "absent"), ([False, False], "present")])
def test_with_one_class_missing_the_default_comes_back_and_says_so(present: list[bool], missing: str) -> None:
    chosen = choose_presence_threshold([0.3, 0.7], present, default=0.25)
    assert chosen.threshold == 0.25
    assert f"no {missing} examples" in chosen.rule
    assert chosen.sensitivity is None


def test_scores_that_do_not_fit_the_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="1 scores and 2 labels"):
        choose_presence_threshold([0.3], [True, False])
    with pytest.raises(ValueError, match="not finite"):
        choose_presence_threshold([np.inf, 0.1], [True, False])
