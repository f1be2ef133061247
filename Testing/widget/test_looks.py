"""How the panel looks: nothing is cut off in a narrow panel, with large letters, or in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from logic_makers import Material, load_volume
from looks import clipped, contrast, dark_palette
from panel_makers import ScriptedProcess
from PySide6 import QtGui, QtWidgets
from PySide6.QtTest import QTest
from session import SlicerSession

from LanguageSegmentLib.serving import ServingWorker

NARROW = 420


@pytest.fixture
def letters() -> Iterator[Callable[[float], None]]:
    """Makes all letters larger, and puts them back."""
    application = QtWidgets.QApplication.instance()
    assert isinstance(application, QtWidgets.QApplication)
    before = application.font()

    def scale(factor: float) -> None:
        font = QtGui.QFont(before)
        font.setPointSizeF(before.pointSizeF() * factor)
        application.setFont(font)

    yield scale
    application.setFont(before)


@pytest.fixture
def shown(open_window: Callable[..., Any], slicer_session: SlicerSession, material: Material) -> Callable[[int], Any]:
    """Opens the panel at a width with a volume and a report, all its sections open."""

    def make(width: int) -> Any:
        load_volume(slicer_session, material.volume("oblique"))
        window = open_window(ServingWorker(lambda: ScriptedProcess([None])), None, width=width)
        window.type("Infection in the left lung. No effusion.")
        for name in ("advanced", "threshold", "explanation", "export", "weights"):
            window.unfold(getattr(window, f"{name}CollapsibleButton").findChild(QtWidgets.QWidget))
        QTest.qWait(5)
        return window

    return make


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_at_420_pixels_of_any_scaling_nothing_is_cut_off(
    shown: Callable[[int], Any], letters: Callable[[float], None], scale: float
) -> None:
    letters(scale)
    window = shown(round(NARROW * scale))
    assert window.place.minimumSizeHint().width() <= window.area.viewport().width()
    assert clipped(window.place) == []


def test_the_check_for_cut_off_words_finds_some() -> None:
    label = QtWidgets.QLabel("Words that need more room than they get")
    label.resize(30, 10)
    label.show()
    assert clipped(label) == ["QLabel : Words that need more room than they get"]


def test_in_the_dark_all_words_stand_out(shown: Callable[[int], Any]) -> None:
    application = QtWidgets.QApplication.instance()
    assert isinstance(application, QtWidgets.QApplication)
    before = application.palette()
    application.setPalette(dark_palette())
    try:
        window = shown(NARROW)
        pictures = {
            name: getattr(window, name).grab().toImage() for name in ("applyButton", "deviceLabel", "reportEdit")
        }
        assert all(contrast(picture) > 4.5 for picture in pictures.values())
        assert pictures["reportEdit"].pixelColor(20, 90).lightness() < 80
        assert not any(each.styleSheet() for each in window.place.findChildren(QtWidgets.QWidget))
    finally:
        application.setPalette(before)
