"""The panel and the scene: going to a segment, noticing what is chosen elsewhere, DICOM export, the device's words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from binding_makers import bound
from session import SlicerSession

from LanguageSegmentLib.device_probe import DeviceProbe
from LanguageSegmentLib.dicom_export import openDialog, whyNotOffered
from LanguageSegmentLib.findings_table import tableRows
from LanguageSegmentLib.focus import centreOf, jumpTo
from LanguageSegmentLib.watching import SceneWatch
from LMISCore.errors import LMISError


class Heard:
    """A watch over a scene and what it told."""

    def __init__(self, session: SlicerSession) -> None:
        self.changes = 0
        self.chosen: list[tuple[str, str]] = []
        self.watch = SceneWatch(session.scene, self._change, self._choose)

    def _change(self) -> None:
        self.changes += 1

    def _choose(self, node: Any, segmentId: str) -> None:
        self.chosen.append((node.GetID(), segmentId))


def test_the_slice_views_go_to_a_segment(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session, np.diag([1.0, 1, -1]))
    view = slicer_session.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    view.SetOrientationToAxial()
    row = tableRows(report)[0]
    assert row.segmentId is not None and jumpTo(segmentation, row.segmentId)
    centre = centreOf(segmentation, row.segmentId)
    assert centre is not None
    matrix = view.GetSliceToRAS()
    assert [matrix.GetElement(axis, 3) for axis in range(3)] == pytest.approx(centre)
    toIjk = vtk.vtkMatrix4x4()
    volume.GetRASToIJKMatrix(toIjk)
    i, j, k, _ = toIjk.MultiplyPoint((*centre, 1))
    assert slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, row.segmentId, volume)[round(k), round(j), round(i)]


def test_an_empty_segment_is_nowhere_to_go(slicer_session: SlicerSession) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    name = node.GetSegmentation().AddEmptySegment("empty")
    assert not jumpTo(node, name)


def test_a_changed_name_colour_or_visibility_is_noticed_until_the_watch_is_closed(
    slicer_session: SlicerSession,
) -> None:
    _report, segmentation, _volume = bound(slicer_session)
    heard = Heard(slicer_session)
    segment, name = segmentation.GetSegmentation().GetNthSegment(0), segmentation.GetSegmentation().GetNthSegmentID(0)
    segment.SetName("before")
    assert heard.changes == 0
    heard.watch.follow([segmentation])
    segment.SetName("other")
    assert heard.changes == 1
    segment.SetColor(0.1, 0.2, 0.3)
    assert heard.changes == 2
    segmentation.GetDisplayNode().SetSegmentVisibility(name, False)
    assert heard.changes == 3
    heard.watch.follow([])
    before = heard.changes
    segment.SetName("third")
    heard.watch.close()
    heard.watch.close()
    assert heard.changes == before


def test_a_segment_chosen_in_a_segment_editor_is_told_once(slicer_session: SlicerSession) -> None:
    _report, segmentation, _volume = bound(slicer_session)
    first, second = (segmentation.GetSegmentation().GetNthSegmentID(number) for number in range(2))
    early = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    heard = Heard(slicer_session)
    late = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    for editor in (early, late):
        editor.SetAndObserveSegmentationNode(segmentation)
        editor.SetSelectedSegmentID(first)
        editor.SetActiveEffectName("Paint")
        editor.SetSelectedSegmentID(second)
        editor.SetSelectedSegmentID("")
    assert heard.chosen == 2 * [(segmentation.GetID(), first), (segmentation.GetID(), second)]
    heard.watch.close()
    late.SetSelectedSegmentID(first)
    assert len(heard.chosen) == 4


class _Dialog:
    opened: list[Any]

    def setMRMLScene(self, scene: Any) -> None:
        self.scene = scene

    def execDialog(self, item: int) -> bool:
        type(self).opened.append((self.scene, item))
        return True


def test_the_segmentation_goes_to_dicom_beside_its_volume_where_that_is_offered(
    slicer_session: SlicerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    _report, segmentation, volume = bound(slicer_session)
    assert whyNotOffered() == "This Slicer has no DICOM export."
    _Dialog.opened = []
    monkeypatch.setattr(slicer, "qSlicerDICOMExportDialog", _Dialog, raising=False)
    monkeypatch.setattr(slicer, "modules", SimpleNamespace(dicomPlugins={}))
    assert "QuantitativeReporting" in whyNotOffered()
    slicer.modules.dicomPlugins["DICOMSegmentationPlugin"] = object
    assert whyNotOffered() == ""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer_session.scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, volume)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), segmentation)
    openDialog(segmentation, volume)
    assert _Dialog.opened == [(slicer_session.scene, item)] and hierarchy.GetItemParent(item) == study


class _Worker:
    """A worker whose one runner a test lets answer."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.closed = 0
        self.broken = False

    def runner(self) -> _Worker:
        return self

    def start(self, job: dict[str, Any], onMessage: Any) -> None:
        if self.broken:
            raise LMISError("The worker could not be started: no; reinstall.")
        self.jobs.append(job)
        self._onMessage = onMessage

    def poll(self) -> bool:
        if not self.answers:
            return True
        self._onMessage(self.answers.pop())
        return False

    def close(self) -> None:
        self.closed += 1


def test_a_device_is_tried_once_and_its_words_are_kept() -> None:
    worker = _Worker()
    probe = DeviceProbe(worker)  # type: ignore[arg-type]
    assert probe.line("auto") == "Not tried yet." and not probe.isRunning
    probe.ask("auto")
    probe.ask("auto")
    assert probe.poll() and probe.line("auto") == "Trying the device ..." and probe.line("cpu") == "Not tried yet."
    worker.answers = [{"type": "result", "device": {"name": "cpu", "reason": "cpu (2 threads), as asked."}}]
    assert not probe.poll() and probe.line("auto") == "Will use cpu (2 threads), as asked."
    probe.ask("auto")
    assert worker.jobs == [{"task": "probe", "device": "auto"}]
    probe.forget()
    probe.ask("auto")
    assert len(worker.jobs) == 2


def test_a_device_that_fails_says_so_in_its_sentence() -> None:
    worker = _Worker()
    probe = DeviceProbe(worker)  # type: ignore[arg-type]
    probe.ask("cuda")
    worker.answers = [{"type": "error", "kind": "bad_input", "message": "The device cuda does not run; choose cpu."}]
    assert not probe.poll() and probe.line("cuda") == "The device cuda does not run; choose cpu."
    worker.broken = True
    probe.ask("mps")
    assert not probe.isRunning and "could not be started" in probe.line("mps")


def test_another_device_takes_the_place_of_one_that_is_being_tried() -> None:
    worker = _Worker()
    probe = DeviceProbe(worker)  # type: ignore[arg-type]
    probe.ask("auto")
    before = worker.closed
    probe.ask("cpu")
    assert worker.closed == before + 1 and [job["device"] for job in worker.jobs] == ["auto", "cpu"]
