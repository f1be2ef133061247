"""Which findings a sentence affirms, negates or leaves uncertain, and what it says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.errors import InputError
from LMISCore.text.attributes import size_mm
from LMISCore.text.findings import Vocabulary, assess, sentence_state
from LMISCore.text.report import Finding, State, parse_report

CARD = {
    "findings": {
        "infection": ["pulmonary infection", "infected area", "ground-glass opacity", "opacity", "consolidation"]
    },
    "places": ["left lung", "right lung"],
    "sentences_seen": 12,
}
VOCABULARY = Vocabulary.from_card(CARD)


def state_of(text: str) -> State:
    (sentence,) = parse_report(text).sentences
    return sentence_state(sentence, VOCABULARY)[0]


def only(text: str) -> Finding:
    (finding,) = assess(text, VOCABULARY)
    return finding


@pytest.mark.parametrize(
    "text",
    [
        "Infection in the left lung.",
        "Bilateral pulmonary infection, two infected areas, posterior left lung and posterior right lung.",
        "Infection in the left lung without pleural effusion.",
        "There is no effusion but infection in the left lung.",
        "No effusion is seen and there is infection in the left lung.",
        "No pleural effusion; consolidation in the right lung.",
        "Infection in the left lung, none in the right.",
        "The right lung is clear, infection in the left lung.",
        "No increase in infection.",
        "The infection in the left lung has not resolved.",
        "Opacity without change.",
        "Not only infection but also effusion.",
        "The effusion resolved, infection persists.",
        "No abnormality except infection in the left lung.",
        "No consolidation in the left lung, although there is consolidation in the right lung.",
        "Infection (no cavitation) in the left lung.",
        "Infection in the left but not in the right lung.",
        "Opacity in the left lung, may represent infection.",
        "INFECTION IN THE LEFT LUNG",
    ],
)
def test_an_affirmed_finding_makes_the_sentence_affirmed(text: str) -> None:
    assert state_of(text) is State.AFFIRMED


@pytest.mark.parametrize(
    "text",
    [
        "No infection.",
        "No evidence of infection in the right lung.",
        "There is no sign of infection or effusion.",
        "No pleural effusion, consolidation, or pneumothorax.",
        "The lungs are not infected.",
        "The lungs are free of infection.",
        "Lungs clear without infection.",
        "Neither infection nor effusion.",
        "Negative for infection.",
        "Infection is not seen.",
        "Infection in the left lung has resolved.",
        "Infection is no longer visible.",
        "Infection was ruled out.",
        "Infection: none.",
        "Absence of opacities.",
        "No infection is present in the left lung.",
        "In the right lung there is no infection.",
        "Resolved infection.",
        "NO INFECTION",
        "No non-infectious process, non-infectious only.",
        "Infection is unlikely.",
    ],
)
def test_a_negated_finding_makes_the_sentence_negated(text: str) -> None:
    assert state_of(text) is State.NEGATED


@pytest.mark.parametrize(
    "text",
    [
        "Possible infection in the left lung.",
        "Suspected pulmonary infection.",
        "Infection cannot be excluded.",
        "Infection is not excluded.",
        "Cannot rule out infection.",
        "Findings may represent infection.",
        "Infection is possible.",
        "?infection",
        "Is there infection?",
        "Findings are suspicious for infection.",
        "Infection is less likely.",
    ],
)
def test_a_doubtful_finding_makes_the_sentence_uncertain(text: str) -> None:
    assert state_of(text) is State.UNCERTAIN


@pytest.mark.parametrize(
    "text",
    ["History of infection.", "Status post infection.", "Previous infection in the left lung.", "H/o infection."],
)
def test_a_finding_of_the_past_makes_the_sentence_historical(text: str) -> None:
    assert state_of(text) is State.HISTORICAL


@pytest.mark.parametrize(
    "text",
    [
        "The heart is normal in size.",
        "Small left pleural effusion.",
        "The disinfected wound is uninfected.",
        "HISTORY: Infection in the left lung.",
        "INDICATION: Infection?",
        "TECHNIQUE: Infection protocol.",
        "COMPARISON: Infection in the left lung.",
    ],
)
def test_what_the_weights_do_not_know_is_not_covered(text: str) -> None:
    assert state_of(text) is State.NOT_COVERED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Infection.", "affirms infection"),
        ("No evidence  of infection.", '"No evidence of" negates infection'),
        ("Infection is possible.", '"is possible" leaves uncertain infection'),
        ("Small effusion.", "names nothing that these weights know (infection)"),
        ("HISTORY: Infection.", "the field HISTORY does not describe the image"),
    ],
)
def test_the_reason_says_why(text: str, reason: str) -> None:
    (sentence,) = parse_report(text).sentences
    assert sentence_state(sentence, VOCABULARY)[1] == reason


@pytest.mark.parametrize(
    "text",
    [
        "opacity",
        "Opacities",
        "ground glass opacities",
        "ground-glass opacity",
        "Groundglass opacity",
        "GROUND-GLASS OPACITIES",
        "infected areas",
        "infection",
        "infections",
        "infectious",
        "infected",
        "consolidations",
        "consolidated",
        "consolidative",
    ],
)
def test_words_match_whatever_their_plural_hyphen_or_ending(text: str) -> None:
    finding = only(f"There is {text} in the left lung.")
    assert (finding.name, finding.words) == ("infection", text)


@pytest.mark.parametrize("text", ["opaque", "glass", "inflection", "infarction", "solid"])
def test_other_words_do_not_match(text: str) -> None:
    assert assess(f"There is {text} in the left lung.", VOCABULARY) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Infection in the left lung.", {"side": {"left"}}),
        ("Bilateral infection.", {"side": {"left", "right"}}),
        ("Infection in the left lung without effusion on the right.", {"side": {"left"}}),
        ("Infection in the left lung, none in the right.", {"side": {"left"}}),
        ("The right lung is clear, infection in the left lung.", {"side": {"left"}}),
        ("In the left lung there is infection.", {"side": {"left"}}),
        ("Infection in the left lung; it is mainly posterior.", {"side": {"left"}, "zones": {"posterior"}}),
        ("Infection in the posterior left lung.", {"side": {"left"}, "zones": {"posterior"}}),
        ("Infection in the middle posterior left lung.", {"zones": {"middle", "posterior"}, "levels": set()}),
        ("Infection in the middle lobe.", {"zones": set(), "levels": {"mid"}}),
        ("Infection in the left lower lobe.", {"side": {"left"}, "levels": {"lower"}, "zones": set()}),
        ("Infection in the upper and lower zones.", {"levels": {"upper", "lower"}}),
        ("Bibasal opacities.", {"side": {"left", "right"}, "levels": {"lower"}}),
        ("Opacity in the RUL.", {"side": {"right"}, "levels": {"upper"}}),
        ("Two infected areas.", {"count": 2}),
        ("A single infected area.", {"count": 1}),
        ("12 infected areas.", {"count": 12}),
        ("3.5 x 2 cm infected area.", {"count": None, "size_mm": 35.0}),
        ("One of the infected areas.", {"count": None}),
        ("Opacity of 8 mm, unchanged.", {"size_mm": 8.0, "comparison": "unchanged"}),
        ("New severe infection.", {"severity": "severe", "comparison": "new"}),
        ("No increase in infection.", {"comparison": "unchanged"}),
        ("Increasing opacities.", {"comparison": "increased"}),
        ("The effusion resolved, infection persists.", {"comparison": "unchanged"}),
        ("The effusion resolved, infection in the left lung.", {"comparison": None}),
    ],
)
def test_a_findings_place_number_size_and_course_are_read(text: str, expected: dict[str, Any]) -> None:
    finding = only(text)
    assert {name: getattr(finding, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.5 cm", 35.0),
        ("3,5cm", 35.0),
        ("8 x 12 x 4 mm", 12.0),
        ("1.2 × 0.8 cm", 12.0),
        ("a 6-mm spot", 6.0),
        ("5 cmH2O", None),
        ("day 3", None),
    ],
)
def test_the_largest_dimension_is_given_in_millimetres(text: str, expected: float | None) -> None:
    assert size_mm(text) == expected


def test_one_finding_affirmed_and_negated_is_two() -> None:
    text = "No consolidation in the left lung, although there is consolidation in the right lung."
    negated, affirmed = assess(text, VOCABULARY)
    assert (negated.status, set(negated.side)) == (State.NEGATED, {"left"})
    assert (affirmed.status, set(affirmed.side)) == (State.AFFIRMED, {"right"})


def test_two_names_keep_their_own_statuses() -> None:
    vocabulary = Vocabulary({"infection": (), "effusion": ("pleural effusion",)})
    infection, effusion = assess("Infection in the left lung without pleural effusions.", vocabulary)
    assert (infection.name, infection.status) == ("infection", State.AFFIRMED)
    assert (effusion.name, effusion.status, effusion.words) == ("effusion", State.NEGATED, "pleural effusions")


def test_an_empty_vocabulary_covers_nothing() -> None:
    (sentence,) = parse_report("Infection.").sentences
    assert sentence_state(sentence, Vocabulary())[0] is State.NOT_COVERED


@pytest.mark.parametrize(
    "bad", [{}, {"findings": ["infection"]}, {"findings": {"infection": "opacity"}}, {"findings": {"a": [1]}}]
)
def test_a_vocabulary_of_another_form_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="vocabulary of a card"):
        Vocabulary.from_card(bad)


WORDS = st.sampled_from(
    [
        "infection",
        "opacity",
        "no",
        "without",
        "possible",
        "but",
        "left",
        "right",
        ",",
        ";",
        "(",
        ")",
        "is",
        "not seen",
        "effusion",
        "there is",
        "lower lobe",
        "?",
        "two",
        "3 cm",
        "resolved",
        ":",
        "none",
        "clear",
        "it",
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_order_of_cues_is_assessed_with_spans_that_hold(text: str) -> None:
    for finding in assess(text, VOCABULARY):
        assert finding.span.of(text) == finding.words
        assert finding.status in (State.AFFIRMED, State.NEGATED, State.UNCERTAIN, State.HISTORICAL)
        assert (finding.cue is None) == (finding.status is State.AFFIRMED)
        assert finding.clauses and all(clause.of(text).strip() for clause in finding.clauses)


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=12).map(" ".join))
def test_a_contrast_shields_what_follows_from_what_came_before(text: str) -> None:
    found = assess(f"{text} but infection", VOCABULARY)
    assert any(finding.status is State.AFFIRMED for finding in found)
