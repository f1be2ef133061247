"""Keys of sentences over edits of a report."""

from __future__ import annotations

import pytest

from LanguageSegmentLib.sentence_keys import Register, align
from LMISCore.text.report import parse_report


def keys(*texts: str) -> list[list[str]]:
    """Return the keys after each of several versions of a report; sentences are parted by " / "."""
    register = Register()
    found = []
    for text in texts:
        register = Register.from_json(align(register, parse_report(text.replace(" / ", "\n\n"))).to_json())
        found.append([each.key for each in register.present])
    return found


CASES = {
    "the same text": ("FINDINGS: A b. / C d.", ["findings-1", "findings-2"]),
    "one put in before": ("FINDINGS: New one. / A b. / C d.", ["findings-3", "findings-1", "findings-2"]),
    "one put in between": ("FINDINGS: A b. / New one. / C d.", ["findings-1", "findings-3", "findings-2"]),
    "one rewritten": ("FINDINGS: Other words. / C d.", ["findings-1", "findings-2"]),
    "all rewritten": ("FINDINGS: Other words. / And more.", ["findings-1", "findings-2"]),
    "one deleted": ("FINDINGS: C d.", ["findings-2"]),
    "one split in two": ("FINDINGS: A c. / Quite another. / C d.", ["findings-1", "findings-3", "findings-2"]),
    "the likest of two": ("FINDINGS: Quite another. / A c. / C d.", ["findings-3", "findings-1", "findings-2"]),
    "swapped": ("FINDINGS: C d. / A b.", ["findings-2", "findings-1"]),
    "moved to another field": ("FINDINGS: C d. / IMPRESSION: A b.", ["findings-2", "findings-1"]),
    "wrapped anew": ("FINDINGS: A\nb. / C  d.", ["findings-1", "findings-2"]),
    "the heading gone": ("A b. / C d.", ["findings-1", "findings-2"]),
    "all gone": ("", []),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_sentences_keep_their_keys(text: str, expected: list[str]) -> None:
    assert keys("FINDINGS: A b. / C d.", text)[1] == expected


def test_a_sentence_that_comes_back_gets_its_key_back() -> None:
    text = "FINDINGS: A b. / C d."
    assert keys(text, "FINDINGS: C d.", text)[2] == ["findings-1", "findings-2"]
    assert keys(text, "", "FINDINGS: C d. / A b.")[2] == ["findings-2", "findings-1"]


def test_no_key_is_given_twice() -> None:
    texts = ("FINDINGS: A b. / C d.", "FINDINGS: A b.", "FINDINGS: A b. / Else it is.", "FINDINGS: Else it is. / C d.")
    assert keys(*texts)[2:] == [["findings-1", "findings-3"], ["findings-3", "findings-2"]]


def test_the_same_words_twice_have_two_keys() -> None:
    assert keys("FINDINGS: A b. / A b.", "FINDINGS: A b. / New one. / A b.") == [
        ["findings-1", "findings-2"],
        ["findings-1", "findings-3", "findings-2"],
    ]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"present": [["a"]], "gone": [], "last": {}}', "null"])
def test_a_damaged_register_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Register.from_json(text)


def test_a_long_report_is_aligned_at_once() -> None:
    old = "FINDINGS: " + " / ".join(f"Old words of number {number} here." for number in range(300))
    new = "FINDINGS: " + " / ".join(f"New things in place {number} there." for number in range(299))
    assert len(keys(old, new)[1]) == 299
