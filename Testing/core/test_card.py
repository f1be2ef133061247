"""The card: round trip through JSON, one sentence for each thing wrong in it, and what people read of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from LMISCore.checkpoints.card import FORMAT_VERSION, Card
from LMISCore.errors import InputError


def values(**changes: Any) -> dict[str, Any]:
    """A whole card as JSON values, with some top-level keys changed."""
    card: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": "Test weights",
        "network": "tirnet",
        "network_options": {"width": 8, "text_width": 384, "variant": "default"},
        "text_encoder": {"name": "minilm", "hash": "ab" * 32, "width": 384, "length": 64},
        "image": {
            "size": [160, 192],
            "convention": "lung_equalised",
            "plane": "axial",
            "orientation": "patient's right on the picture's left, anterior up",
            "colour": "grey",
        },
        "modality": "CT",
        "vocabulary": {
            "findings": {"pulmonary infection": ["infection", "infected area"]},
            "places": ["left", "right"],
            "sentences_seen": 812,
        },
        "thresholds": {"mask": 0.5, "presence": 0.42},
        "data": {"name": "covid_ct_20cases", "hashes": {"Train": "cd" * 32}},
        "metrics": [
            {"name": "mean Dice", "value": 0.6312, "n": 119, "split": "Test", "interval": [0.55, 0.7], "policy": "out"}
        ],
        "recipe": {"training": {"seed": 3407}},
        "run": {"steps": 4000},
        "licence": "CC BY 4.0",
        "intended_use": "Research.",
        "limits": ["Accuracy on HU chest CT is not measured."],
        "test_runs_before": 1,
        "weights_hash": "",
    }
    return {**card, **changes}


def test_a_card_comes_back_from_json_as_it_was_written() -> None:
    card = Card.from_dict(values(name='Lunge \N{GREEK SMALL LETTER ALPHA} | "quoted"\nand broken'))
    again = Card.from_json(card.to_json())
    assert again == card
    assert again.to_dict() == json.loads(card.to_json())
    assert again.image_size == (160, 192)


def test_reading_a_card_imports_no_torch() -> None:
    code = (
        "import sys, LMISCore.checkpoints.card, LMISCore.checkpoints.files; "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


WRONG: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("empty name", {"name": " "}, ("name", "not empty")),
    ("options no object", {"network_options": []}, ("network_options", "an object")),
    ("encoder without hash", {"text_encoder": {"name": "minilm", "width": 3, "length": 3}}, ("text_encoder", "'hash'")),
    (
        "encoder width as text",
        {"text_encoder": {"name": "minilm", "hash": "ab", "width": "384", "length": 3}},
        ("text_encoder.width", "'384'", "whole number of at least 1"),
    ),
    (
        "companion outside the folder",
        {"text_encoder": {"name": "clip", "hash": "ab", "width": 8, "length": 3, "file": "../../home/secret"}},
        ("text_encoder.file", "bare name"),
    ),
    (
        "companion on another drive",
        {"text_encoder": {"name": "clip", "hash": "ab", "width": 8, "length": 3, "file": "C:\\secret"}},
        ("text_encoder.file", "bare name"),
    ),
    ("one image side", {"image": {**values()["image"], "size": [160]}}, ("image.size", "[height, width]")),
    ("image side zero", {"image": {**values()["image"], "size": [160, 0]}}, ("image.size[1]", "at least 1")),
    ("image side true", {"image": {**values()["image"], "size": [160, True]}}, ("image.size[1]", "True")),
    ("unknown plane", {"image": {**values()["image"], "plane": "oblique"}}, ("image.plane", "axial, coronal")),
    ("unknown colour", {"image": {**values()["image"], "colour": "cmyk"}}, ("image.colour", "grey, rgb, bgr")),
    ("threshold over one", {"thresholds": {"mask": 1.5, "presence": 0.5}}, ("thresholds.mask", "1.5", "from 0 to 1")),
    ("threshold missing", {"thresholds": {"mask": 0.5}}, ("thresholds", "'presence'")),
    (
        "synonyms as text",
        {"vocabulary": {"findings": {"infection": "infected"}, "places": [], "sentences_seen": 0}},
        ("vocabulary.findings.infection", "a list"),
    ),
    ("metric without n", {"metrics": [{"name": "Dice", "value": 0.5}]}, ("metrics[0]", "'n'")),
    ("metric as text", {"metrics": [{"name": "Dice", "value": "0.5", "n": 1}]}, ("metrics[0].value", "null")),
    ("nan metric", {"metrics": [{"name": "Dice", "value": float("nan"), "n": 1}]}, ("metrics[0].value", "finite")),
    ("infinity deep inside", {"run": {"loss": [1.0, float("inf")]}}, ("run.loss[1]", "finite")),
    ("tuple", {"recipe": {"size": (1, 2)}}, ("recipe.size", "plain JSON")),
    ("number as key", {"data": {1: "a"}}, ("data key", "text")),
    ("limits as text", {"limits": "none"}, ("limits", "a list")),
    ("negative count", {"test_runs_before": -1}, ("test_runs_before", "at least 0")),
    ("hash of another length", {"weights_hash": "abc"}, ("weights_hash", "64 hexadecimal digits")),
    ("version as text", {"format_version": "1"}, ("format_version", "whole number")),
    ("version zero", {"format_version": 0}, ("format_version", "whole number")),
]


@pytest.mark.parametrize(("changes", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_wrong_value_is_named_in_one_sentence(changes: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        Card.from_dict(values(**changes))
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert message.startswith("The card") and message.endswith(".") and "\n" not in message


@pytest.mark.parametrize("key", ["format_version", "name", "network", "network_options", "text_encoder", "image"])
def test_a_missing_key_is_named(key: str) -> None:
    short = {name: value for name, value in values().items() if name != key}
    with pytest.raises(InputError, match=f"lacks the key '{key}'"):
        Card.from_dict(short)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(InputError, match="unknown key 'metric'"):
        Card.from_dict(values(metric=[]))


def test_a_card_of_a_later_format_asks_for_an_update_whatever_else_it_holds() -> None:
    with pytest.raises(InputError, match=r"format 7 .* formats up to 2; update LMISCore"):
        Card.from_dict({"format_version": 7, "layers": "unheard of"})


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '"card"'])
def test_text_that_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="The card is"):
        Card.from_json(text)


def test_a_card_nested_too_deeply_is_refused() -> None:
    for depth in (700, 100_000):
        deep = json.dumps(values(run="RUN")).replace('"RUN"', "[" * depth + "]" * depth)
        with pytest.raises(InputError, match="The card"):
            Card.from_json(deep)


def test_text_that_utf_8_cannot_hold_is_named() -> None:
    text = json.dumps(values(licence="half \ud83d a pair"))
    with pytest.raises(InputError, match=r"licence .*lone surrogates"):
        Card.from_json(text)


def test_a_card_spoilt_after_it_was_made_is_not_written() -> None:
    card = Card.from_dict(values())
    card.thresholds["mask"] = 2
    with pytest.raises(InputError, match=r"thresholds\.mask"):
        card.to_json()


def test_two_cards_share_no_default() -> None:
    needed = ("name", "network", "network_options", "text_encoder", "image")
    first, second = (Card(**{key: values()[key] for key in needed}) for _ in range(2))
    first.thresholds["mask"] = 0.9
    first.vocabulary["places"].append("left")
    first.limits.append("none")
    assert second.thresholds == {"mask": 0.5, "presence": 0.5}
    assert second.vocabulary["places"] == [] and second.limits == []


def test_the_summary_is_two_lines_with_network_measure_and_use() -> None:
    first, second = Card.from_dict(values()).summary().split("\n")
    assert first == "Test weights: tirnet (width 8, variant default); CT axial, 160 x 192 pixels; text encoder minilm"
    assert second == "mean Dice 0.631 [0.550, 0.700] (n = 119, Test); Research; licence: CC BY 4.0"


def test_a_card_without_figures_says_so() -> None:
    card = Card.from_dict(values(metrics=[]))
    assert "no metric measured" in card.summary()
    assert "None measured." in card.to_markdown()


def test_an_undefined_figure_is_shown_as_undefined() -> None:
    card = Card.from_dict(values(metrics=[{"name": "Dice", "value": None, "n": 0}]))
    assert "Dice undefined (n = 0)" in card.summary()


def test_the_markdown_page_holds_every_part_and_keeps_its_tables_whole() -> None:
    page = Card.from_dict(
        values(
            licence="a | b\nc",
            text_encoder={"name": "clip", "hash": "ef" * 32, "width": 8, "length": 18, "file": "t.safetensors"},
        )
    ).to_markdown()
    assert page.startswith("# Test weights\n")
    assert "| Licence | a \\| b c |" in page
    assert "`t.safetensors`" in page
    assert "| mean Dice | 0.631 | 0.550 to 0.700 | 119 | Test | out |" in page
    assert "| pulmonary infection | infection, infected area |" in page
    assert "- Accuracy on HU chest CT is not measured." in page
    assert '"seed": 3407' in page and '"steps": 4000' in page and "cd" * 32 in page
    for table in page.split("\n\n"):
        if table.startswith("|"):
            assert len({row.replace("\\|", "").count("|") for row in table.splitlines()}) == 1
