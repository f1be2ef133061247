"""Structured and dictated reports: labels with answers, rests of findings, letters of side, joined headings."""

from __future__ import annotations

import pytest

from LMISCore.text.reader import named_in
from LMISCore.text.report import parse_report
from LMISCore.text.report_types import Finding, State

_STATES = {"+": State.AFFIRMED, "-": State.NEGATED, "?": State.UNCERTAIN, "o": State.NORMAL}


def found_in(text: str) -> list[Finding]:
    """All findings of a report in the order of its text."""
    return [finding for sentence in parse_report(text).sentences for finding in named_in(sentence)]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Effusion: Yes (left)\nPneumothorax: No\nCardiomegaly: Negative", "+--"),
        ("effusion: no\npneumothorax: no\nnodule: right upper lobe\nmass: none", "--+-"),
        ("Effusion\tNo\nPneumothorax\tYes\nNodule\tabsent", "-+-"),
        ("Consolidation - yes\nEffusion - no", "+-"),
        ("Effusion \u2013 no, pneumothorax \u2013 yes", "-+"),
        ("Effusion no, pneumothorax yes.", "-+"),
        ("Effusion .... no", "-"),
        ("Effusion: 0", "-"),
        ("Pneumothorax: N", "-"),
        ("Pneumothorax: not seen on today's exam.", "-"),
        ("Effusion: resolved", "-"),
        ("Pneumonia: cannot be excluded", "?"),
        ("Pneumonia: possible", "?"),
        ("Is there pneumonia? No.", "-"),
        ("Pneumothorax: no, effusion: no, nodule: yes", "--+"),
        ("Absent: effusion, pneumothorax. Present: nodule.", "--+"),
        ("Erguss: ja\nPneumothorax: nein\nStauung: nein", "+--"),
        ("Pleuraerguss: nicht nachweisbar", "-"),
        ("Pneumonie: möglich", "?"),
        # None of these is an answer: what follows is a statement of its own.
        ("Consolidation - no effusion.", "+-"),
        ("Right basal atelectasis: no consolidation.", "+-"),
        ("LUNGS: NO\nEVIDENCE OF PNEUMONIA.", "-"),
        ("Consolidation: no change.", "+"),
    ],
)
def test_the_answer_behind_a_label_is_that_of_its_finding(text: str, states: str) -> None:
    assert [finding.status for finding in found_in(text)] == [_STATES[state] for state in states]


@pytest.mark.parametrize(
    ("text", "states"),
    [
        ("Neg. for PTX, small effusion.", "-+"),
        ("The appearance argues against pneumonia.", "-"),
        ("Metastasis is not favoured.", "-"),
        ("Cannot see any consolidation.", "-"),
        ("Nodule cannot be identified.", "-"),
        ("No significant pleural effusion.", "-"),
        ("No additional nodules.", "-"),
        ("Follow-up to ensure resolution of the pneumonia.", "+"),
        ("Both kidneys enhance normally; no stone.", "o-"),
        ("Nothing to suggest infection.", "-"),
        ("Enhancing lesion, DD metastasis.", "+?"),
        ("Vollständig zurückgebildeter Erguss.", "-"),
        ("The opacities, which were seen on the prior study, have resolved.", "-"),
        ("The effusion, previously large, has resolved.", "-"),
    ],
)
def test_common_ways_to_deny_are_understood(text: str, states: str) -> None:
    assert [finding.status for finding in found_in(text)] == [_STATES[state] for state in states]


@pytest.mark.parametrize(
    "text",
    [
        "The effusion has almost completely disappeared.",
        "Almost complete resolution of the effusion.",
        "Der Erguss ist nahezu komplett regredient.",
        "Erguss fast vollständig zurückgebildet.",
        "Erguss deutlich regredient.",
    ],
)
def test_what_is_gone_but_for_a_rest_is_there_and_smaller(text: str) -> None:
    (finding,) = found_in(text)
    assert (finding.status, finding.comparison) == (State.AFFIRMED, "decreased")


