"""A window with the panel in it, driven as a user drives it: by mouse and keyboard, and by waiting."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from faults import Faults
from PySide6 import QtCore, QtWidgets
from PySide6.QtTest import QTest
from python_qt import PythonQt
from slicer_window import ModulePlace, WindowApplication

from LanguageSegmentLib.table_text import SEGMENT, SENTENCE

LONGEST_SECONDS = 120.0


class Window:
    """The module's panel in a scrolled area, as Slicer shows it.

    Attributes:
        application: around it.
        module: LanguageSegmentWidget.
        place: the widget that it fills.
        area: the scrolled area, a window of its own.
    """

    def __init__(
        self, application: WindowApplication, python_qt: PythonQt, width: int = 420, height: int = 1000
    ) -> None:
        self.application = application
        self._python_qt = python_qt
        self._closed = False
        self.place = ModulePlace()
        self.area = QtWidgets.QScrollArea()
        self.area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.place)
        self.module = application.module.LanguageSegmentWidget(python_qt.wrap(self.place))
        self.module.setup()
        self.area.resize(width, height)
        self.area.show()
        self.enter()
        QTest.qWaitForWindowExposed(self.area)

    @property
    def panel(self) -> Any:
        """The panel behind the widgets."""
        return self.module.panel

    @property
    def faults(self) -> Faults:
        return self._python_qt.faults

    def enter(self) -> None:
        """Open the module, as clicking its name does."""
        self.place.entered = True
        self.module.enter()

    def __getattr__(self, name: str) -> Any:
        """A widget of the panel by its name, as Qt has it."""
        found = self.area.findChild(QtWidgets.QWidget, name)
        if found is None:
            raise AttributeError(f"no widget {name}")
        return found

    def close(self) -> None:
        """Close the module as Slicer does at its end."""
        if self._closed:
            return
        self._closed = True
        self.module.cleanup()
        self.LanguageSegment.setMRMLScene(None)
        self.area.close()
        self.area.deleteLater()
        QtWidgets.QApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)

    # What a user does

    def click(self, name: str) -> None:
        """Open the sections around a widget and click it; it must be enabled."""
        widget = getattr(self, name)
        self.unfold(widget)
        assert widget.isEnabled(), f"{name} is off: {widget.toolTip()}"
        self.area.ensureWidgetVisible(widget)
        middle = widget.rect().center()
        if isinstance(widget, QtWidgets.QCheckBox):
            middle.setX(8)
        QTest.mouseClick(widget, QtCore.Qt.MouseButton.LeftButton, pos=middle)

    def unfold(self, widget: Any) -> None:
        """Open the sections that hide a widget."""
        parent = widget.parentWidget()
        while parent is not None:
            if bool(parent.property("collapsed")):
                QTest.mouseClick(parent, QtCore.Qt.MouseButton.LeftButton, pos=QtCore.QPoint(40, 5))
                assert not parent.property("collapsed")
            parent = parent.parentWidget()
        QTest.qWait(5)

    def type(self, text: str) -> None:
        """Put a text in the place of the report's, as by typing."""
        self.reportEdit.setFocus()
        self.reportEdit.selectAll()
        QTest.keyClicks(self.reportEdit, text)

    def choose(self, number: int) -> None:
        """Click a row of the table."""
        self._click_cell(number, SENTENCE)

    def tick(self, number: int) -> None:
        """Click the box beside a row's segment."""
        table = self.findingsTable
        # PySide publishes no types for the fields of style options.
        option: Any = QtWidgets.QStyleOptionViewItem()
        index = table.model().index(number, SEGMENT)
        table.itemDelegate().initStyleOption(option, index)
        option.initFrom(table)
        option.rect = table.visualRect(index)
        option.features |= QtWidgets.QStyleOptionViewItem.ViewItemFeature.HasCheckIndicator
        box = table.style().subElementRect(QtWidgets.QStyle.SubElement.SE_ItemViewItemCheckIndicator, option, table)
        QTest.mouseClick(table.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=box.center())

    def edit(self, number: int, text: str) -> None:
        """Double-click a row's sentence and type another."""
        table = self.findingsTable
        place = self._click_cell(number, SENTENCE)
        QTest.mouseDClick(table.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)
        editor = table.viewport().findChild(QtWidgets.QLineEdit)
        assert editor is not None, "no editor was opened"
        editor.selectAll()
        QTest.keyClicks(editor, text)
        QTest.keyClick(editor, QtCore.Qt.Key.Key_Return)
        # The delegate takes the text over in an event of its own, and the panel after that.
        QTest.qWait(20)

    def _click_cell(self, number: int, column: int) -> QtCore.QPoint:
        table = self.findingsTable
        self.area.ensureWidgetVisible(table)
        table.scrollToItem(table.item(number, column))
        place: QtCore.QPoint = table.visualItemRect(table.item(number, column)).center()
        QTest.mouseClick(table.viewport(), QtCore.Qt.MouseButton.LeftButton, pos=place)
        return place

    # What a user sees

    def cells(self, column: int = SENTENCE) -> list[str]:
        """The texts of a column."""
        table = self.findingsTable
        return [table.item(number, column).text() for number in range(table.rowCount())]

    def wait(self, until: Callable[[], bool], seconds: float = LONGEST_SECONDS) -> float:
        """Let the window live until something is so; how many seconds that took."""
        began = time.monotonic()
        while not until():
            assert time.monotonic() - began < seconds, f"waited {seconds} s in vain; {self.statusLabel.text()}"
            self.faults.check()
            QTest.qWait(10)
        return time.monotonic() - began

    def wait_for_run(self, seconds: float = LONGEST_SECONDS) -> float:
        """Wait for all runs to end."""
        passed = self.wait(lambda: not self.panel.runs.isBusy, seconds)
        QTest.qWait(60)
        return passed
