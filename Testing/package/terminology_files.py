"""Write Slicer's terminology files from codes.json: run ``python Testing/package/terminology_files.py``.

The formats are those of 3D Slicer and dcmqi (segment-context-schema.json, anatomic-context-schema.json).
"""

from __future__ import annotations

import json
from typing import Any

from checkout import ROOT

FOLDER = ROOT / "LMISCore" / "resources" / "terminology"
TYPES, REGIONS = FOLDER / "LanguageSegment.term.json", FOLDER / "LanguageSegmentRegions.term.json"
_SCHEMAS = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc"


def codes() -> dict[str, Any]:
    """Return codes.json."""
    loaded: dict[str, Any] = json.loads((FOLDER / "codes.json").read_text(encoding="utf-8"))
    return loaded


def types_text() -> str:
    """Return the terminology context: the category and its types, each with its recommended colour."""
    table = codes()
    types = [
        {**_coded(found), "3dSlicerLabel": found["meaning"], "recommendedDisplayRGBValue": found["colour"]}
        for found in table["types"].values()
    ]
    category = {**_coded(table["category"]), "showAnatomy": True, "Type": types}
    return _text(
        {
            "SegmentationCategoryTypeContextName": table["context"],
            "@schema": f"{_SCHEMAS}/segment-context-schema.json#",
            "SegmentationCodes": {"Category": [category]},
        }
    )


def regions_text() -> str:
    """Return the anatomic context: the regions, paired ones with their sides."""
    table = codes()
    order = [table["sides"][name] for name in ("right", "left", "both")]
    regions = [
        {**_coded(found), **({"Modifier": [_coded(side) for side in order]} if found["paired"] else {})}
        for found in table["regions"].values()
    ]
    return _text(
        {
            "AnatomicContextName": table["regionContext"],
            "@schema": f"{_SCHEMAS}/anatomic-context-schema.json#",
            "AnatomicCodes": {"AnatomicRegion": regions},
        }
    )


def _coded(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "CodingSchemeDesignator": found["scheme"],
        "CodeValue": found["value"],
        "CodeMeaning": found["meaning"],
        "SNOMEDCTConceptID": found["value"],
    }


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


if __name__ == "__main__":
    for path, text in ((TYPES, types_text()), (REGIONS, regions_text())):
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {path.relative_to(ROOT)}")