@pytest.mark.parametrize(
    "text",
    [
        "No significant interval worsening of the effusion.",
        "No evidence of progression of the effusion.",
        "Effusion without interval improvement.",
    ],
)
def test_a_denied_change_leaves_the_finding_unchanged(text: str) -> None:
    (finding,) = found_in(text)
    assert (finding.status, finding.comparison) == (State.AFFIRMED, "unchanged")


def test_a_grade_is_no_change() -> None:
    (finding,) = found_in("Deutlicher Erguss rechts.")
    assert (finding.severity, finding.comparison) == ("severe", None)


@pytest.mark.parametrize(
    ("text", "sides", "levels"),
    [
        ("Small L effusion, R ptx.", [{"left"}, {"right"}], [set(), set()]),
        ("Nodule (R).", [{"right"}], [set()]),
        ("Infection left lower lobe, right clear.", [{"left"}], [{"lower"}]),
        ("Fracture of L1.", [set()], [set()]),
        ("Fracture in the L spine.", [set()], [set()]),
        ("Bibasal atelectasis, R > L.", [{"left", "right"}], [{"lower"}]),
        ("Kein Pneumothorax R.", [{"right"}], [set()]),
        ("Consolidation \u2013 left lower lobe.", [{"left"}], [{"lower"}]),
        ("Mass - right upper lobe, 3 cm", [{"right"}], [{"upper"}]),
        ("Consolidation - right effusion.", [set(), {"right"}], [set(), set()]),
        ("Unterlappenpneumonie rechts.", [{"right"}], [{"lower"}]),
        ("Mittellappenpneumonie.", [{"right"}], [{"mid"}]),
        ("Nodule prev. 8 mm, now 10 mm, in the left lower lobe.", [{"left"}], [{"lower"}]),
    ],
)
def test_short_forms_of_place_are_read(text: str, sides: list[set[str]], levels: list[set[str]]) -> None:
    code = "de" if "Pneumonie" in text or "pneumonie" in text or "Kein" in text else "en"
    found = [f for s in parse_report(text, language=code).sentences for f in named_in(s)]
    assert [set(finding.side) for finding in found] == sides
    assert [set(finding.levels) for finding in found] == levels


@pytest.mark.parametrize(
    ("text", "size", "comparison"),
    [
        ("Rundherd im linken Oberlappen mit einem Durchmesser von 1,5 cm.", 15.0, None),
        ("Zwei Rundherde von 3 mm und 5 mm.", 5.0, None),
        ("Rundherd von initial 12 mm auf jetzt 8 mm regredient.", 8.0, "decreased"),
        ("Nodule decreased from 9 mm.", None, "decreased"),
    ],
)
def test_from_is_a_former_size_only_where_it_tells_of_a_change(
    text: str, size: float | None, comparison: str | None
) -> None:
    (finding,) = found_in(text)
    assert (finding.size_mm, finding.comparison) == (size, comparison)


def test_a_level_of_the_spine_is_no_count() -> None:
    (finding,) = found_in("L4/5 disc protrusion.")
    assert finding.count is None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("Anamnese/Fragestellung: Pneumonie?\nBefund und Beurteilung: Kein Infiltrat.", ["HISTORY", "FINDINGS"]),
        ("Indikation, Fragestellung: Pneumonie?\nBefund: Kein Infiltrat.", ["INDICATION", "FINDINGS"]),
        ("HISTORY/INDICATION: pneumonia.\nFINDINGS: clear lungs.", ["HISTORY", "FINDINGS"]),
        ("CONCLUSION/RECOMMENDATION: Right nodule.", ["IMPRESSION"]),
        ("Comparison and findings: Right nodule.", ["FINDINGS"]),
        ("Reason for referral: pneumonia\nKey findings:\n- clear lungs", ["INDICATION", "FINDINGS"]),
    ],
)
def test_two_headings_joined_are_one(text: str, fields: list[str]) -> None:
    assert [field.name for field in parse_report(text).fields] == fields
