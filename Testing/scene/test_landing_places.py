"""Where a run lands: in the segmentation of its own volume, in that volume's study, with a row for each sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from logic_makers import REPORT, InProcessRunner, Material, load_volume, places_in_scene
from session import SlicerSession

from LanguageSegmentLib.binding import createReportNode, segmentationsOf
from LanguageSegmentLib.findings_table import tableRows
from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.rebuilt import rebuildReport
from LanguageSegmentLib.scripting import segmentReport


def run(material: Material, volumeNode: Any, report: Any, **options: Any) -> SegmentReportResult:
    return segmentReport(volumeNode, report, runner=InProcessRunner(), **{**material.options, **options})


def test_another_scan_leaves_the_segments_of_a_removed_one_alone(
    material: Material, slicer_session: SlicerSession
) -> None:
    first, second = (load_volume(slicer_session, material.volume(each)) for each in ("oblique", "left-handed"))
    report = createReportNode(REPORT)
    (old,) = run(material, first, report).segmentationNodes
    before = places_in_scene(old, "lmis_findings-1", first)
    slicer_session.scene.RemoveNode(first)
    (new,) = run(material, second, report).segmentationNodes
    assert new is not old and segmentationsOf(report) == [old, new]
    again = load_volume(slicer_session, material.volume("oblique"))
    assert (places_in_scene(old, "lmis_findings-1", again) == before).all()
    # A scan that was loaded again lies on the grid that the segmentation was made on.
    assert run(material, again, report).segmentationNodes == [old]


def test_a_segmentation_of_the_scan_comes_before_one_whose_scan_is_gone(
    material: Material, slicer_session: SlicerSession
) -> None:
    first, second = (load_volume(slicer_session, material.volume("oblique")) for _ in range(2))
    report = createReportNode(REPORT)
    run(material, first, report)
    (own,) = run(material, second, report).segmentationNodes
    slicer_session.scene.RemoveNode(first)
    assert run(material, second, report).segmentationNodes == [own]


def test_a_segmentation_from_a_file_takes_the_segments_of_its_scan(
    material: Material, slicer_session: SlicerSession, tmp_path: Path
) -> None:
    volume = load_volume(slicer_session, material.volume("oblique-left-handed"))
    (made,) = run(material, volume, createReportNode(REPORT)).segmentationNodes
    made.AddDefaultStorageNode()
    made.GetStorageNode().SetFileName(str(tmp_path / "made.seg.nrrd"))
    assert made.GetStorageNode().WriteData(made)
    loaded = slicer_session.segmentation_from(tmp_path / "made.seg.nrrd")
    assert run(material, volume, rebuildReport(loaded)).segmentationNodes == [loaded]


@pytest.mark.parametrize("force", [False, True])
def test_what_a_script_ran_is_in_the_table_with_the_negated_sentences(
    material: Material, slicer_session: SlicerSession, force: bool
) -> None:
    volume = load_volume(slicer_session, material.volume("oblique"))
    report = createReportNode("Infection in the left lung. No infection in the right lung.")
    run(material, volume, report, force=["text-2"] if force else [])
    rows = tableRows(report, volume)
    assert [row.state for row in rows] == ["affirmed", "negated"] and rows[1].reason
    assert [row.forced for row in rows] == [False, force]
    assert [row.segmentId for row in rows] == ["lmis_text-1", "lmis_text-2" if force else None]


def test_a_segmentation_is_put_into_the_study_of_its_volume(material: Material, slicer_session: SlicerSession) -> None:
    volume = load_volume(slicer_session, material.volume("oblique"))
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer_session.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
    hierarchy.CreateItem(study, volume)
    # The application gives each node an item when it is added.
    added = slicer_session.scene.AddObserver(
        slicer.vtkMRMLScene.NodeAddedEvent,
        lambda *_: [
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
            for node in slicer_session.nodes("vtkMRMLSegmentationNode")
            if not hierarchy.GetItemByDataNode(node)
        ],
    )
    (made,) = run(material, volume, REPORT).segmentationNodes
    slicer_session.scene.RemoveObserver(added)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(made)) == study
