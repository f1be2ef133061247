"""Scores the reading of reports against one half of the corpus; ``python Testing/corpus/score.py --half heldout``.

Only aggregate figures are printed, for either half; how each is computed stands in README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from LMISCore.text.reader import named_in, read_findings
from LMISCore.text.report import parse_report
from LMISCore.text.report_types import Finding
from Testing.corpus.check import ZONES, reports, sentences
from Testing.corpus.split import HALVES

MARKS = {"finding": 0.90, "status": 0.90, "side": 0.90, "zone": 0.80, "count": 0.80, "size": 0.80}
"""The least F1 on the held-out half."""
NOT_MARKED = ("severity", "comparison")

Expected = dict[str, Any]
Value = Callable[[Finding], Any], Callable[[Expected], Any]

VALUES: dict[str, tuple[Callable[[Finding], Any], Callable[[Expected], Any]]] = {
    "side": (lambda f: frozenset(f.side), lambda e: frozenset(e["side"])),
    "zone": (lambda f: (f.zones | f.levels) & frozenset(ZONES), lambda e: frozenset(e["zones"])),
    "count": (lambda f: f.count, lambda e: e["count"]),
    "size": (lambda f: f.size_mm, lambda e: e["size_mm"]),
    "severity": (lambda f: f.severity, lambda e: e["severity"]),
    "comparison": (lambda f: f.comparison, lambda e: e["comparison"]),
}


@dataclass
class Score:
    """True positives, found, expected; F1 is twice the first over the sum of the others."""

    right: int = 0
    found: int = 0
    expected: int = 0

    @property
    def f1(self) -> float:
        total = self.found + self.expected
        return 2 * self.right / total if total else 1.0


@dataclass
class Scores:
    """Scores by name and the texts they come from."""

    by_name: dict[str, Score] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)

    def add(
        self, found: Sequence[Finding], expected: Sequence[Expected]
    ) -> list[tuple[Finding | None, Expected | None]]:
        """Count one text's findings; returns the matched pairs and, with None, what has no partner."""
        pairs = match(found, expected)
        both = [(f, e) for f, e in pairs if f is not None and e is not None]
        for name, right in (
            ("finding", len(both)),
            ("status", sum(f.status.value == e["status"] for f, e in both)),
        ):
            score = self.by_name.setdefault(name, Score())
            score.right += right
            score.found += len(found)
            score.expected += len(expected)
        for name, (of_found, of_expected) in VALUES.items():
            score = self.by_name.setdefault(name, Score())
            score.right += sum(bool(of_expected(e)) and of_found(f) == of_expected(e) for f, e in both)
            score.found += sum(bool(of_found(f)) for f in found)
            score.expected += sum(bool(of_expected(e)) for e in expected)
        return pairs


def match(found: Sequence[Finding], expected: Sequence[Expected]) -> list[tuple[Finding | None, Expected | None]]:
    """Pair findings one to one by overlapping words: both in the order of the text, the earliest that fits first."""
    left = list(expected)
    pairs: list[tuple[Finding | None, Expected | None]] = []
    for finding in found:
        partner = next((e for e in left if _overlap(finding, e)), None)
        if partner is not None:
            left.remove(partner)
        pairs.append((finding, partner))
    return pairs + [(None, e) for e in left]


def _overlap(finding: Finding, expected: Expected) -> bool:
    start = int(expected["start"])
    end = start + len(expected["words"])
    return finding.span.start < end and start < finding.span.end


def score_half(half: str) -> Scores:
    """Score the standalone sentences and the whole reports of one half."""
    scores = Scores()
    for item in sentences(half):
        scores.add(read_findings(item["text"]), item["findings"])
        scores.counted["sentences"] += 1
    for text, expected in reports(half):
        report = parse_report(text)
        found = [finding for sentence in report.sentences for finding in named_in(sentence)]
        scores.add(found, [f for fields in expected["fields"] for s in fields["sentences"] for f in s["findings"]])
        scores.counted["reports"] += 1
        _score_layout(scores, report.fields, expected["fields"])
    return scores


def _score_layout(scores: Scores, fields: Sequence[Any], expected: Sequence[Expected]) -> None:
    """Count fields (name and place) and sentences (exact place)."""
    wanted = {(f["name"], f["start"]) for f in expected}
    got = {(f.name, f.header.start if f.header else f.sentences[0].span.start if f.sentences else 0) for f in fields}
    places = {(s["start"], len(s["text"])) for f in expected for s in f["sentences"]}
    read = {(s.span.start, s.span.end - s.span.start) for f in fields for s in f.sentences}
    for name, first, second in (("field", got, wanted), ("sentence", read, places)):
        score = scores.by_name.setdefault(name, Score())
        score.right += len(first & second)
        score.found += len(first)
        score.expected += len(second)


def table(scores: Scores, half: str) -> str:
    """The figures as text: F1, how many the corpus names (n), how many were found, and the mark."""
    counted = ", ".join(f"{number} {what}" for what, number in scores.counted.items())
    lines = [f"{half}: {counted}", f"{'':<11}{'F1':>6}{'n':>6}{'found':>7}{'mark':>7}"]
    for name in (*MARKS, *NOT_MARKED, "field", "sentence"):
        score = scores.by_name[name]
        mark = f"{MARKS[name]:.2f}" if name in MARKS else "-"
        lines.append(f"{name:<11}{score.f1:>6.3f}{score.expected:>6}{score.found:>7}{mark:>7}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, default="development")
    half = parser.parse_args(arguments).half
    print(table(score_half(half), half))
    return 0


if __name__ == "__main__":
    sys.exit(main())
