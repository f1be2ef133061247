"""A report in short: which sentences are bound to a segment, absent, contradicted or not covered. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from LMISCore.inference.agreement import Verdict
from LMISCore.text.report import Finding, State

if TYPE_CHECKING:
    from LMISCore.inference.result import SentenceResult

ORDER = ("bound", "contradicted", "absent", "negated", "uncertain", "historical", "not covered")
_ZONES = ("upper", "mid", "lower", "anterior", "middle", "posterior", "central", "peripheral")


def summarise(rows: Iterable[SentenceResult]) -> dict[str, list[str]]:
    """Return the ids of the sentences under each heading of ``ORDER``; a contradicted one stands under two."""
    found: dict[str, list[str]] = {heading: [] for heading in ORDER}
    for row in rows:
        if row.mask is not None:
            found["bound"].append(row.sentence.id)
        elif row.state is not State.AFFIRMED and row.state.value in found:
            found[row.state.value].append(row.sentence.id)
        if any(agreement.verdict is Verdict.CONTRADICTS for agreement in row.agreement):
            found["contradicted"].append(row.sentence.id)
    return found


def summary_line(summary: dict[str, list[str]]) -> str:
    """The summary in one line.

    >>> summary_line({"bound": ["findings-1"], "absent": [], "not covered": ["text-1", "findings-2"]})
    '1 bound, 2 not covered'
    """
    return ", ".join(f"{len(summary[name])} {name}" for name in ORDER if summary.get(name)) or "no sentence"


def finding_values(finding: Finding) -> dict[str, Any]:
    """A finding as plain JSON values; the span counts characters of the whole report."""
    return {
        "words": finding.words,
        "span": [finding.span.start, finding.span.end],
        "status": finding.status.value,
        "name": finding.name,
        "side": sorted(finding.side),
        "zones": sorted(finding.zones | finding.levels, key=_ZONES.index),
        "count": finding.count,
        "size_mm": finding.size_mm,
        "severity": finding.severity,
        "comparison": finding.comparison,
    }
