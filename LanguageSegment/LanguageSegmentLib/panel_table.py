"""The findings table on the screen: filling it, and what the user does in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt

from LanguageSegmentLib.findings_table import TableRow
from LanguageSegmentLib.qt_turns import onceAfter
from LanguageSegmentLib.table_text import (
    AGREEMENT,
    PRESENCE,
    SEGMENT,
    SENTENCE,
    STATE,
    VOLUME,
    cellTexts,
    cellTips,
    columnTitles,
)
from LMISCore.text.report import State

# Sentence, state and segment fit a panel of 420 pixels at a usual font; the user may widen each.
_WIDTHS_IN_LETTERS = {SENTENCE: 17, STATE: 10, SEGMENT: 20}


class PanelTable:
    """Shows rows in a QTableWidget.

    Args:
        table: the widget.
        onChosen: called when the user chose another row.
        onEdited: called with (row, new text) when the user changed a sentence.
        onVisible: called with (row, whether) when the user ticked a segment.
    """

    def __init__(
        self,
        table: Any,
        onChosen: Callable[[], None],
        onEdited: Callable[[TableRow, str], None],
        onVisible: Callable[[TableRow, bool], None],
    ) -> None:
        self._table = table
        self._onChosen, self._onEdited, self._onVisible = onChosen, onEdited, onVisible
        self._rows: list[TableRow] = []
        # The items' Python side must live as long as the table shows them.
        self._items: list[list[Any]] = []
        titles = columnTitles()
        table.setColumnCount(len(titles))
        table.setHorizontalHeaderLabels(titles)
        table.verticalHeader().setVisible(False)
        header = table.horizontalHeader()
        for column in range(len(titles)):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        # In letters, so that it grows with the screen's scaling.
        letter = table.fontMetrics().averageCharWidth()
        for column, letters in _WIDTHS_IN_LETTERS.items():
            header.setSectionResizeMode(column, qt.QHeaderView.Interactive)
            table.setColumnWidth(column, letters * letter)
        header.setStretchLastSection(True)
        # Qt is still putting the editor's text into the cell when it tells of it: rows must not change before.
        self._edited: tuple[TableRow, str] | None = None
        self._afterEdit = onceAfter(0, self._tellEdited)
        table.connect("itemSelectionChanged()", self._chosen)
        table.connect("cellChanged(int,int)", self._changed)

    @property
    def rows(self) -> list[TableRow]:
        """The rows as shown."""
        return self._rows

    @property
    def chosen(self) -> TableRow | None:
        """The row that the user chose, None if there is none."""
        number = int(self._table.currentRow())
        if not 0 <= number < len(self._rows) or not self._table.selectedItems():
            return None
        return self._rows[number]

    def show(self, rows: Sequence[TableRow]) -> None:
        """Show these rows in the place of those before; the chosen sentence stays chosen."""
        if list(rows) == self._rows:
            return
        chosen = self.chosen
        blocked = self._table.blockSignals(True)
        try:
            if len(rows) != len(self._rows):
                self._table.setRowCount(0)
                self._items.clear()
                self._table.setRowCount(len(rows))
                self._items = [[self._newItem(number, column) for column in range(6)] for number in range(len(rows))]
            for items, row in zip(self._items, rows, strict=True):
                _fill(items, row)
            self._rows = list(rows)
            self._table.resizeRowsToContents()
            if chosen is not None:
                self._select(next((n for n, row in enumerate(rows) if row.key == chosen.key), None))
        finally:
            self._table.blockSignals(blocked)

    def choose(self, number: int | None) -> None:
        """Choose a row without telling of it; None chooses none."""
        blocked = self._table.blockSignals(True)
        try:
            self._select(number)
        finally:
            self._table.blockSignals(blocked)

    def _select(self, number: int | None) -> None:
        if number is None:
            self._table.clearSelection()
        else:
            self._table.selectRow(number)
            self._table.scrollToItem(self._items[number][SENTENCE])

    def _newItem(self, number: int, column: int) -> Any:
        item = qt.QTableWidgetItem()
        self._table.setItem(number, column, item)
        return item

    def _chosen(self) -> None:
        self._onChosen()

    def _changed(self, number: int, column: int) -> None:
        if not 0 <= number < len(self._rows):
            return
        row, item = self._rows[number], self._items[number][column]
        if column == SENTENCE:
            text = " ".join(str(item.text()).split())
            if text != " ".join(row.sentence.text.split()):
                self._edited = (row, text)
                self._afterEdit.start()
        elif column == SEGMENT and row.segmentId is not None:
            visible = item.checkState() == qt.Qt.Checked
            if visible != row.visible:
                self._onVisible(row, visible)

    def _tellEdited(self) -> None:
        edited, self._edited = self._edited, None
        if edited is not None:
            self._onEdited(*edited)

    def restore(self) -> None:
        """Show the rows again as they are, such as after an edit that was refused."""
        rows, self._rows = self._rows, []
        self._table.setRowCount(0)
        self.show(rows)


def _fill(items: Sequence[Any], row: TableRow) -> None:
    stale = row.state == State.STALE.value
    for column, (item, text, tip) in enumerate(zip(items, cellTexts(row), cellTips(row), strict=True)):
        flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
        if column == SENTENCE:
            flags = flags | qt.Qt.ItemIsEditable
        if column == SEGMENT and row.segmentId is not None:
            flags = flags | qt.Qt.ItemIsUserCheckable
        item.setFlags(flags)
        item.setText(text)
        item.setToolTip(tip)
        if column in (PRESENCE, VOLUME):
            item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
        elif column == AGREEMENT:
            item.setTextAlignment(qt.Qt.AlignLeft | qt.Qt.AlignVCenter)
        font = item.font()
        font.setItalic(stale)
        item.setFont(font)
    _fillSegment(items[SEGMENT], row)


def _fillSegment(item: Any, row: TableRow) -> None:
    if row.segmentId is None or row.colour is None:
        # Without this data the cell has neither a tick box nor a colour.
        item.setData(qt.Qt.CheckStateRole, None)
        item.setData(qt.Qt.DecorationRole, None)
        return
    item.setCheckState(qt.Qt.Checked if row.visible else qt.Qt.Unchecked)
    item.setData(qt.Qt.DecorationRole, qt.QColor(*(round(255 * part) for part in row.colour)))
