"""Slicer's own terminologies logic takes our findings: each is found, with its colour, region, side and code."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from session import SlicerSession
from slicer_application import Application

from LanguageSegmentLib.terminology import FILES, entryFor, registerTerminology
from LMISCore.checkpoints.files import bundled_checkpoint, read_card
from LMISCore.errors import InputError
from LMISCore.text.findings import Vocabulary
from LMISCore.text.report import parse_report
from LMISCore.text.terminology import context_name, finding_names, region_context_name, serialise, sides, term_for
from LMISCore.volumes.segmentation import SegmentData, read_segmentation, write_segmentation
from LMISCore.volumes.volume import Geometry

Logic = Any
EMPTY = "~^^~^^~^^~~^^~^^"


@pytest.fixture
def logic() -> Logic:
    """Slicer's terminologies logic with our files in it; Slicer's own lists lie in the application."""
    made = slicer.vtkSlicerTerminologiesModuleLogic()
    registerTerminology(made)
    return made


def _resolved(logic: Logic, serialised: str) -> Any:
    """What Slicer makes of an entry: parts that its lists do not have stay as the text says."""
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.DeserializeTerminologyEntry(serialised, entry)
    return entry


def _is_listed(logic: Logic, entry: Any) -> bool:
    """Whether Slicer finds the entry's type in our list and its region, with its side, in our regions."""
    kind, region, side = entry.GetTypeObject(), entry.GetRegionObject(), entry.GetRegionModifierObject()
    category = entry.GetCategoryObject()
    contexts = logic.FindTerminologyNames(
        category.GetCodingSchemeDesignator(),
        category.GetCodeValue(),
        kind.GetCodingSchemeDesignator(),
        kind.GetCodeValue(),
        *("", ""),
        [],
        None,
    )
    regions = logic.FindRegionContextNames(
        region.GetCodingSchemeDesignator(),
        region.GetCodeValue(),
        side.GetCodingSchemeDesignator() or "",
        side.GetCodeValue() or "",
        [],
        None,
    )
    return (list(contexts), list(regions)) == ([context_name()], [region_context_name()])


def test_slicer_has_our_two_lists_after_loading_them_twice(logic: Logic) -> None:
    registerTerminology(logic)
    assert logic.IsTerminologyContextLoaded(context_name())
    names = vtk.vtkStringArray()
    logic.GetLoadedTerminologyNames(names)
    regions = vtk.vtkStringArray()
    logic.GetLoadedRegionContextNames(regions)
    assert [names.GetValue(0), names.GetNumberOfValues()] == [context_name(), 1]
    assert [regions.GetValue(0), regions.GetNumberOfValues()] == [region_context_name(), 1]


@pytest.mark.parametrize("name", finding_names())
def test_slicer_finds_every_finding_on_every_side_with_its_colour(logic: Logic, name: str) -> None:
    for side in ((), ("left",), ("right",), ("left", "right")):
        choice, term = entryFor(name, side), term_for(name, side)
        entry = _resolved(logic, choice.serialised)
        assert _is_listed(logic, entry)
        # Only the list knows the colour: the text has none.
        assert logic.UpdateEntryFromLoadedTerminologies(entry, [], [])
        red, green, blue = entry.GetTypeObject().GetRecommendedDisplayRGBValue()
        assert (red / 255, green / 255, blue / 255) == choice.colour
        assert entry.GetRegionModifierObject().GetCodeValue() == (term.side.value if term.side else None)
        assert logic.SerializeTerminologyEntry(entry) == choice.serialised == term.serialised()


def test_slicer_finds_a_type_by_its_label(logic: Logic) -> None:
    entry = slicer.vtkSlicerTerminologyEntry()
    assert logic.FindTypeInTerminologyBy3dSlicerLabel(context_name(), "Ground glass lung opacity", entry)
    assert entry.GetTypeObject().GetCodeValue() == "1217294009"


def test_our_text_of_an_entry_is_the_one_that_slicer_writes() -> None:
    term = term_for("pleural effusion", {"left", "right"})
    both = sides()["both"]
    assert both is not None and term.region is not None
    category = term.entry()["category"]
    expected = slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(
        context_name(),
        *(category[1], category[0], category[2]),
        *(term.type.value, term.type.scheme, term.type.meaning),
        *("", "", ""),
        region_context_name(),
        *(term.region.value, term.region.scheme, term.region.meaning),
        *(both.value, both.scheme, both.meaning),
    )
    assert term.serialised() == expected
    assert serialise({}) == EMPTY


def test_the_findings_of_the_bundled_weights_have_a_name_and_a_code_of_their_own() -> None:
    vocabulary = Vocabulary.from_card(read_card(bundled_checkpoint()).vocabulary)
    for name in vocabulary.findings:
        choice = entryFor(name, frozenset({"left"}))
        assert choice.name.lower() == name and not choice.note
    unknown = entryFor(None)
    assert unknown.name == "Lesion" and unknown.serialised.endswith("~SCT^52988006^Lesion~^^~~^^~^^")


def test_a_file_that_slicer_refuses_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        (tmp_path / name).write_text("{", encoding="utf-8")
    monkeypatch.setattr("LanguageSegmentLib.terminology.resource", lambda *parts: tmp_path / parts[-1])
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    logic.AddObserver("ErrorEvent", lambda caller, event: None)  # instead of writing to the terminal
    with pytest.raises(InputError, match=r"LanguageSegment\.term\.json; install the extension again"):
        registerTerminology(logic)


def test_the_code_survives_our_file_slicers_file_and_reading_back(
    slicer_session: SlicerSession, logic: Logic, tmp_path: Path
) -> None:
    geometry = Geometry((6, 5, 4), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[1:3, 1:4, 2:5] = True
    term = term_for("consolidation", {"right"})
    segment = SegmentData("findings-1", "Consolidation, right", term.colour, mask, {"Sentence": "x"}, term.entry())
    write_segmentation(tmp_path / "ours.seg.nrrd", [segment], geometry)
    node = slicer_session.segmentation_from(tmp_path / "ours.seg.nrrd")
    read = node.GetSegmentation().GetNthSegment(0)
    assert read.GetTerminology() == term.serialised()
    assert read.GetColor() == pytest.approx(term.colour)
    assert _is_listed(logic, _resolved(logic, read.GetTerminology()))
    storage = slicer.vtkMRMLSegmentationStorageNode()
    slicer_session.scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "slicers.seg.nrrd"))
    assert storage.WriteData(node) == 1
    (again,), _, _ = read_segmentation(tmp_path / "slicers.seg.nrrd", geometry)
    assert again.terminology == term.entry() and again.name == segment.name


def test_the_module_puts_the_findings_into_slicers_terminologies_at_startup(
    slicer_session: SlicerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = Application(monkeypatch)
    application.module.LanguageSegment(SimpleNamespace(path=""))
    assert not application.terminologies.IsTerminologyContextLoaded(context_name())
    for slot in application.app.slots["startupCompleted()"]:
        slot()
    assert application.terminologies.IsTerminologyContextLoaded(context_name())


def test_two_segments_of_one_code_are_told_apart_by_their_sides(logic: Logic) -> None:
    vocabulary = Vocabulary({"infection": ()})
    sentences = list(parse_report("Infection on the left. Infection on the right.", vocabulary).sentences)
    left, right = (entryFor(s.findings[0].name, s.findings[0].side).serialised for s in sentences)
    assert not logic.AreTerminologyEntriesEqual(left, right)
    assert logic.AreTerminologyEntriesEqual(left, entryFor("pulmonary infection", {"left"}).serialised)
