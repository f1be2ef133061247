"""What is sent to the text encoder, and which slices head-feet words choose."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.text.findings import Vocabulary
from LMISCore.text.levels import LEVELS, take_levels
from LMISCore.text.prompts import prompt_for
from LMISCore.text.report import Sentence, parse_report

VOCABULARY = Vocabulary({"infection": ("pulmonary infection", "infected area", "opacity", "consolidation")})


@pytest.mark.parametrize(
    ("text", "sent", "levels"),
    [
        ("Infection in the left lower lobe.", "Infection in the left lung.", "lower"),
        ("Infection in the lower zone of the left lung.", "Infection in the left lung.", "lower"),
        ("Infection in the left upper zone.", "Infection in the left lung.", "upper"),
        ("Infection in the lower lung zones.", "Infection in the lungs.", "lower"),
        ("Infection in the upper third of the left lung.", "Infection in the left lung.", "upper"),
        (
            "Infection in the upper, middle and lower zones of both lungs.",
            "Infection in both lungs.",
            "upper mid lower",
        ),
        ("Infection in the mid and lower zones.", "Infection in the lungs.", "mid lower"),
        ("Infection in the mid-zone of the right lung.", "Infection in the right lung.", "mid"),
        ("Infection in the middle lobe.", "Infection in the right lung.", "mid"),
        ("Infection in the right middle lobe.", "Infection in the right lung.", "mid"),
        ("Infection in the lingula.", "Infection in the left lung.", "mid"),
        ("Right upper and lower lobe infection.", "Right lung infection.", "upper lower"),
        ("Both lower lobes show infection.", "Both lungs show infection.", "lower"),
        ("Infection in the left and right lower lobes.", "Infection in the left and right lungs.", "lower"),
        ("Infection in the bilateral lower lobes.", "Infection in both lungs.", "lower"),
        (
            "Infection in the left lower and right upper lobes.",
            "Infection in the left lung and right lung.",
            "upper lower",
        ),
        ("Infection in the left upper lobe and lingula.", "Infection in the left lung.", "upper mid"),
        ("Infection in the RLL.", "Infection in the right lung.", "lower"),
        ("Bibasal infection.", "Bilateral infection.", "lower"),
        ("Left basal infection.", "Left lung infection.", "lower"),
        ("Predominantly basal infection.", "Infection.", "lower"),
        ("The infection is basal.", "The infection is present.", "lower"),
        ("Infection at the lung bases.", "Infection in the lungs.", "lower"),
        ("Infection in the left lung base.", "Infection in the left lung.", "lower"),
        ("Infection in the right apex.", "Infection in the right lung.", "upper"),
        ("Apical infection in the left lung.", "Infection in the left lung.", "upper"),
        ("Infection in both apices.", "Infection in both lungs.", "upper"),
        ("Infection in the lower left lung.", "Infection in the left lung.", "lower"),
        ("Left lower zone pulmonary infection.", "Left pulmonary infection.", "lower"),
        ("Infection, left lung, lower zone.", "Infection, left lung.", "lower"),
        ("INFECTION IN THE LEFT LOWER LOBE.", "INFECTION IN THE LEFT LUNG.", "lower"),
        ("Infection in the left\r\n lower\tlobe.", "Infection in the left lung.", "lower"),
        (
            "Infection in the posterior segment of the left lower lobe.",
            "Infection in the posterior segment of the left lung.",
            "lower",
        ),
    ],
)
def test_head_feet_words_choose_the_slices_and_are_not_sent(text: str, sent: str, levels: str) -> None:
    prompt = prompt_for(text)
    assert (prompt.text, prompt.levels) == (sent, frozenset(levels.split()))
    assert "slices" in prompt.reason


@pytest.mark.parametrize(
    "text",
    [
        "Bilateral pulmonary infection, two infected areas, posterior left lung and posterior right lung.",
        "Infection in the middle posterior left lung.",
        "Infection in the anterior middle left lung.",
        "One infected area, middle left lung.",
        "pulmonary infection",
        "Infection is lower in density than before.",
        "Lesion in the lower lobe of the liver.",
        "Infection at the base of the skull.",
        "Lesion in the basal ganglia.",
        "Opacity based on infection.",
        "The upper abdomen is normal.",
        "",
    ],
)
def test_other_words_are_sent_as_they_are_on_every_slice(text: str) -> None:
    prompt = prompt_for(text)
    assert (prompt.text, prompt.levels, prompt.reason) == (text, frozenset(), "")


@pytest.mark.parametrize("plane", ["coronal", "sagittal", "picture"])
def test_on_other_planes_head_feet_words_stay_in_the_words(plane: str) -> None:
    prompt = prompt_for("Infection in the left lower lobe.", plane)
    assert (prompt.text, prompt.levels) == ("Infection in the left lower lobe.", frozenset())


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Infection in the left lung without pleural effusion on the right.", "Infection in the left lung."),
        ("There is no effusion but infection in the left lung.", "Infection in the left lung."),
        ("The right lung is clear, infection in the left lung.", "Infection in the left lung."),
        ("Infection in the left lung, none in the right.", "Infection in the left lung."),
        ("Infection (left lung, no cavitation).", "Infection left lung."),
        ("Infection in the left lung; it is mainly posterior.", "Infection in the left lung; it is mainly posterior."),
        ("Infection in the left lung; effusion on the right.", "Infection in the left lung."),
    ],
)
def test_only_what_is_affirmed_is_sent(text: str, sent: str) -> None:
    (sentence,) = parse_report(text, VOCABULARY).sentences
    prompt = prompt_for(sentence)
    assert prompt.text == sent
    assert bool(prompt.reason) == (sent != text)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("No evidence of infection in the right lung.", "Infection in the right lung."),
        ("Possible infection in the left lung.", "Infection in the left lung."),
        ("Infection in the left lung has resolved.", "Infection in the left lung."),
        ("?infection in the left lung", "Infection in the left lung."),
    ],
)
def test_a_forced_sentence_is_sent_without_its_cue(text: str, sent: str) -> None:
    (sentence,) = parse_report(text, VOCABULARY).sentences
    prompt = prompt_for(sentence)
    assert prompt.text == sent and "is not sent" in prompt.reason


@pytest.mark.parametrize(
    ("text", "plane", "sent", "levels"),
    [
        ("Infiltrat im linken Unterlappen.", "axial", "Infection in the left lung.", {"lower"}),
        ("Infiltrat im linken Unterlappen.", "picture", "Infection in the lower left lung.", set()),
        ("Beidseits Verschattungen, kein Erguss.", "axial", "Infection in both lungs.", set()),
        ("Dorsale Konsolidierung rechts.", "axial", "Infection in the posterior right lung.", set()),
    ],
)
def test_a_german_finding_is_asked_in_the_cards_words(text: str, plane: str, sent: str, levels: set[str]) -> None:
    known = Vocabulary({"infection": ("opacity", "consolidation", "infiltrate")}, ("left", "right", "both", "lung"))
    (sentence,) = parse_report(text, known).sentences
    prompt = prompt_for(sentence, plane, known.places)
    assert (prompt.text, prompt.levels, prompt.source) == (sent, frozenset(levels), "card")
    assert "Deutsch" in prompt.reason


def test_a_prompt_tells_whose_words_it_is_made_of() -> None:
    sentences = parse_report("Infection on the left. Infection on the left, no effusion.", VOCABULARY).sentences
    assert [prompt_for(sentence).source for sentence in sentences] == ["sentence", "clause"]


def test_levels_come_from_the_affirmed_clause_alone() -> None:
    text = "FINDINGS: Clear. Infection in the left lower lobe, the upper lobes are clear."
    sentence = parse_report(text, VOCABULARY).sentence("findings-2")
    prompt = prompt_for(sentence)
    assert (prompt.text, prompt.levels) == ("Infection in the left lung.", frozenset({"lower"}))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "infection",
                "in",
                "the",
                "left",
                "right",
                "both",
                "lower",
                "upper",
                "middle",
                "lobe",
                "zones",
                "of",
                "lung",
                "bases",
                "basal",
                "apical",
                ",",
                ".",
                "no",
                "and",
                "bibasal",
                "RLL",
                "is",
                "posterior",
                "segment",
                "predominant",
            ]
        ),
        max_size=20,
    ).map(" ".join)
)
def test_any_words_give_one_tidy_line_and_known_levels(text: str) -> None:
    asked: list[str | Sentence] = [text, *parse_report(text, VOCABULARY).sentences]
    for sentence in asked:
        prompt = prompt_for(sentence)
        assert prompt.levels <= set(LEVELS)
        assert prompt.text == " ".join(prompt.text.split())
        again, levels, _ = take_levels(prompt.text)
        assert bool(prompt.levels) == bool(prompt.reason and "slices" in prompt.reason)
        assert levels <= set(LEVELS) and len(again) <= len(prompt.text) + len("present lungs")
