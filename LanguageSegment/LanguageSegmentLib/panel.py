"""The module's panel: ties the parts of the screen to each other and to the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util

from LanguageSegmentLib.failures import isCancelled
from LanguageSegmentLib.findings_table import TableRow, rowOfSegment, tableRows
from LanguageSegmentLib.focus import jumpTo, setVisible
from LanguageSegmentLib.links import segmentationsOf
from LanguageSegmentLib.panel_actions import PanelActions
from LanguageSegmentLib.panel_batch import PanelBatch
from LanguageSegmentLib.panel_choices import PanelChoices
from LanguageSegmentLib.panel_export import PanelExport
from LanguageSegmentLib.panel_maps import PanelMaps
from LanguageSegmentLib.panel_report import PanelReport
from LanguageSegmentLib.panel_runs import PanelRuns
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.panel_table import PanelTable
from LanguageSegmentLib.panel_threshold import PanelThreshold
from LanguageSegmentLib.qt_turns import onceAfter
from LanguageSegmentLib.readiness import applyTip, missing, needed
from LanguageSegmentLib.report_colours import reportSpans
from LanguageSegmentLib.report_nodes import isReportNode, markReportNode
from LanguageSegmentLib.report_sources import reportSource
from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.settings import Store
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.watching import SceneWatch

_REFRESH_MILLISECONDS = 30
_REPORT_ATTRIBUTE = "LanguageSegment.Report"


class Panel:
    """The panel of one widget.

    Args:
        widget: of ``LanguageSegment.ui``.
        ui: the widgets in it by name.
        logic: of the module.
        worker: that segments.
        store: the user's settings.
    """

    def __init__(self, widget: Any, ui: Any, logic: Any, worker: ServingWorker, store: Store) -> None:
        self._widget = widget
        self.ui = ui
        self.worker = worker
        self.runs = PanelRuns(ui, worker, self.refresh)
        self.state = PanelState(logic, self.refresh, self.runs.failed)
        self.choices = PanelChoices(ui, store, self._onChoice)
        self.report = PanelReport(ui.reportEdit, self.updateButtons, self.refresh)
        self.table = PanelTable(ui.findingsTable, self._onChosen, self._onSentenceEdited, self._onVisible)
        self.threshold = PanelThreshold(ui, self.state)
        self.maps = PanelMaps(ui, self.state)
        self.export = PanelExport(ui, self.state, self.choices)
        self.actions = PanelActions(self)
        self.batch = PanelBatch(self)
        self._watch: SceneWatch | None = None
        self._entered = False
        self._weightsProblem = ""
        # Looking for packages takes too long to be done at every change.
        self._lacksPackages: tuple[str, ...] = ()
        self._later = onceAfter(_REFRESH_MILLISECONDS, self.refresh)
        self._shortcuts = [self._shortcut(keys) for keys in ("Ctrl+Return", "Ctrl+Enter")]
        ui.reportSelector.addAttribute("vtkMRMLTextNode", _REPORT_ATTRIBUTE)
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onVolume)
        ui.reportSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._onReport)
        ui.sampleButton.connect("clicked(bool)", self._onSample)
        ui.loadReportButton.connect("clicked(bool)", self._onLoadReport)
        ui.resetButton.connect("clicked(bool)", self._onReset)

    def _shortcut(self, keys: str) -> Any:
        shortcut = qt.QShortcut(self._widget)
        shortcut.setKey(qt.QKeySequence(keys))
        shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
        shortcut.connect("activated()", self.actions.applyByKey)
        return shortcut

    # The scene

    def setParameterNode(self, parameterNode: Any) -> None:
        """Show a scene's choices; None lets go of the scene."""
        if parameterNode is None:
            self.runs.giveUp()
            self.threshold.close()
            self._later.stop()
            self.report.forget()
            self.maps.forget()
            self.state.forget()
            self._stopWatching()
        else:
            self.state.parameterNode = parameterNode
            if self._watch is None:
                self._watch = SceneWatch(slicer.mrmlScene, self.refreshLater, self.chooseSegment)
        self.refresh()

    def enter(self) -> None:
        """The module was opened: try the device, so that the worker is warm when it is needed."""
        self._entered = True
        self.checkPackages()

    def checkPackages(self) -> bool:
        """Look which packages are missing, show it, and try the device if none is; whether all are there."""
        self._lacksPackages = self.state.logic.installPlan().all()
        self._probe()
        self.refresh()
        return not self._lacksPackages

    def close(self) -> None:
        """Stop all that runs and let go of the scene."""
        self.setParameterNode(None)
        self.runs.close()
        self.threshold.close()
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)

    def _stopWatching(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def refreshLater(self) -> None:
        """Show the scene after what is changing it is done; may be called often."""
        if self.state.parameterNode is not None:
            self._later.start()

    def refresh(self) -> None:
        """Show the scene as it is now."""
        state, ui = self.state, self.ui
        if state.reportNode is not None and not isReportNode(state.reportNode):
            markReportNode(state.reportNode)
        ui.volumeSelector.setCurrentNode(state.volumeNode)
        ui.reportSelector.setCurrentNode(state.reportNode)
        self.report.show(state.reportNode)
        self.table.show(tableRows(state.reportNode, state.volumeNode))
        if self._watch is not None and state.reportNode is not None:
            self._watch.follow(segmentationsOf(state.reportNode))
        found = self.choices.showCard(state.volumeNode, self.report.text)
        self._weightsProblem = found.problem
        self.report.colour(reportSpans(self.report.told, found.card, self.table.rows))
        ui.deviceLabel.text = self._deviceLine()
        self.updateButtons()

    def _deviceLine(self) -> str:
        if self._lacksPackages:
            names = ", ".join(self._lacksPackages)
            return _("{packages} must be installed first; Apply offers to do it.").format(packages=names)
        return self.runs.probe.line(self.choices.settings.device)

    def _probe(self) -> None:
        if self._entered and not self._lacksPackages:
            self.runs.ask(self.choices.settings.device)

    # What can be pressed

    def updateButtons(self) -> None:
        """Say which buttons can be pressed, and of the others why not."""
        ui, state, running = self.ui, self.state, self.runs.isBusy
        lacking = missing(state.volumeNode, self.report.text, self._weightsProblem)
        ui.applyButton.text = _("Cancel") if running else _("Apply")
        ui.applyButton.enabled = running or not lacking
        ui.applyButton.toolTip = _("Stop; the scene stays as it was.") if running else applyTip(lacking)
        ui.installButton.enabled = not running and bool(self._lacksPackages)
        ui.installButton.toolTip = (
            _("Install the Python packages that the network needs; asks first.")
            if ui.installButton.enabled
            else _("Nothing has to be installed now.")
        )
        row = self.table.chosen
        ready = not lacking
        self._button(
            ui.rerunButton, needed(row is not None, False, ready, applyTip(lacking)),
            _("Run the chosen sentence again, such as after editing it."),
        )  # fmt: skip
        self._button(
            ui.forceButton,
            needed(row is not None, False, ready and row is not None and row.canBeForced,
                   _("Only a sentence that is negated, uncertain, historical, normal, absent or not covered can "
                     "be forced.")),
            _("Give the chosen sentence a segment although it is negated, uncertain or absent."),
        )  # fmt: skip
        self._button(
            ui.explainButton, needed(row is not None, False, ready, applyTip(lacking)),
            _("Show what the network saw for the chosen sentence."),
        )  # fmt: skip
        self._button(
            ui.stepBackButton,
            needed(True, running, state.steps.canGoBack(), _("Nothing was changed that could be undone.")),
            _("Undo the last change that the module made to the segments."),
        )
        # A run of words that are changed meanwhile would come to nothing.
        ui.reportEdit.readOnly = running
        ui.reportEdit.toolTip = (
            _("The report can be changed when the run has ended.")
            if running
            else _(
                "The report's text. Ctrl+Enter runs it. Green words are affirmed, red negated, amber uncertain, violet "
                "historical, turquoise normal, blue absent, grey not covered or stale, pink contradicted by the "
                "picture."
            )
        )
        self.threshold.show(row, running)
        self.export.show(self.table.rows, ready)
        self.batch.show()

    @staticmethod
    def _button(button: Any, why: str, tip: str) -> None:
        button.enabled = not why
        button.toolTip = why or tip

    # What the user does

    def chooseSegment(self, segmentationNode: Any, segmentId: str) -> None:
        """Choose the sentence of a segment that was chosen elsewhere; the views stay where they are."""
        number = rowOfSegment(self.table.rows, segmentationNode, segmentId)
        if number is not None:
            self.table.choose(number)
            self.report.highlight(self.table.rows[number].sentence)
            self.updateButtons()

    def _onChosen(self) -> None:
        row = self.table.chosen
        if row is not None:
            self.report.highlight(row.sentence)
            if row.segmentId is not None:
                jumpTo(row.segmentationNode, row.segmentId)
        self.updateButtons()

    def _onVisible(self, row: TableRow, visible: bool) -> None:
        setVisible(row.segmentationNode, row.segmentId or "", visible)
        self.refresh()

    def _onSentenceEdited(self, row: TableRow, text: str) -> None:
        if self.runs.isBusy:
            self.table.restore()
            self.ui.statusLabel.text = _("Wait for the run to end, or cancel it.")
            return
        self.actions.editSentence(row, text)

    def _onVolume(self, node: Any) -> None:
        if self.state.parameterNode is not None and node is not self.state.volumeNode:
            self.state.parameterNode.inputVolume = node
            self.refresh()

    def _onReport(self, node: Any) -> None:
        if self.state.parameterNode is not None and node is not self.state.reportNode:
            self.report.flush()
            self.state.parameterNode.reportNode = node
            self.refresh()

    def _onChoice(self) -> None:
        self._probe()
        self.refresh()

    def _onReset(self, checked: bool = False) -> None:
        self.choices.reset()
        self.ui.statusLabel.text = _("All settings are as they were at first.")

    def _onSample(self, checked: bool = False) -> None:
        try:
            volumeNode, reportNode = self.state.logic.loadSample()
        except Exception as error:
            self.state.failed(error)
            return
        self.take(volumeNode, reportNode)
        slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)

    def _onLoadReport(self, checked: bool = False) -> None:
        kinds = _("Reports") + " (*.txt *.json *.dcm);;" + _("All files") + " (*)"
        path = qt.QFileDialog.getOpenFileName(
            self.ui.loadReportButton, _("Load a report"), self.choices.settings.folder, kinds
        )
        if path:
            self.loadReport(str(path))

    def loadReport(self, path: str) -> None:
        """Make a report node of a file and choose it; an error is shown."""
        try:
            source = reportSource(Path(path))
        except Exception as error:
            if not isCancelled(error):
                self.state.failed(error)
            return
        self.choices.rememberFolder(path)
        self.take(None, self.state.logic.createReportNode(source.text, source.name))

    def take(self, volumeNode: Any, reportNode: Any) -> None:
        """Choose a volume (None leaves the one there is) and a report."""
        if volumeNode is not None:
            self.state.parameterNode.inputVolume = volumeNode
        self.state.parameterNode.reportNode = reportNode
        self.refresh()
