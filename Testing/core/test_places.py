"""Words of place: rewritten for axial pictures, mirrored with the picture, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LMISCore.text.places import can_be_mirrored, lvit_axial_words, mirror_sides


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one infected area, lower left lung.", "one infected area, posterior left lung."),
        ("Upper middle right lung", "Anterior middle right lung"),
        ("all left lung", "all left lung"),
        ("a lowered voice", "a lowered voice"),
    ],
)
def test_thirds_of_an_axial_picture_are_named_front_to_back(text: str, expected: str) -> None:
    assert lvit_axial_words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Left lung and RIGHT effusion", "Right lung and LEFT effusion"),
        ("left-sided opacity", "right-sided opacity"),
        ("bright, upright, leftover", "bright, upright, leftover"),
        ("Infiltrat in der linken Lunge", "Infiltrat in der rechten Lunge"),
        ("Bilateral infection", "Bilateral infection"),
    ],
)
def test_mirroring_swaps_whole_words_and_keeps_capitals(text: str, expected: str) -> None:
    assert mirror_sides(text) == expected


@given(st.lists(st.sampled_from(["left", "Right", "lung", "LEFT", "right-sided", "links", "opacity", ","])))
def test_mirroring_twice_gives_the_sentence_back(words: list[str]) -> None:
    text = " ".join(words)
    assert mirror_sides(mirror_sides(text)) == text


@pytest.mark.parametrize("text", ["The heart is enlarged.", "Cyst of the liver", "right middle lobe", "Aortic valve"])
def test_sentences_about_one_sided_organs_are_not_mirrored(text: str) -> None:
    assert not can_be_mirrored(text)
    assert can_be_mirrored("Infection in the left lung.")
