"""Codes of findings: where they come from, that they are well formed, and which one a sentence's segment gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from LMISCore.checkpoints.files import bundled_checkpoint, read_card
from LMISCore.inference.naming import free_colour, segment_colour, segment_name, segment_term
from LMISCore.resources import resource
from LMISCore.text.findings import Vocabulary
from LMISCore.text.phrases import stem, tokens
from LMISCore.text.report import parse_report
from LMISCore.text.terminology import find_name, finding_names, sides, term_for, term_of


def _codes() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resource("terminology", "codes.json").read_text(encoding="utf-8"))
    return loaded


def _entries() -> dict[str, dict[str, Any]]:
    table = _codes()
    groups = {name: table[name] for name in ("sides", "regions", "types")} | {"category": {"": table["category"]}}
    return {f"{group} {name}".strip(): entry for group, entries in groups.items() for name, entry in entries.items()}


def _product(a: int, b: int) -> int:
    """The dihedral group of the pentagon: turns are 0 to 4, mirrored ones 5 to 9."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


def _verhoeff_is_right(digits: str) -> bool:
    permutation = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = permutation[value]
        total = _product(total, value)
    return total == 0


@pytest.mark.parametrize("entry", _entries().values(), ids=_entries().keys())
def test_each_code_stands_in_two_sources_of_different_origin(entry: dict[str, Any]) -> None:
    documents = _codes()["documents"]
    origins = {documents[name]["origin"] for name in entry["sources"]}
    assert len(origins) >= 2, entry
    assert all(place.strip() for place in entry["sources"].values())


@pytest.mark.parametrize("entry", _entries().values(), ids=_entries().keys())
def test_each_snomed_code_has_a_right_check_digit_and_the_mark_of_a_concept(entry: dict[str, Any]) -> None:
    assert entry["scheme"] == "SCT"
    # SNOMED CT TIG: partition 00 or 10 names a concept, the last digit is Verhoeff's.
    assert entry["value"][-3:-1] in ("00", "10")
    assert _verhoeff_is_right(entry["value"])


def test_the_check_of_digits_finds_a_wrong_and_two_swapped_ones() -> None:
    assert _verhoeff_is_right("128601007")
    assert not _verhoeff_is_right("128601006") and not _verhoeff_is_right("126801007")


def _from_dicom() -> list[tuple[str, str, str]]:
    return [
        (entry["value"], entry["meaning"], entry["sources"]["dicom"].removeprefix("CID "))
        for entry in _entries().values()
        if "dicom" in entry["sources"]
    ]


@pytest.mark.parametrize(("value", "meaning", "group"), _from_dicom())
def test_codes_from_dicom_stand_in_the_context_group_that_is_named(value: str, meaning: str, group: str) -> None:
    from pydicom.sr._cid_dict import cid_concepts
    from pydicom.sr._concepts_dict import concepts

    keywords = cid_concepts[int(group)]["SCT"]
    dictionary: Any = concepts["SCT"]
    found = [text for keyword in keywords for code, (text, _) in dictionary[keyword].items() if code == value]
    assert found, f"{value} is not in CID {group}"
    # Slicer and older editions say Altered, Right and left and Scar.
    same = {"Morphologically Altered Structure": "Morphologically Abnormal Structure", "Right and left": "Bilateral"}
    assert found[0].lower().startswith(same.get(meaning, meaning).lower())


def test_every_document_that_is_listed_gives_a_code() -> None:
    used = {name for entry in _entries().values() for name in entry["sources"]}
    assert used == _codes()["documents"].keys()


def test_findings_that_share_a_more_general_code_say_why() -> None:
    table = _codes()
    by_type: dict[str, list[str]] = {}
    for name, entry in table["findings"].items():
        by_type.setdefault(entry["type"], []).append(name)
    for kind, names in by_type.items():
        silent = [name for name in names if not term_for(name).note]
        assert len(silent) == 1 or silent == ["mass", "mediastinal mass"], f"{kind}: {names}"
    assert term_for("cavity").note.startswith("takes its parent Lesion")


