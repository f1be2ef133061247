"""The section "Batch": volumes put into the table with their reports, run in one go, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logic_makers import Material, load_volume
from session import SlicerSession

REPORTS = ("Infection in the left lung.", "Infection in the right lung. No effusion.")


def fill(window: Any, session: SlicerSession, material: Material) -> list[Any]:
    """Two volumes with a report each, put into the table as a user does it."""
    volumes = []
    for position, report in zip(("axis-aligned", "oblique"), REPORTS, strict=True):
        volumes.append(load_volume(session, material.volume(position)))
        window.volumeSelector.setCurrentNode(volumes[-1])
        window.reportSelector.setCurrentNode(None)
        window.type(report)
        window.wait(lambda: window.batchAddButton.isEnabled())
        window.click("batchAddButton")
    return volumes


def cells(window: Any, column: int) -> list[str]:
    table = window.batchTable
    return [table.item(row, column).text() for row in range(table.rowCount())]


def test_volumes_with_their_reports_are_run_in_one_go(
    window: Any, slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    assert not window.batchRunButton.isEnabled() and not window.batchAddButton.isEnabled()
    volumes = fill(window, slicer_session, material)
    assert cells(window, 0) == [volume.GetName() for volume in volumes] and cells(window, 2) == ["", ""]
    window.batchPathLineEdit.setCurrentPath(str(tmp_path / "batch"))
    window.click("batchRunButton")
    assert window.applyButton.text() == "Cancel" and not window.batchAddButton.isEnabled()
    window.wait_for_run()
    assert cells(window, 2) == ["1 segments", "1 segments"]
    assert window.statusLabel.text() == "2 of 2 volumes are done."
    nodes = slicer_session.scene.GetNodesByClass("vtkMRMLSegmentationNode")
    assert nodes.GetNumberOfItems() == 2
    assert (tmp_path / "batch" / "results" / "results.csv").is_file()
    assert window.application.dialogs.errors == []
    # The volume above is the last one: its findings are in the table of findings.
    assert [row.segmentId is not None for row in window.panel.table.rows] == [True, False]
    window.click("stepBackButton")
    assert [row.segmentId for row in window.panel.table.rows] == [None, None]


def test_a_row_is_taken_out_and_the_table_goes_with_its_scene(
    window: Any, slicer_session: SlicerSession, material: Material
) -> None:
    fill(window, slicer_session, material)
    assert not window.batchRemoveButton.isEnabled()
    window.batchTable.selectRow(0)
    window.click("batchRemoveButton")
    assert cells(window, 0) == ["oblique"]
    slicer_session.scene.Clear(0)
    window.wait(lambda: not cells(window, 0))
    assert not window.batchRunButton.isEnabled()


def test_what_stops_a_run_is_told(
    window: Any, slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    fill(window, slicer_session, material)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    window.batchPathLineEdit.setCurrentPath(str(tmp_path / "file"))
    window.click("batchRunButton")
    window.wait_for_run()
    assert str(tmp_path / "file") in window.statusLabel.text() and cells(window, 2) == ["", ""]
    assert len(window.application.dialogs.errors) == 1
    window.application.dialogs.errors.clear()
