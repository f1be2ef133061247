"""A report as it is shown: every stretch of its text with a status, a colour and an explanation. No torch.

The stretches are the findings that the sentences name; those that got a segment, or were refused one, say why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from LMISCore.text.reader import named_in
from LMISCore.text.report import Finding, Report, Sentence, State
from LMISCore.text.report_types import Span

CONTRADICTED = "contradicted"
COLOURS: Mapping[str, tuple[int, int, int]] = {
    State.AFFIRMED.value: (94, 196, 120),
    State.NEGATED.value: (224, 108, 108),
    State.UNCERTAIN.value: (226, 178, 84),
    State.HISTORICAL.value: (176, 146, 206),
    State.NORMAL.value: (132, 190, 196),
    State.NOT_COVERED.value: (140, 148, 160),
    State.ABSENT.value: (120, 152, 214),
    State.STALE.value: (140, 148, 160),
    CONTRADICTED: (232, 92, 164),
}
"""Red, green and blue, 0 to 255, by status."""
_ZONES = ("upper", "mid", "lower", "anterior", "middle", "posterior", "central", "peripheral")


@dataclass(frozen=True)
class ViewSpan:
    """A stretch of the report.

    Attributes:
        span: in the report's text.
        status: of State's values, or "contradicted".
        colour: red, green, blue, 0 to 255.
        explanation: what a reader who points at it is told.
        sentence_id: of its sentence.
        segment_id: of the segment that it is bound to, None without one.
    """

    span: Span
    status: str
    colour: tuple[int, int, int]
    explanation: str
    sentence_id: str
    segment_id: str | None = None


def report_view(report: Report, rows: Sequence[Mapping[str, Any]] = ()) -> list[ViewSpan]:
    """Return the stretches to colour, in order and without overlap.

    Args:
        report: parsed; its vocabulary, if any, says which findings weights know.
        rows: of ``CaseResult.to_dict()["rows"]``, by whose "id" a sentence's state, reason and agreement are told;
            empty before a run.
    """
    by_id = {str(row["id"]): row for row in rows}
    return [
        _view(finding, sentence, by_id.get(sentence.id))
        for sentence in report.sentences
        for finding in named_in(sentence)
    ]


def describe(finding: Finding) -> str:
    """All that the words say of a finding, in one line.

    >>> describe(Finding("effusion", Span(0, 8), State.AFFIRMED, side=frozenset({"left"}), severity="mild"))
    'effusion: affirmed; left; mild'
    """
    said = [finding.status.value]
    if finding.side:
        said.append("both sides" if len(finding.side) > 1 else next(iter(finding.side)))
    zones = finding.zones | finding.levels
    said += [zone for zone in _ZONES if zone in zones]
    if finding.count is not None:
        said.append(f"{finding.count} of them")
    if finding.size_mm is not None:
        said.append(f"{finding.size_mm:g} mm")
    said += [word for word in (finding.severity, finding.comparison) if word]
    return f"{' '.join(finding.words.split())}: {'; '.join(said)}"


def _view(finding: Finding, sentence: Sentence, row: Mapping[str, Any] | None) -> ViewSpan:
    parts = [describe(finding)]
    status = finding.status.value
    known = any(_same(finding, other) for other in sentence.findings)
    segment = None
    if row is not None and finding.status is State.AFFIRMED:
        status, told, segment = _after_run(finding, known, row)
        parts += told
    elif finding.cue is not None:
        parts.append(f'by "{" ".join(_cue(finding, sentence).split())}"')
    if sentence.kind != "finding":
        parts.append(f"the field {sentence.field} does not describe the image")
    return ViewSpan(finding.span, status, COLOURS[status], ". ".join(parts), sentence.id, segment)


def _after_run(finding: Finding, known: bool, row: Mapping[str, Any]) -> tuple[str, list[str], str | None]:
    """Return the status of an affirmed finding once the network was asked, what to tell, and its segment."""
    if not known:
        return State.NOT_COVERED.value, ["these weights do not know it"], None
    told = [str(row["reason"])] if row.get("reason") else []
    agreements = list(row.get("agreement") or ())
    told += [f"{each['verdict']}: {each['words']}" for each in agreements]
    if row.get("prompt"):
        told.append(f'asked as "{row["prompt"]}"' + (f" ({row['prompt_reason']})" if row.get("prompt_reason") else ""))
    contradicted = any(each["verdict"] == "contradicts" for each in agreements)
    return CONTRADICTED if contradicted else str(row["state"]), told, row.get("segment_id")


def _same(finding: Finding, known: Finding) -> bool:
    """Whether a finding of the weights' vocabulary is this one, or gathers it: same name in the same sentence."""
    if finding.span.start < known.span.end and known.span.start < finding.span.end:
        return True
    within = any(clause.start <= finding.span.start and finding.span.end <= clause.end for clause in known.clauses)
    return within and known.status is finding.status and finding.name is not None and finding.name == known.name


def _cue(finding: Finding, sentence: Sentence) -> str:
    assert finding.cue is not None
    return finding.cue.shifted(-sentence.span.start).of(sentence.text)