def test_no_words_name_two_findings() -> None:
    seen: dict[tuple[str, ...], str] = {}
    for name, entry in _codes()["findings"].items():
        for phrase in (name, *entry["synonyms"]):
            words = tuple(stem(word) for word in tokens(phrase)[0])
            assert seen.setdefault(words, name) == name, phrase
            assert find_name(phrase) == name


def test_every_finding_and_synonym_of_the_bundled_weights_is_known() -> None:
    vocabulary = Vocabulary.from_card(read_card(bundled_checkpoint()).vocabulary)
    for name, synonyms in vocabulary.findings.items():
        assert find_name(name) == name
        assert all(find_name(synonym) in finding_names() for synonym in synonyms)


def test_the_side_is_coded_where_the_region_has_sides() -> None:
    code = sides()
    assert term_for("infection").side is None
    assert term_for("infection", {"left"}).side == code["left"]
    assert term_for("effusion", {"left", "right"}).side == code["both"]
    assert term_for("cardiomegaly", {"left"}).side is None
    assert term_for("pneumothorax", {"right"}).serialised() == (
        "Chest findings - LanguageSegment~SCT^49755003^Morphologically Altered Structure~SCT^36118008^Pneumothorax~^^"
        "~Chest regions - LanguageSegment~SCT^3120008^Pleura~SCT^24028007^Right"
    )


@pytest.mark.parametrize("name", ["liver lesion", "thyroid", "", None])
def test_what_is_not_known_is_a_lesion_without_a_region(name: str | None) -> None:
    term = term_for(name, {"left"})
    assert (term.name, term.type.meaning, term.region, term.side) == ("", "Lesion", None, None)
    assert term.serialised().endswith("~SCT^52988006^Lesion~^^~~^^~^^")


VOCABULARY = Vocabulary({"infection": (), "effusion": (), "nodule": (), "stone": ()})


@pytest.mark.parametrize(
    ("text", "name", "code", "region", "side"),
    [
        ("Infection of the left lung.", "Pulmonary infection, left", "128601007", "Lung", "Left"),
        (
            "Infection with effusion, both right.",
            "Pulmonary infection and pleural effusion",
            "52988006",
            "Thorax",
            None,
        ),
        ("Infection and a nodule on the left.", "Pulmonary infection and nodule, left", "52988006", "Lung", "Left"),
        ("Infection, no effusion.", "Pulmonary infection", "128601007", "Lung", None),
        ("A stone on the right.", "Stone, right", "52988006", None, None),
        ("Infection and a stone.", "Pulmonary infection and stone", "52988006", None, None),
    ],
)
def test_a_segment_is_named_and_coded_by_what_its_sentence_affirms(
    text: str, name: str, code: str, region: str | None, side: str | None
) -> None:
    (sentence,) = parse_report(text, VOCABULARY).sentences
    term = segment_term(sentence)
    assert segment_name(sentence).startswith(name)
    assert term.type.value == code
    assert (term.region.meaning if term.region else None) == region
    assert (term.side.meaning if term.side else None) == side


def test_two_mentions_of_one_finding_join_their_sides() -> None:
    (sentence,) = parse_report("Infection on the left; no nodule; infection on the right.", VOCABULARY).sentences
    affirmed = [finding for finding in sentence.findings if finding.name == "infection"]
    assert term_of(affirmed).side == sides()["both"]


def test_only_the_first_segment_of_a_finding_has_its_colour() -> None:
    orange = term_for("infection").colour
    used: set[tuple[float, float, float]] = set()
    for _ in range(300):
        used.add(free_colour(orange, used))
    assert len(used) == 300 and orange in used
    assert free_colour(orange, set()) == orange
    assert free_colour(orange, {orange}) == segment_colour(1)
