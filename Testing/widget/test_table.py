"""What a user does in the table and around it, with small weights and the worker in its own process."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from logic_makers import Material, load_volume
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from session import SlicerSession

from LanguageSegmentLib.table_text import SEGMENT, STATE, VOLUME

REPORT = "FINDINGS: Infection in the left lung. No infection in the right lung. Infection in the right lung."


@pytest.fixture
def ran(window: Any, slicer_session: SlicerSession, material: Material) -> Any:
    """The panel after a run over a small volume and a typed report."""
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type(REPORT)
    window.click("applyButton")
    window.wait_for_run()
    assert window.application.dialogs.errors == []
    return window


def test_a_typed_report_becomes_a_node_with_one_row_for_each_sentence(ran: Any, slicer_session: SlicerSession) -> None:
    (node,) = slicer_session.nodes("vtkMRMLTextNode")
    assert node.GetText() == REPORT and ran.reportSelector.currentNode() is node
    assert ran.cells(STATE) == ["affirmed", "negated", "affirmed"]
    assert [bool(text) for text in ran.cells(SEGMENT)] == [True, False, True]
    (segmentation,) = slicer_session.nodes("vtkMRMLSegmentationNode")
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 2
    volume = slicer_session.nodes("vtkMRMLScalarVolumeNode")[0]
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, ran.panel.table.rows[0].segmentId, volume)
    assert ran.cells(VOLUME)[0] == f"{mask.sum() * 0.7 * 1.1 * 2.5 / 1000:.1f}" != "0.0"


def test_a_click_on_a_row_shows_its_sentence_and_its_place(ran: Any) -> None:
    ran.choose(0)
    first = ran.application.sliceCentres()
    assert ran.reportEdit.textCursor().selectedText() == "Infection in the left lung."
    row = ran.panel.table.rows[0]
    assert np.allclose(first, [row.segmentationNode.GetSegmentCenterRAS(row.segmentId)] * 3, atol=1e-3)
    ran.choose(1)
    assert ran.reportEdit.textCursor().selectedText() == "No infection in the right lung."
    assert ran.application.sliceCentres() == first


def test_a_segment_chosen_in_the_segment_editor_chooses_its_row(ran: Any, slicer_session: SlicerSession) -> None:
    row = ran.panel.table.rows[2]
    editor = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor.SetAndObserveSegmentationNode(row.segmentationNode)
    editor.SetSelectedSegmentID(row.segmentId)
    assert ran.panel.table.chosen.key == row.key and ran.findingsTable.currentRow() == 2
    assert ran.reportEdit.textCursor().selectedText() == row.sentence.text


def test_a_segment_under_the_crosshair_chooses_its_row(ran: Any, slicer_session: SlicerSession) -> None:
    rows = ran.panel.table.rows
    crosshair = slicer_session.scene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    rows[0].segmentationNode.GetDisplayNode().SetSegmentVisibility(rows[0].segmentId, False)
    crosshair.SetCrosshairRAS(*rows[2].segmentationNode.GetSegmentCenterRAS(rows[2].segmentId))
    assert ran.panel.table.chosen.key == rows[2].key
    ran.choose(1)
    crosshair.SetCrosshairRAS(9e3, 9e3, 9e3)
    assert ran.panel.table.chosen.key == rows[1].key
    rows[2].segmentationNode.GetDisplayNode().SetVisibility(False)
    crosshair.SetCrosshairRAS(*rows[2].segmentationNode.GetSegmentCenterRAS(rows[2].segmentId))
    assert ran.panel.table.chosen.key == rows[1].key


def test_a_negated_sentence_can_be_forced_and_stays_so_when_run_again(ran: Any) -> None:
    ran.choose(0)
    assert not ran.forceButton.isEnabled() and "negated" in ran.forceButton.toolTip()
    ran.choose(1)
    ran.click("forceButton")
    ran.wait_for_run()
    assert ran.cells(STATE)[1] == "negated (forced)" and ran.cells(SEGMENT)[1]
    ran.choose(1)
    ran.click("rerunButton")
    ran.wait_for_run()
    assert ran.cells(STATE)[1] == "negated (forced)" and ran.cells(SEGMENT)[1]


def test_a_box_that_is_unticked_hides_one_segment(ran: Any) -> None:
    row = ran.panel.table.rows[0]
    display = row.segmentationNode.GetDisplayNode()
    ran.tick(0)
    assert not display.GetSegmentVisibility(row.segmentId)
    assert display.GetSegmentVisibility(ran.panel.table.rows[2].segmentId)
    ran.tick(0)
    assert display.GetSegmentVisibility(row.segmentId)


def test_an_empty_sentence_is_refused_in_words(ran: Any) -> None:
    ran.edit(0, " ")
    assert "cannot be empty" in ran.statusLabel.text()
    assert ran.cells()[0] == "Infection in the left lung."


def test_a_sentence_edited_into_two_gets_another_row(ran: Any) -> None:
    ran.edit(0, "Infection in the left lung. Effusion in the left lung.")
    assert len(ran.cells()) == 4 and ran.cells()[1] == "Effusion in the left lung."
    assert ran.cells(STATE) == ["affirmed", "not run", "negated", "affirmed"]


def test_a_sentence_added_in_the_report_gets_a_row_that_was_not_run(ran: Any) -> None:
    ran.reportEdit.setFocus()
    QTest.keyClick(ran.reportEdit, QtCore.Qt.Key.Key_End, QtCore.Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(ran.reportEdit, " Effusion on the left.")
    ran.wait(lambda: ran.findingsTable.rowCount() == 4)
    assert ran.cells(STATE) == ["affirmed", "negated", "affirmed", "not run"]


def test_the_threshold_slider_cuts_again_without_the_network_and_can_be_undone(ran: Any, worker: Any) -> None:
    jobs, before = len(worker.jobs), ran.cells(VOLUME)
    ran.unfold(ran.thresholdSlider)
    assert ran.thresholdSlider.isEnabled(), ran.thresholdSlider.toolTip()
    box = ran.thresholdSlider.findChild(QtWidgets.QDoubleSpinBox)
    box.setFocus()
    for _ in range(60):
        QTest.keyClick(box, QtCore.Qt.Key.Key_Down)
    ran.wait(lambda: ran.cells(VOLUME) != before)
    QTest.qWait(150)
    whole = 6 * 14 * 18 * 0.7 * 1.1 * 2.5 / 1000
    assert ran.cells(VOLUME) == [f"{whole:.1f}", "", f"{whole:.1f}"]
    assert len(worker.jobs) == jobs
    ran.click("stepBackButton")
    assert ran.cells(VOLUME) == before


def test_the_threshold_of_the_chosen_sentence_leaves_the_others(ran: Any) -> None:
    before = ran.cells(VOLUME)
    ran.click("thresholdChosenCheckBox")
    assert not ran.thresholdSlider.isEnabled() and "Choose a sentence" in ran.thresholdSlider.toolTip()
    ran.choose(2)
    box = ran.thresholdSlider.findChild(QtWidgets.QDoubleSpinBox)
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "0.05")
    QTest.keyClick(box, QtCore.Qt.Key.Key_Return)
    ran.wait(lambda: ran.cells(VOLUME)[2] != before[2])
    assert ran.cells(VOLUME)[0] == before[0]


def test_a_map_is_shown_with_its_legend_and_its_opacity_follows(ran: Any, slicer_session: SlicerSession) -> None:
    ran.choose(0)
    ran.click("explainButton")
    ran.wait_for_run()
    ran.wait(lambda: not ran.panel.maps.isLoading)
    composite = ran.application.sliceLogics[0].GetSliceCompositeNode()
    assert slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID()).GetName() == "Explanation: probability"
    first = ran.legendLabel.text()
    ran.unfold(ran.opacitySlider)
    ran.opacitySlider.findChild(QtWidgets.QDoubleSpinBox).setValue(0.25)
    assert composite.GetForegroundOpacity() == pytest.approx(0.25)
    ran.mapComboBox.setFocus()
    QTest.keyClick(ran.mapComboBox, QtCore.Qt.Key.Key_Down)
    ran.wait(lambda: not ran.panel.maps.isLoading)
    assert ran.legendLabel.text() != first
    assert len(slicer_session.nodes("vtkMRMLScalarVolumeNode")) == 2
    ran.click("hideMapButton")
    assert len(slicer_session.nodes("vtkMRMLScalarVolumeNode")) == 1


def test_the_table_is_saved_as_csv(ran: Any, tmp_path: Path) -> None:
    ran.application.dialogs.paths.append(str(tmp_path / "Befunde ü.csv"))
    ran.click("csvButton")
    with (tmp_path / "Befunde ü.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["sentence"] for row in rows] == ran.cells()
    assert [row["state"] for row in rows] == ["affirmed", "negated", "affirmed"]
    assert "Befunde ü.csv" in ran.statusLabel.text()
    ran.application.dialogs.paths.append("")
    ran.click("csvButton")
    assert ran.application.dialogs.asked[1][1] == str(tmp_path / "findings.csv")


def test_command_and_diagnosis_are_copied(ran: Any, material: Material) -> None:
    clipboard = QtWidgets.QApplication.clipboard()
    ran.click("commandButton")
    assert clipboard.text().startswith("lmis segment") or "lmis segment" in clipboard.text()
    assert str(material.volume("oblique")) in clipboard.text() and "Infection in the left lung." in clipboard.text()
    ran.click("diagnosisButton")
    assert "Infection" not in clipboard.text() and "torch" in clipboard.text()


def test_the_command_names_the_folder_of_a_series_and_tells_of_unsaved_changes(ran: Any, material: Material) -> None:
    volume = ran.volumeSelector.currentNode()
    storage = volume.GetStorageNode()
    slicer.util.arrayFromVolumeModified(volume)
    clipboard = QtWidgets.QApplication.clipboard()
    ran.click("commandButton")
    assert "save the volume first" in ran.statusLabel.text()
    storage.AddFileName(str(material.volume("oblique")))
    storage.AddFileName(str(material.volume("left-handed")))
    ran.click("commandButton")
    assert f"lmis segment {material.folder} " in clipboard.text()


def test_the_slider_leaves_the_segments_of_another_report(ran: Any) -> None:
    first = ran.panel.state.reportNode
    before = ran.cells(VOLUME)
    other = ran.module.logic.createReportNode("FINDINGS: Infection in the right lung.")
    ran.panel.take(None, other)
    assert not ran.thresholdSlider.isEnabled() and "Run the report first" in ran.thresholdSlider.toolTip()
    ran.click("applyButton")
    ran.wait_for_run()
    assert ran.thresholdSlider.isEnabled()
    ran.unfold(ran.thresholdSlider)
    ran.thresholdSlider.findChild(QtWidgets.QDoubleSpinBox).setValue(0.05)
    ran.wait(lambda: ran.panel.state.kept.threshold() == 0.05 and not ran.panel.threshold.isCutting)
    ran.panel.take(None, first)
    assert ran.cells(VOLUME) == before and not ran.thresholdSlider.isEnabled()


def test_dicom_export_is_offered_where_slicer_has_it(ran: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ran.dicomButton.isEnabled() and "DICOM" in ran.dicomButton.toolTip()
    ran.application.offer_dicom(monkeypatch)
    ran.panel.refresh()
    ran.click("dicomButton")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert ran.application.dialogs.exported == [hierarchy.GetItemByDataNode(ran.panel.table.rows[0].segmentationNode)]


def test_a_report_is_loaded_from_a_file(window: Any, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("Infection in the left lung.", encoding="utf-8")
    window.application.dialogs.paths.append(str(tmp_path / "report.txt"))
    window.click("loadReportButton")
    assert window.reportEdit.toPlainText() == "Infection in the left lung."
    assert window.cells(STATE) == ["not run"]
    assert window.application.dialogs.asked == [("Load a report", "", "Reports (*.txt *.json *.dcm);;All files (*)")]
