"""The whole way by mouse and keyboard with the bundled case and the worker in its own process.

Small weights go all of it, as a user would go back and forth; the bundled weights go it once from the sample to a scene
that is saved and loaded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from panel_makers import KeptWorker
from PySide6 import QtWidgets
from session import SlicerSession

from LanguageSegmentLib.findings_table import TableRow
from LanguageSegmentLib.qt_process import QtProcess
from LanguageSegmentLib.table_text import SEGMENT, STATE


@pytest.fixture
def bundled_worker(python_qt: Any) -> Iterator[KeptWorker]:
    made = KeptWorker(QtProcess, None)
    yield made
    made.end()


def test_the_bundled_weights_segment_the_sample_and_the_table_survives_saving(
    open_window: Callable[..., Any], bundled_worker: KeptWorker, slicer_session: SlicerSession, tmp_path: Path
) -> None:
    window = open_window(bundled_worker, checkpoint=None)
    assert not window.applyButton.isEnabled() and window.findingsTable.rowCount() == 0

    window.click("sampleButton")
    assert window.volumeSelector.currentNode().GetName() == "Chest CT"
    assert "Pulmonary infection" in window.reportEdit.toPlainText()
    assert set(window.cells(STATE)) == {"not run"}

    thin_out(window, 12)
    window.click("applyButton")
    assert window.applyButton.text() == "Cancel" and window.progressBar.isVisible()
    stages = set()

    def ended() -> bool:
        stages.add(window.statusLabel.text())
        return not window.panel.runs.isBusy

    window.wait(ended)
    assert any(text.startswith("Segmenting") for text in stages), stages
    assert window.applyButton.text() == "Apply" and not window.progressBar.isVisible()

    rows: list[TableRow] = window.panel.table.rows
    assert {"affirmed", "negated"} <= {row.state for row in rows}, window.cells(STATE)
    affirmed = next(number for number, row in enumerate(rows) if row.state == "affirmed" and row.segmentId)
    assert all(row.segmentId is None for row in rows if row.state == "negated")
    assert rows[affirmed].volumeMl and rows[affirmed].presence and rows[affirmed].nominal
    assert window.application.dialogs.errors == []

    saved_and_loaded(window, slicer_session, tmp_path / "scene.mrb")
    assert window.cells(SEGMENT)[affirmed]


def test_the_whole_way_from_the_sample_over_every_button_to_a_scene_that_is_loaded_again(
    window: Any, slicer_session: SlicerSession, tmp_path: Path
) -> None:
    window.click("sampleButton")
    thin_out(window)
    window.click("applyButton")
    window.wait_for_run()
    rows: list[TableRow] = window.panel.table.rows
    affirmed = next(number for number, row in enumerate(rows) if row.state == "affirmed" and row.segmentId)

    # row -> views and text
    node, segmentId = rows[affirmed].segmentationNode, rows[affirmed].segmentId
    window.choose(affirmed)
    assert np.allclose(window.application.sliceCentres(), [node.GetSegmentCenterRAS(segmentId)] * 3, atol=1e-3)
    assert window.reportEdit.textCursor().selectedText() == rows[affirmed].sentence.text

    # another sentence in its place: stale until it is run again
    window.edit(affirmed, "Pulmonary infection in the right lung.")
    assert window.panel.table.rows[affirmed].state == "stale" and node.GetSegmentation().GetSegment(segmentId)
    assert "Pulmonary infection in the right lung." in window.reportEdit.toPlainText()
    before = mask_of(window, affirmed)
    window.click("rerunButton")
    window.wait_for_run()
    assert window.panel.table.rows[affirmed].state == "affirmed"
    after = mask_of(window, affirmed)
    assert not np.array_equal(before, after)

    # back to the mask before
    window.click("stepBackButton")
    assert np.array_equal(mask_of(window, affirmed), before)

    # what the network saw
    window.choose(affirmed)
    window.click("explainButton")
    window.wait_for_run()
    assert window.mapComboBox.count() > 1
    window.wait(lambda: not window.panel.maps.isLoading)
    assert window.hideMapButton.isEnabled()
    assert "Blue is" in window.legendLabel.text()
    composite = window.application.sliceLogics[0].GetSliceCompositeNode()
    shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
    assert shown.GetImageData().GetDimensions() == window.volumeSelector.currentNode().GetImageData().GetDimensions()
    window.click("hideMapButton")
    assert composite.GetForegroundVolumeID() is None

    # another threshold, and a run that is cancelled
    whole = mask_of(window, affirmed)
    window.unfold(window.thresholdSlider)
    window.thresholdSlider.findChild(QtWidgets.QDoubleSpinBox).setValue(0.05)
    window.wait(lambda: not np.array_equal(mask_of(window, affirmed), whole))
    cut = mask_of(window, affirmed)
    window.click("applyButton")
    window.click("applyButton")
    window.wait_for_run()
    assert "Cancelled" in window.statusLabel.text() and np.array_equal(mask_of(window, affirmed), cut)

    saved_and_loaded(window, slicer_session, tmp_path / "scene.mrb")
    assert np.array_equal(mask_of(window, affirmed), cut)


def thin_out(window: Any, step: int = 6) -> None:
    """Leave some slices of the volume, which shortens the run as much."""
    volume = window.volumeSelector.currentNode()
    slicer.util.updateVolumeFromArray(volume, slicer.util.arrayFromVolume(volume)[3::step].copy())


def saved_and_loaded(window: Any, session: SlicerSession, path: Path) -> None:
    """Save the scene, close it, load it again: the table must be the same."""
    cells = [window.cells(column) for column in range(6)]
    session.save(path)
    session.scene.Clear(False)
    window.wait(lambda: window.findingsTable.rowCount() == 0)
    session.load(path)
    # The module stays open meanwhile.
    window.wait(lambda: window.findingsTable.rowCount() > 0, 5)
    assert [window.cells(column) for column in range(6)] == cells


def mask_of(window: Any, number: int) -> np.ndarray:
    """The mask of a row's segment on the volume's grid."""
    row = window.panel.table.rows[number]
    mask: np.ndarray = slicer.util.arrayFromSegmentBinaryLabelmap(
        row.segmentationNode, row.segmentId, window.volumeSelector.currentNode()
    )
    return mask.copy()
