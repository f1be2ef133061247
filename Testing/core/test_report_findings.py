"""All that a sentence names, known to any weights or not: words, status, place, number, size, severity and course."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from LMISCore.text import language, privacy, prompts, reader, report_view
from LMISCore.text.language import detect_language
from LMISCore.text.reader import read_findings
from LMISCore.text.report import Finding, State, parse_report


def statuses(text: str, code: str | None = None) -> dict[str, str]:
    """Words -> status of each finding."""
    return {" ".join(finding.words.split()): finding.status.value for finding in read_findings(text, code)}


def one(text: str, words: str) -> Finding:
    (found,) = [finding for finding in read_findings(text) if finding.words == words]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Consolidation in the right lower lobe and a small left effusion.",
            {"Consolidation": "affirmed", "effusion": "affirmed"},
        ),
        ("No mass, cyst or calculus.", {"mass": "negated", "cyst": "negated", "calculus": "negated"}),
        ("No mass, small cyst.", {"mass": "negated", "cyst": "affirmed"}),
        ("Neither tear nor effusion.", {"tear": "negated", "effusion": "negated"}),
        ("Opacity suspicious for pneumonia.", {"Opacity": "affirmed", "pneumonia": "uncertain"}),
        ("Likely cyst rather than abscess.", {"cyst": "uncertain", "abscess": "negated"}),
        ("Hepatic lesion, haemangioma versus adenoma.", {"haemangioma": "uncertain", "adenoma": "uncertain"}),
        ("Fracture cannot be excluded.", {"Fracture": "uncertain"}),
        ("Fracture has been excluded.", {"Fracture": "negated"}),
        ("No nodule to suggest metastasis.", {"nodule": "negated", "metastasis": "negated"}),
        ("Status post nephrectomy; no recurrence.", {"nephrectomy": "historical", "recurrence": "negated"}),
        ("Prior stroke with new haemorrhage.", {"stroke": "historical", "haemorrhage": "affirmed"}),
        ("Comparison with the prior study shows a stable nodule.", {"nodule": "affirmed"}),
        ("Liver and spleen are unremarkable.", {"Liver": "normal", "spleen": "normal"}),
        ("Lateral meniscus: intact.", {"Lateral meniscus": "normal"}),
        ("The bile duct is not dilated.", {"dilated": "negated"}),
        ("Abscess: none.", {"Abscess": "negated"}),
        ("GALLBLADDER: NO STONES.", {"STONES": "negated"}),
        ("? stroke", {"stroke": "uncertain"}),
        ("Not only a cyst but also a mass.", {"cyst": "affirmed", "mass": "affirmed"}),
        ("Cyst (no septation) with calcification.", {"Cyst": "affirmed", "calcification": "affirmed"}),
        ("The images were acquired in the axial plane at 0540 hours.", {}),
    ],
)
def test_every_finding_of_a_sentence_has_its_own_status(text: str, expected: dict[str, str]) -> None:
    found = statuses(text)
    assert {words: found.get(words) for words in expected} == expected
    assert expected or not found


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("Three 5 mm nodules in the left upper lobe.", "nodules", {"count": 3, "size_mm": 5.0, "side": {"left"}}),
        ("Stone in the left ureter, now 6 mm, previously 9 mm.", "Stone", {"size_mm": 6.0, "comparison": "decreased"}),
        ("Mass grown from 10 mm to 14 mm.", "Mass", {"size_mm": 14.0, "comparison": "increased"}),
        ("ETT 4 cm above the carina.", "ETT", {"size_mm": None}),
        ("Mild to moderate stenosis.", "stenosis", {"severity": "moderate"}),
        ("Effusion has slightly increased.", "Effusion", {"severity": None, "comparison": "increased"}),
        ("Obstruction of the small bowel.", "Obstruction", {"severity": None}),
        ("Minimally displaced fracture.", "fracture", {"severity": None}),
        ("Grade 2 tear at L4.", "tear", {"count": None}),
        ("No new lesion.", "lesion", {"comparison": "new", "status": State.NEGATED}),
        ("The haematoma has resolved.", "haematoma", {"comparison": "resolved", "status": State.NEGATED}),
        ("Resolving haematoma.", "haematoma", {"comparison": "decreased", "status": State.AFFIRMED}),
        ("No change in the known right cyst.", "cyst", {"comparison": "unchanged", "side": {"right"}}),
    ],
)
def test_number_size_severity_and_course_belong_to_their_finding(
    text: str, words: str, expected: dict[str, Any]
) -> None:
    finding = one(text, words)
    assert {name: getattr(finding, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "words", "side", "zones"),
    [
        ("Opacity at the left base, concerning for pneumonia.", "pneumonia", "left", "lower"),
        ("Right effusion with adjacent atelectasis.", "atelectasis", "right", ""),
        ("Right effusion without pneumothorax.", "pneumothorax", "", ""),
        ("Left kidney: no stone or hydronephrosis.", "hydronephrosis", "left", ""),
        ("Cyst and abscess in the right kidney.", "Cyst", "right", ""),
        ("Left effusion; nodule in the right apex.", "nodule", "right", "upper"),
        ("Effusions, right greater than left.", "Effusions", "", ""),
        ("Pneumothorax with shift to the right.", "shift", "", ""),
        ("Tear of the anterior cruciate ligament.", "Tear", "", ""),
        ("Right jugular catheter with tip in the left atrium.", "jugular catheter", "right", ""),
        ("Infarct in the right basal ganglia.", "Infarct", "right", ""),
        ("Subpleural nodule in the middle lobe.", "nodule", "right", "mid peripheral"),
        ("LUL collapse due to a central mass.", "mass", "left", "central"),
    ],
)
def test_a_place_spreads_to_what_hangs_on_it_and_no_further(text: str, words: str, side: str, zones: str) -> None:
    finding = one(text, words)
    assert (" ".join(sorted(finding.side)), finding.zones | finding.levels) == (side, frozenset(zones.split()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kein Pneumothorax, geringer Erguss links.", {"Pneumothorax": "negated", "Erguss": "affirmed"}),
        ("V. a. Metastase im rechten Leberlappen.", {"Metastase": "uncertain"}),
        ("Z. n. Nephrektomie.", {"Nephrektomie": "historical"}),
        ("Milz und Nieren unauffällig.", {"Milz": "normal", "Nieren": "normal"}),
        ("Keine Beckenfraktur nachweisbar.", {"Beckenfraktur": "negated"}),
        ("Abszess nicht auszuschließen.", {"Abszess": "uncertain"}),
        ("Infiltrat nicht mehr abgrenzbar.", {"Infiltrat": "negated"}),
    ],
)
def test_german_is_read_by_its_own_file(text: str, expected: dict[str, str]) -> None:
    assert detect_language(text) == "de"
    found = statuses(text)
    assert {words: found.get(words) for words in expected} == expected


def test_german_compounds_and_inflected_words_are_known_by_how_they_end() -> None:
    found = read_findings("Zwei kleine Nierenzysten rechts, bis 1,2 cm, unverändert.", "de")
    (cyst,) = found
    assert (cyst.words, cyst.count, cyst.size_mm, set(cyst.side)) == ("Nierenzysten", 2, 12.0, {"right"})
    assert (cyst.severity, cyst.comparison) == ("mild", "unchanged")


def test_german_sections_are_found() -> None:
    text = "Klinische Angaben: Husten.\r\nBefund:\r\nLeber: o. B. Milz unauffällig.\r\nBeurteilung: Kein Erguss."
    report = parse_report(text)
    assert [field.name for field in report.fields] == ["HISTORY", "FINDINGS", "IMPRESSION"]
    assert report.language == "de"


def test_a_mistyped_finding_or_word_of_change_is_still_read() -> None:
    (found,) = read_findings("Left lower lobe consolidaton has progresssed.")
    assert (found.words, found.comparison) == ("consolidaton", "increased")


def test_words_that_resemble_a_finding_are_none() -> None:
    assert not read_findings("The section after the injection of contrast was scanned by the patient's request.")


def test_an_unknown_language_is_refused_in_one_sentence() -> None:
    with pytest.raises(Exception, match=r"^There are no rules for the language 'xx'; give one of en, de\.$"):
        parse_report("FINDINGS: Clear.", language="xx")


@pytest.mark.parametrize("module", [language, privacy, prompts, reader, report_view])
def test_examples_in_the_documentation_hold(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
