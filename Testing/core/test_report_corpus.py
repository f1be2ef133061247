"""The reading of reports reaches its marks on the half of the corpus that no rule was written from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from LMISCore.text.report import Finding, Span, State
from Testing.corpus import score
from Testing.corpus.split import CORPUS


@pytest.fixture(scope="module")
def held_out() -> score.Scores:
    return score.score_half("heldout")


@pytest.mark.parametrize(("name", "mark"), list(score.MARKS.items()))
def test_the_held_out_half_is_read_at_least_as_well_as_asked(held_out: score.Scores, name: str, mark: float) -> None:
    found = held_out.by_name[name]
    assert found.expected >= 20
    assert found.f1 >= mark, f"{name}: F1 {found.f1:.3f} is under {mark}"


def test_a_pair_counts_only_where_words_overlap_and_values_are_equal() -> None:
    expected = [
        {"words": "effusion", "start": 5, "status": "affirmed", "side": ["left"], "zones": [], "count": 2,
         "size_mm": None, "severity": None, "comparison": None},
        {"words": "mass", "start": 20, "status": "negated", "side": [], "zones": [], "count": None,
         "size_mm": 9.0, "severity": None, "comparison": None},
    ]  # fmt: skip
    found = [
        Finding("effusion", Span(5, 13), State.AFFIRMED, side=frozenset({"right"}), count=2),
        Finding("cyst", Span(30, 34), State.NEGATED),
    ]
    scores = score.Scores()
    scores.add(found, expected)
    tally = {name: (each.right, each.found, each.expected) for name, each in scores.by_name.items()}
    assert tally["finding"] == (1, 2, 2) and tally["status"] == (1, 2, 2)
    assert tally["side"] == (0, 1, 1) and tally["count"] == (1, 1, 1) and tally["size"] == (0, 0, 1)
    assert scores.by_name["finding"].f1 == 0.5


def test_the_command_prints_figures_and_no_sentence() -> None:
    done = subprocess.run(
        [sys.executable, str(CORPUS / "score.py"), "--half", "development"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith("development: ") and lines[2].split()[0] == "finding"
    assert all(len(line) < 60 for line in lines)
