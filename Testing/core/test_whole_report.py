"""A whole report on the bundled volume: affirmed, negated, uncertain, absent, contradicted and uncovered findings."""

from __future__ import annotations

import pytest

from LMISCore.inference.agreement import Verdict
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.result import CaseResult
from LMISCore.inference.summary import summary_line
from LMISCore.resources import resource
from LMISCore.text.report import State, parse_report
from LMISCore.text.report_view import report_view
from LMISCore.volumes.files import read_volume

TEXT = resource("sample", "whole_report.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def result() -> CaseResult:
    volume, lungs = (read_volume(resource("sample", name)) for name in ("chest_ct.nrrd", "lungs.nrrd"))
    return Predictor(device="cpu").segment(volume, TEXT, agreement=True, organ_mask=lungs.array)


def test_every_kind_of_finding_ends_as_it_should(result: CaseResult) -> None:
    assert {row.sentence.id: row.state for row in result.rows if row.sentence.kind == "finding"} == {
        "text-1": State.NOT_COVERED,
        "findings-1": State.AFFIRMED,
        "findings-2": State.AFFIRMED,
        "findings-3": State.NEGATED,
        "findings-4": State.UNCERTAIN,
        "findings-5": State.ABSENT,
        "findings-6": State.AFFIRMED,
        "findings-7": State.NOT_COVERED,
        "findings-8": State.NOT_COVERED,
        "impression-1": State.AFFIRMED,
    }
    summary = result.to_dict()["summary"]
    assert summary_line(summary) == "4 bound, 2 contradicted, 1 absent, 1 negated, 1 uncertain, 6 not covered"


def test_a_finding_in_the_wrong_place_is_contradicted_in_plain_words_though_it_has_a_segment(
    result: CaseResult,
) -> None:
    verdicts = {row.sentence.id: row.agreement[0].verdict for row in result.rows if row.agreement}
    contradicted = [name for name, verdict in verdicts.items() if verdict is Verdict.CONTRADICTS]
    assert contradicted == ["findings-5", "findings-6"]
    row = result.row("findings-6")
    assert row.mask is not None
    assert "text says anterior, " in row.agreement[0].words and "% of the mask is posterior" in row.agreement[0].words


def test_the_report_is_shown_with_what_became_of_it(result: CaseResult) -> None:
    view = report_view(parse_report(TEXT, Predictor(device="cpu").vocabulary), result.to_dict()["rows"])
    shown = {(span.sentence_id, span.span.of(TEXT)): span.status for span in view}
    assert shown["findings-6", "Pneumonia"] == "contradicted"
    assert shown["findings-2", "Ground-glass opacities"] == "affirmed"
    assert shown["findings-1", "pneumothorax"] == "negated"
    assert shown["history-2", "pneumonia"] == "historical"
    assert shown["findings-7", "heart"] == "normal"
    assert shown["findings-8", "hiatal hernia"] == "not covered"
