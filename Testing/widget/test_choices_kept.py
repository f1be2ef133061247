"""What the panel keeps of earlier choices: the slider's threshold for one sentence, a text node that a script gave."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from logic_makers import Material, load_volume
from PySide6 import QtWidgets
from session import SlicerSession

from LanguageSegmentLib.binding import isReportNode
from LanguageSegmentLib.table_text import STATE, VOLUME

REPORT = "Infection in the left lung. Infection in the right lung."


@pytest.fixture
def filled(window: Any, slicer_session: SlicerSession, material: Material) -> Any:
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    return window


def test_a_sentence_run_again_is_cut_as_the_slider_has_cut_the_others(filled: Any, worker: Any) -> None:
    filled.type(REPORT)
    filled.click("applyButton")
    filled.wait_for_run()
    before = filled.cells(VOLUME)
    filled.unfold(filled.thresholdSlider)
    filled.thresholdSlider.findChild(QtWidgets.QDoubleSpinBox).setValue(0.1)
    filled.wait(lambda: filled.cells(VOLUME) != before)
    cut = filled.cells(VOLUME)
    filled.choose(1)
    filled.click("rerunButton")
    filled.wait_for_run()
    assert filled.cells(VOLUME) == cut and worker.jobs[-1]["threshold"] == pytest.approx(0.1)
    filled.click("applyButton")
    filled.wait_for_run()
    assert filled.cells(VOLUME) == before


def test_a_text_node_that_a_script_chose_becomes_the_report(filled: Any, slicer_session: SlicerSession) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLTextNode", "typed elsewhere")
    node.SetText(REPORT)
    filled.module.logic.getParameterNode().reportNode = node
    filled.wait(lambda: filled.reportEdit.toPlainText() == REPORT)
    assert isReportNode(node) and filled.reportSelector.currentNode() is node
    assert filled.cells(STATE) == ["not run", "not run"]
    node.SetText("No infection.")
    filled.wait(lambda: filled.reportEdit.toPlainText() == "No infection.")
    assert filled.cells() == ["No infection."]


def test_opening_the_module_again_keeps_no_old_parameter_node(window: Any) -> None:
    kind = type(window.module._parameterNode)
    for _ in range(3):
        window.enter()
    gc.collect()
    assert sum(type(each) is kind for each in gc.get_objects()) == 1
