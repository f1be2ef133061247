"""The stand-ins themselves: they refuse what PythonQt does not have, and no exception or warning passes unseen."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import vtk
from faults import Faults
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from python_qt import PythonQt
from session import SlicerSession
from stand_in_selector import qMRMLNodeComboBox
from stand_in_widgets import ctkCollapsibleButton, ctkSliderWidget


def said(faults: Faults) -> list[str]:
    """The faults so far, which no longer count."""
    found, faults.found = faults.found, []
    return found


def test_properties_are_attributes_and_slots_are_called(python_qt: PythonQt, faults: Faults) -> None:
    label = python_qt.wrap(QtWidgets.QLabel("before"))
    assert label.text == "before"
    label.text = "after"
    assert label.text == "after"
    label.setText("by the slot")
    label.name = "called"
    assert label.text == "by the slot" and label.objectName == "called" and label.className() == "QLabel"


@pytest.mark.parametrize(
    "use",
    [
        lambda label: label.text(),
        lambda label: label.setBuddyWidget,
        lambda label: setattr(label, "mine", 1),
        lambda label: setattr(label, "sizeHint", 1),
        lambda label: setattr(label, "indent", "no number"),
        lambda label: label.connect("clicked(bool)", print),
    ],
    ids=["call of a property", "unknown method", "own attribute", "read only", "wrong kind", "no such signal"],
)
def test_what_pythonqt_refuses_is_refused(python_qt: PythonQt, faults: Faults, use: Callable[[Any], Any]) -> None:
    label = python_qt.wrap(QtWidgets.QLabel("text"))
    with pytest.raises((AttributeError, TypeError)):
        use(label)
    said(faults)


def test_names_of_qt_that_are_not_listed_are_refused(python_qt: PythonQt, faults: Faults) -> None:
    module = python_qt.module()
    for where, name in ((module, "QDial"), (module.QTimer, "singleShot"), (module.Qt, "Key_F1")):
        with pytest.raises(AttributeError, match="not listed"):
            getattr(where, name)
    assert len(said(faults)) == 3


def test_slots_get_as_many_values_as_they_take_until_they_are_disconnected(python_qt: PythonQt, faults: Faults) -> None:
    button, got = QtWidgets.QPushButton(), []
    proxy = python_qt.wrap(button)

    def none() -> None:
        got.append("none")

    proxy.connect("clicked(bool)", none)
    proxy.connect("clicked(bool)", lambda checked: got.append(checked))
    button.click()
    proxy.disconnect("clicked(bool)", none)
    button.click()
    assert got == ["none", False, False]


def test_exceptions_in_slots_observers_and_warnings_are_faults(python_qt: PythonQt, faults: Faults) -> None:
    button = QtWidgets.QPushButton()

    def fail(*values: Any) -> None:
        raise ValueError("swallowed")

    python_qt.wrap(button).connect("clicked(bool)", fail)
    button.click()
    watched = vtk.vtkObject()
    watched.AddObserver("ModifiedEvent", fail)
    watched.Modified()
    sys.excepthook(ValueError, ValueError("printed"), None)
    QtCore.qWarning("a warning of Qt")
    logging.getLogger("anything").error("an error in the log")
    vtk.vtkOutputWindow.GetInstance().DisplayWarningText("a warning of VTK")
    found = said(faults)
    for part, number in (
        ("raised in a slot", 1),
        ("swallowed", 2),
        ("printed only", 2),
        ("Qt says", 1),
        ("an error in the log", 1),
        ("VTK says", 1),
    ):
        assert sum(part in each for each in found) == number, (part, found)
    faults.add("one more")
    with pytest.raises(AssertionError, match="one more"):
        faults.check()


def test_a_child_shown_in_a_closed_section_waits_until_it_is_opened(faults: Faults) -> None:
    section = ctkCollapsibleButton()
    layout = QtWidgets.QVBoxLayout(section)
    first, second = QtWidgets.QLabel("first"), QtWidgets.QLabel("second")
    for label in (first, second):
        layout.addWidget(label)
    section.show()
    high = section.sizeHint().height()
    second.hide()
    section.setProperty("collapsed", True)
    assert not first.isVisible() and section.sizeHint().height() < high and not section.isChecked()
    first.setVisible(True)
    assert not first.isVisible()
    QTest.mouseClick(section, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(20, 5))
    assert first.isVisible() and not second.isVisible() and not section.property("collapsed")


def test_the_slider_takes_decimals_and_tells_once(faults: Faults) -> None:
    got: list[float] = []
    slider = ctkSliderWidget()
    slider.setProperty("minimum", 0.05)
    slider.setProperty("maximum", 0.95)
    slider.setProperty("decimals", 2)
    slider.valueChanged.connect(got.append)
    slider.setProperty("value", 0.5)
    (inner,) = slider.findChildren(QtWidgets.QSlider)
    inner.setValue(700)
    assert got == [0.5, 0.7] and slider.property("value") == pytest.approx(0.7)


def test_the_selector_follows_the_scene(faults: Faults, slicer_session: SlicerSession) -> None:
    got: list[Any] = []
    selector = qMRMLNodeComboBox()
    selector.setProperty("nodeTypes", ["vtkMRMLTextNode"])
    selector.addAttribute("vtkMRMLTextNode", "Marked")
    selector.currentNodeChanged.connect(got.append)
    scene = slicer_session.scene
    selector.setMRMLScene(scene)
    plain = scene.AddNewNodeByClass("vtkMRMLTextNode", "plain")
    marked = scene.AddNewNodeByClass("vtkMRMLTextNode", "marked")
    marked.SetAttribute("Marked", "1")
    selector.setCurrentNode(plain)
    assert selector.currentNode() is None and got == []
    selector.setCurrentNode(marked)
    assert selector.currentNode() is marked and got == [marked]
    scene.RemoveNode(marked)
    assert selector.currentNode() is None and got == [marked, None]
    selector.setMRMLScene(None)
