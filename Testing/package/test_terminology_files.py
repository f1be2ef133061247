"""Slicer's terminology files say what codes.json says."""

from __future__ import annotations

import json

from terminology_files import REGIONS, TYPES, codes, regions_text, types_text


def test_the_files_for_slicer_are_up_to_date() -> None:
    told = "run python Testing/package/terminology_files.py"
    assert TYPES.read_text(encoding="utf-8") == types_text(), told
    assert REGIONS.read_text(encoding="utf-8") == regions_text(), told


def test_every_type_has_a_colour_and_only_paired_regions_have_sides() -> None:
    (category,) = json.loads(types_text())["SegmentationCodes"]["Category"]
    colours = [tuple(found["recommendedDisplayRGBValue"]) for found in category["Type"]]
    assert len(set(colours)) == len(colours) == len(codes()["types"])
    assert not any("Modifier" in found for found in category["Type"])
    for found in json.loads(regions_text())["AnatomicCodes"]["AnatomicRegion"]:
        sides = [side["CodeMeaning"] for side in found.get("Modifier", [])]
        paired = next(r["paired"] for r in codes()["regions"].values() if r["value"] == found["CodeValue"])
        assert sides == (["Right", "Left", "Right and left"] if paired else [])
