"""The batch table on the screen: volumes of the scene with their reports, run one after another in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer

from LanguageSegmentLib.batch_pairs import BatchPair, addPair, pairsOf, removePair
from LanguageSegmentLib.batch_run import BatchResult, BatchRun
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.worker_messages import Progress

if TYPE_CHECKING:
    from LanguageSegmentLib.panel import Panel

_FOLDER = "LanguageSegment-batch"


class PanelBatch:
    """Ties the section "Batch" to the scene's batch table.

    Args:
        panel: with ``ui``, ``state``, ``runs``, ``report``, ``choices`` and ``worker``.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._told: dict[str, str] = {}
        # The items' Python side must live as long as the table shows them.
        self._items: list[list[Any]] = []
        self._shown: list[tuple[str, str, str]] = []
        ui = panel.ui
        titles = (_("Volume"), _("Report"), _("What became of it"))
        ui.batchTable.setColumnCount(len(titles))
        ui.batchTable.setHorizontalHeaderLabels(titles)
        ui.batchTable.verticalHeader().setVisible(False)
        ui.batchTable.horizontalHeader().setStretchLastSection(True)
        ui.batchPathLineEdit.currentPath = str(Path(panel.choices.settings.folder or Path.home()) / _FOLDER)
        ui.batchTable.connect("itemSelectionChanged()", self.show)
        ui.batchAddButton.connect("clicked(bool)", self._onAdd)
        ui.batchRemoveButton.connect("clicked(bool)", self._onRemove)
        ui.batchRunButton.connect("clicked(bool)", self._onRun)

    def pairs(self) -> list[BatchPair]:
        """The scene's table; empty while there is no scene."""
        return [] if self._panel.state.parameterNode is None else pairsOf(slicer.mrmlScene)

    def show(self) -> None:
        """Show the scene's table, and which buttons can be pressed."""
        panel, ui, pairs = self._panel, self._panel.ui, self.pairs()
        shown = [(p.volumeNode.GetName(), p.reportNode.GetName(), self._told.get(p.name, "")) for p in pairs]
        if shown != self._shown:
            self._fill(shown)
        running = panel.runs.isBusy
        volume, text = panel.state.volumeNode, panel.report.text
        ready = volume is not None and bool(text.strip())
        self._set(
            ui.batchAddButton, ready and not running, _("Choose a volume and its report above first."),
            _("Put the volume above into the table, with the report above."),
        )  # fmt: skip
        chosen = self._chosen(pairs) is not None
        self._set(
            ui.batchRemoveButton, chosen and not running, _("Choose a row of the table first."),
            _("Take the chosen volume out of the table; its segments stay."),
        )  # fmt: skip
        self._set(
            ui.batchRunButton, bool(pairs) and not running, _("Add volumes with their reports first."),
            _("Run all rows; finished ones are kept, so a run that was stopped goes on where it was."),
        )  # fmt: skip

    @staticmethod
    def _set(button: Any, can: bool, why: str, tip: str) -> None:
        button.enabled = can
        button.toolTip = tip if can else why

    def _fill(self, shown: list[tuple[str, str, str]]) -> None:
        table = self._panel.ui.batchTable
        blocked = table.blockSignals(True)
        try:
            if len(shown) != len(self._shown):
                table.setRowCount(0)
                table.setRowCount(len(shown))
                self._items = [[self._newItem(row, column) for column in range(3)] for row in range(len(shown))]
            for items, texts in zip(self._items, shown, strict=True):
                for item, text in zip(items, texts, strict=True):
                    item.setText(text)
                    item.setToolTip(text)
            self._shown = shown
        finally:
            table.blockSignals(blocked)

    def _newItem(self, row: int, column: int) -> Any:
        item = qt.QTableWidgetItem()
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
        self._panel.ui.batchTable.setItem(row, column, item)
        return item

    def _chosen(self, pairs: list[BatchPair]) -> BatchPair | None:
        table = self._panel.ui.batchTable
        number = int(table.currentRow())
        return pairs[number] if 0 <= number < len(pairs) and table.selectedItems() else None

    def _onAdd(self, checked: bool = False) -> None:
        panel, state = self._panel, self._panel.state
        panel.report.flush()
        try:
            if state.parameterNode.reportNode is None:
                made = state.logic.reportNodeFor(panel.report.text)
                panel.report.adopt(made)
                state.parameterNode.reportNode = made
            pair = addPair(state.volumeNode, state.reportNode)
        except Exception as error:
            state.failed(error)
            return
        self._told.pop(pair.name, None)
        panel.refresh()

    def _onRemove(self, checked: bool = False) -> None:
        pair = self._chosen(self.pairs())
        if pair is not None:
            removePair(pair.volumeNode)
            self._panel.refresh()

    def _onRun(self, checked: bool = False) -> None:
        self.run()

    def run(self) -> None:
        """Run all rows of the table."""
        panel = self._panel
        if not panel.actions.packagesAreThere():
            return
        pairs, folder = self.pairs(), Path(str(panel.ui.batchPathLineEdit.currentPath))
        checkpoint = panel.choices.checkpoint
        settings = {
            "checkpoint": None if checkpoint is None else str(checkpoint),
            "device": panel.choices.settings.device,
            "intensity": panel.choices.settings.intensity,
        }
        taken = []

        def make(progress: Progress) -> BatchRun:
            taken.append([panel.state.steps.before(pair.reportNode) for pair in pairs])
            return BatchRun(pairs, folder, settings, panel.worker.runner(), progress)

        panel.runs.add(make, lambda result: self._done(result, pairs, taken[0]))

    def _done(self, result: BatchResult, pairs: list[BatchPair], before: list[Any]) -> None:
        panel = self._panel
        for pair, earlier in zip(pairs, before, strict=True):
            landed = result.landed.get(pair.name)
            if landed is not None:
                panel.state.kept.take(landed, pair.volumeNode)
                panel.state.steps.done(earlier, landed.writtenNodes)
                count = sum(row["segment_id"] is not None for row in landed.rows)
                self._told[pair.name] = _("{count} segments").format(count=count)
            else:
                self._told[pair.name] = result.failures.get(pair.name, _("not run yet"))
        words = _("{done} of {total} volumes are done.").format(done=len(result.landed), total=len(pairs))
        stopped = "" if result.message else _("The run was stopped; run the table again to go on.")
        panel.ui.statusLabel.text = " ".join(filter(None, (words, stopped)))
        panel.refresh()
