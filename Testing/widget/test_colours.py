"""The report on the screen: coloured by what its words say and what was found, explained where one points at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from logic_makers import Material, load_volume
from panel_makers import ScriptedProcess
from PySide6 import QtCore, QtGui, QtTest, QtWidgets
from session import SlicerSession

from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.table_text import STATE
from LMISCore.text.report_view import COLOURS

REPORT = (
    "FINDINGS: Infection in the left lung. No effusion on the right. Possible infection of the right lung.\n"
    "Status post pneumonia in 2019. The heart is normal."
)


@pytest.fixture
def shown(open_window: Callable[..., Any], slicer_session: SlicerSession, material: Material) -> Any:
    """The panel with a typed report, nothing run."""
    load_volume(slicer_session, material.volume("oblique"))
    window = open_window(ServingWorker(lambda: ScriptedProcess([None])), None)
    window.type(REPORT.replace("\n", " "))
    window.wait(lambda: colour(window, "Infection") is not None)
    return window


def form(window: Any, words: str) -> QtGui.QTextCharFormat:
    """How the first letter of some words is shown."""
    edit = window.reportEdit
    cursor = edit.textCursor()
    text = edit.toPlainText()
    # Qt counts an emoji twice; the format is that of the letter before the cursor.
    cursor.setPosition(len(text[: text.index(words)].encode("utf-16-le")) // 2 + 1)
    return QtGui.QTextCharFormat(cursor.charFormat())


def colour(window: Any, words: str) -> tuple[int, ...] | None:
    brush = form(window, words).background()
    if brush.style() == QtCore.Qt.BrushStyle.NoBrush:
        return None
    found = brush.color()
    return found.red(), found.green(), found.blue()


def test_what_the_words_say_has_its_colour_before_a_run(shown: Any) -> None:
    assert colour(shown, "Infection") == COLOURS["affirmed"]
    assert colour(shown, "effusion") == COLOURS["negated"]
    assert colour(shown, "infection of the right") == COLOURS["uncertain"]
    assert colour(shown, "pneumonia in 2019") == COLOURS["historical"]
    assert colour(shown, "heart is normal") == COLOURS["normal"]
    assert colour(shown, "FINDINGS") is None and colour(shown, " in the left") is None


def test_pointing_at_coloured_words_explains_them(shown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(QtWidgets.QToolTip, "showText", lambda *values: said.append(values[1]))
    assert 'by "No"' in form(shown, "effusion").toolTip()
    edit = shown.reportEdit
    cursor = edit.textCursor()
    cursor.setPosition(edit.toPlainText().index("effusion") + 2)
    place = edit.cursorRect(cursor).center()
    # Qt's own text control shows the tool tip of the letters under the mouse.
    assert edit.cursorForPosition(place).charFormat().toolTip() == form(shown, "effusion").toolTip()


def test_new_words_are_coloured_anew_and_the_old_colours_go(shown: Any) -> None:
    edit = shown.reportEdit
    cursor = edit.textCursor()
    start = edit.toPlainText().index("No effusion")
    cursor.setPosition(start)
    cursor.setPosition(start + 2, QtGui.QTextCursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)
    QtTest.QTest.keyClicks(edit, "An")
    shown.wait(lambda: colour(shown, "effusion") == COLOURS["affirmed"])
    edit.undo()
    assert "No effusion" in edit.toPlainText()
    shown.wait(lambda: colour(shown, "effusion") == COLOURS["negated"])


def test_after_a_run_the_report_shows_what_was_found(
    window: Any, slicer_session: SlicerSession, material: Material
) -> None:
    load_volume(slicer_session, material.volume("oblique"))
    window.enter()
    window.type("FINDINGS: Infection in the left lung. Broken rib on the left. No infection in the right lung.")
    window.click("applyButton")
    window.wait_for_run()
    assert window.cells(STATE) == ["affirmed", "not covered", "negated"]
    assert colour(window, "Infection") == COLOURS["affirmed"] or colour(window, "Infection") == COLOURS["contradicted"]
    assert "asked as" in form(window, "Infection").toolTip()
    window.edit(0, "Infection in the left lung, larger.")
    window.wait(lambda: colour(window, "Infection") == COLOURS["stale"])


def test_line_ends_and_signs_outside_of_the_common_ones_do_not_shift_the_colours(shown: Any) -> None:
    text = "FINDINGS:\r\nThe 🫁 is seen.\r\nNo effusion."
    shown.panel.take(None, shown.module.logic.createReportNode(text))
    assert colour(shown, "effusion") == COLOURS["negated"]
    edit = shown.reportEdit
    cursor = edit.textCursor()
    cursor.setPosition(edit.document().characterCount() - 1)
    assert cursor.charFormat().background().style() == QtCore.Qt.BrushStyle.NoBrush
    assert colour(shown, "is seen") is None
