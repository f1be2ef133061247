"""Settings, keys and tool tips of the panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from logic_makers import Material, load_volume
from panel_makers import ScriptedProcess
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from session import SlicerSession

from LanguageSegmentLib.serving import ServingWorker

Key, Modifier = QtCore.Qt.Key, QtCore.Qt.KeyboardModifier


def pick(combo: Any, number: int) -> None:
    """Choose an entry by the keyboard."""
    combo.setFocus()
    for _ in range(abs(number - combo.currentIndex())):
        QTest.keyClick(combo, Key.Key_Down if number > combo.currentIndex() else Key.Key_Up)


@pytest.fixture
def idle(open_window: Callable[..., Any]) -> Callable[..., Any]:
    """Opens the panel with the bundled weights and a worker that never computes."""
    return lambda **options: open_window(ServingWorker(lambda: ScriptedProcess([None, None])), None, **options)


def test_settings_are_there_when_the_panel_is_opened_again_and_reset_puts_them_back(idle: Callable[..., Any]) -> None:
    window = idle()
    window.unfold(window.intensityComboBox)
    pick(window.intensityComboBox, 2)
    window.click("onePerFieldCheckBox")
    window.click("replaceEditedCheckBox")
    window.unfold(window.opacitySlider)
    window.opacitySlider.findChild(QtWidgets.QDoubleSpinBox).setValue(0.3)
    window.close()
    again = idle()
    assert again.intensityComboBox.currentText() == "Picture" and again.onePerFieldCheckBox.isChecked()
    assert again.replaceEditedCheckBox.isChecked() and again.opacitySlider.value == pytest.approx(0.3)
    again.click("resetButton")
    assert again.intensityComboBox.currentText() == "Automatic" and not again.onePerFieldCheckBox.isChecked()
    assert again.deviceComboBox.currentText() == "Automatic" and again.opacitySlider.value == pytest.approx(0.5)
    assert QtCore.QSettings().allKeys() == []


def test_other_weights_that_are_none_are_told_beside_them_and_switch_apply_off(idle: Callable[..., Any]) -> None:
    window = idle()
    assert "TIRNet" in window.cardLabel.text() or "tirnet" in window.cardLabel.text().lower()
    assert len(window.cardLabel.text().splitlines()) == 2
    window.unfold(window.checkpointComboBox)
    pick(window.checkpointComboBox, 1)
    assert window.checkpointPathLineEdit.isVisible()
    assert "Choose the folder or file" in window.cardLabel.text()
    QTest.keyClicks(window.checkpointPathLineEdit.findChild(QtWidgets.QLineEdit), "/nowhere")
    assert "/nowhere" in window.cardLabel.text()
    window.type("Infection in the left lung.")
    assert not window.applyButton.isEnabled() and "/nowhere" in window.applyButton.toolTip()


def test_tool_tips_say_what_is_missing(
    idle: Callable[..., Any], slicer_session: SlicerSession, material: Material
) -> None:
    window = idle()
    assert not window.applyButton.isEnabled()
    assert window.applyButton.toolTip().splitlines()[1:] == ["Choose a volume.", "Type, paste or load the report."]
    for name in ("rerunButton", "forceButton", "explainButton", "stepBackButton", "csvButton", "dicomButton"):
        assert not getattr(window, name).isEnabled() and getattr(window, name).toolTip().endswith("."), name
    window.type("Infection.")
    assert window.applyButton.toolTip().splitlines()[1:] == ["Choose a volume."]
    load_volume(slicer_session, material.volume("oblique"))
    pick(window.volumeSelector.findChild(QtWidgets.QComboBox), 1)
    assert window.applyButton.isEnabled() and "Ctrl+Enter" in window.applyButton.toolTip()


def test_every_button_box_and_list_has_a_tool_tip(idle: Callable[..., Any]) -> None:
    window = idle()
    kinds = (QtWidgets.QPushButton, QtWidgets.QCheckBox, QtWidgets.QComboBox, QtWidgets.QTextEdit)
    named = [each for kind in kinds for each in window.place.findChildren(kind) if each.objectName()]
    without = [each.objectName() for each in named if not each.toolTip() and not each.objectName().startswith("qt_")]
    assert len(named) > 20 and without == []


@pytest.mark.parametrize("key", [Key.Key_Return, Key.Key_Enter])
def test_ctrl_enter_runs_but_never_cancels(
    idle: Callable[..., Any], slicer_session: SlicerSession, material: Material, key: Any
) -> None:
    window = idle()
    QTest.keyClick(window.reportEdit, key, Modifier.ControlModifier)
    assert not window.panel.runs.isBusy
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.area.activateWindow()
    window.type("Infection.")
    QTest.keyClick(window.reportEdit, key, Modifier.ControlModifier)
    window.wait(lambda: window.panel.runs.isBusy, 5)
    QTest.keyClick(window.reportEdit, key, Modifier.ControlModifier)
    assert window.panel.runs.isBusy and not window.panel.runs.queue.isCancelling
    assert window.reportEdit.toPlainText() == "Infection."


def test_the_device_line_says_what_the_worker_tried(idle: Callable[..., Any]) -> None:
    window = idle()
    window.wait(lambda: window.deviceLabel.text() == "Will use the processor (CPU)", 5)
