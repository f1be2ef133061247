"""A report as it is shown: colours by status, and what a reader is told who points at a finding."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.text.findings import Vocabulary
from LMISCore.text.report import State, parse_report
from LMISCore.text.report_view import COLOURS, CONTRADICTED, report_view

VOCABULARY = Vocabulary({"infection": ("consolidation", "opacity")})
TEXT = (
    "HISTORY: Prior stroke.\nFINDINGS: Consolidation in the left lung, 12 mm. No effusion. Possible opacity. "
    "Cyst of the right kidney. Heart size is normal."
)


def row(identifier: str, **changes: Any) -> dict[str, Any]:
    return {"id": identifier, "state": "affirmed", "reason": "affirms infection", "agreement": [], **changes}


def test_every_finding_is_shown_with_its_status_before_a_run() -> None:
    report = parse_report(TEXT, VOCABULARY)
    view = report_view(report)
    assert [(span.span.of(TEXT), span.status) for span in view] == [
        ("stroke", "historical"),
        ("Consolidation", "affirmed"),
        ("effusion", "negated"),
        ("opacity", "uncertain"),
        ("Cyst", "affirmed"),
        ("Heart size", "normal"),
    ]
    told = [span.explanation for span in view]
    assert told[0] == 'stroke: historical. by "Prior". the field HISTORY does not describe the image'
    assert told[1] == "Consolidation: affirmed; left; 12 mm"
    assert told[2] == 'effusion: negated. by "No"'


def test_after_a_run_a_finding_tells_its_segment_its_question_and_a_contradiction() -> None:
    report = parse_report(TEXT, VOCABULARY)
    agreement = [{"verdict": "contradicts", "words": "text says left, 93 % of the mask is on the right"}]
    rows = [
        row("findings-1", segment_id="lmis_findings-1", prompt="Consolidation in the left lung.", agreement=agreement),
        row("findings-4", state="not covered"),
    ]
    view = {span.span.of(TEXT): span for span in report_view(report, rows)}
    shown = view["Consolidation"]
    assert (shown.status, shown.segment_id, shown.colour) == (CONTRADICTED, "lmis_findings-1", COLOURS[CONTRADICTED])
    assert "93 % of the mask is on the right" in shown.explanation
    assert 'asked as "Consolidation in the left lung."' in shown.explanation
    assert view["Cyst"].status == "not covered" and "do not know it" in view["Cyst"].explanation


def test_an_absent_finding_is_shown_as_absent() -> None:
    report = parse_report(TEXT, VOCABULARY)
    absent = row("findings-1", state="absent", reason="presence 0.10 is under the threshold 0.74")
    view = {span.span.of(TEXT): span for span in report_view(report, [absent])}
    assert view["Consolidation"].status == "absent" and "0.74" in view["Consolidation"].explanation


def test_every_state_has_a_colour_of_its_own_but_for_what_has_no_mask() -> None:
    assert set(COLOURS) == {state.value for state in State} | {CONTRADICTED}
    shown = [colour for name, colour in COLOURS.items() if name != "stale"]
    assert len(set(shown)) == len(shown)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="no cystleffusion.,:\n", max_size=80))
def test_stretches_come_in_order_and_do_not_overlap(text: str) -> None:
    end = 0
    for span in report_view(parse_report(text, VOCABULARY)):
        assert end <= span.span.start < span.span.end <= len(text)
        end = span.span.end
