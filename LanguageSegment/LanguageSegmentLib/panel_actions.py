"""What the panel does to the scene: run, run one sentence again, force, explain, edit a sentence, step back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from LanguageSegmentLib.explanation import Explanation, ExplanationRun
from LanguageSegmentLib.findings_table import TableRow
from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.readiness import missing
from LanguageSegmentLib.run import SegmentReportOptions, SegmentReportRun
from LanguageSegmentLib.steps import Before
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.worker_messages import Progress
from LMISCore.text.prompts import prompt_for

if TYPE_CHECKING:
    from LanguageSegmentLib.panel import Panel


class PanelActions:
    """The actions behind the panel's buttons.

    Args:
        panel: with ``ui``, ``state``, ``runs``, ``report``, ``table``, ``choices`` and ``maps``.
    """

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        ui = panel.ui
        ui.applyButton.connect("clicked(bool)", self._onApply)
        ui.rerunButton.connect("clicked(bool)", self._onRerun)
        ui.forceButton.connect("clicked(bool)", self._onForce)
        ui.explainButton.connect("clicked(bool)", self._onExplain)
        ui.stepBackButton.connect("clicked(bool)", self._onStepBack)
        ui.installButton.connect("clicked(bool)", self._onInstall)

    def apply(self) -> None:
        """Segment the whole report."""
        self._segment()

    def applyByKey(self) -> None:
        """Ctrl+Enter: as Apply, but never Cancel."""
        panel = self._panel
        lacking = missing(panel.state.volumeNode, panel.report.text, panel.choices.card().problem)
        if not panel.runs.isBusy and not lacking:
            self.apply()

    def rerun(self, row: TableRow) -> None:
        """Run one sentence again, forced if it was."""
        self._segment([row.key], [row.key] if row.forced else [])

    def force(self, row: TableRow) -> None:
        """Give one sentence a segment whatever it says."""
        self._segment([row.key], [row.key])

    def explain(self, row: TableRow) -> None:
        """Show what the network made of one sentence."""
        panel = self._panel
        if not self.packagesAreThere():
            return
        volumeNode = panel.state.volumeNode
        sentence = row.prompt or prompt_for(row.sentence.text).text
        job = {
            "checkpoint": panel.choices.checkpoint,
            "device": panel.choices.settings.device,
            "intensity": panel.choices.settings.intensity,
        }

        def make(progress: Progress) -> ExplanationRun:
            return ExplanationRun(volumeNode, sentence, job, panel.worker.runner(), progress)

        panel.runs.add(make, self._explained)

    def editSentence(self, row: TableRow, text: str) -> None:
        """Put other words in a sentence's place in the report; its segment is stale then."""
        panel = self._panel
        if not text:
            panel.ui.statusLabel.text = _("A sentence cannot be empty; delete it in the report instead.")
            panel.table.restore()
            return
        panel.report.flush()
        node = panel.state.reportNode
        whole, span = node.GetText() or "", row.sentence.span
        if whole[span.start : span.end] != row.sentence.text:
            panel.ui.statusLabel.text = _("The report was changed meanwhile; edit the sentence again.")
            panel.refresh()
            panel.table.restore()
            return
        node.SetText(whole[: span.start] + text + whole[span.end :])
        panel.ui.statusLabel.text = _("The sentence was changed; run it again to bring its segment up to date.")
        panel.refresh()

    def stepBack(self) -> None:
        """Undo the last action."""
        panel = self._panel
        try:
            undone = panel.state.steps.goBack()
        except Exception as error:
            panel.state.failed(error)
            return
        panel.ui.statusLabel.text = _("The last change was undone.") if undone else ""
        panel.refresh()

    def install(self) -> None:
        """Install what is missing, after asking; what came of it is told."""
        if self.packagesAreThere():
            self._panel.ui.statusLabel.text = _("All Python packages are there.")
            self._panel.checkPackages()

    def _segment(self, only: list[str] | None = None, force: list[str] | None = None) -> None:
        panel, state = self._panel, self._panel.state
        if not self.packagesAreThere():
            return
        panel.report.flush()
        volumeNode, node = state.volumeNode, state.parameterNode
        try:
            if node.reportNode is None:
                made = state.logic.reportNodeFor(panel.report.text)
                panel.report.adopt(made)
                node.reportNode = made
            folder = state.kept.folder
        except Exception as error:
            state.failed(error)
            return
        settings, reportNode = panel.choices.settings, node.reportNode
        options = SegmentReportOptions(
            checkpoint=panel.choices.checkpoint,
            segmentationNode=node.segmentationNode,
            onePerField=settings.onePerField and node.segmentationNode is None,
            device=settings.device,
            intensity=settings.intensity,
            replaceEdited=settings.replaceEdited,
            only=only or (),
            # One sentence run again is cut as the slider has cut the others.
            threshold=state.kept.threshold(only) or state.kept.threshold() if only else None,
            force=force if force is not None else [row.key for row in panel.table.rows if row.forced],
            probabilityFolder=folder,
        )
        taken: list[Before] = []

        def make(progress: Progress) -> SegmentReportRun:
            taken.append(state.steps.before(reportNode))
            return SegmentReportRun(volumeNode, reportNode, options, panel.worker.runner(), progress)

        panel.runs.add(make, lambda result: self._segmented(result, volumeNode, taken[0]))

    def _segmented(self, result: SegmentReportResult, volumeNode: Any, before: Before) -> None:
        panel, state = self._panel, self._panel.state
        state.kept.take(result, volumeNode)
        state.steps.done(before, result.writtenNodes)
        panel.ui.statusLabel.text = " ".join(result.messages)

    def _explained(self, explanation: Explanation) -> None:
        self._panel.ui.statusLabel.text = ""
        self._panel.maps.show(explanation)

    def packagesAreThere(self) -> bool:
        """Offer to install what is missing; whether all is there."""
        panel = self._panel
        logic = panel.state.logic
        if logic.installPlan().isComplete:
            return True
        try:
            panel.ui.statusLabel.text = " ".join(logic.installPackages().messages)
        except Exception as error:
            panel.state.failed(error)
        panel.runs.probe.forget()
        return panel.checkPackages()

    def _onApply(self, checked: bool = False) -> None:
        if self._panel.runs.isBusy:
            self._panel.runs.cancel()
        else:
            self.apply()

    def _onRerun(self, checked: bool = False) -> None:
        row = self._panel.table.chosen
        if row is not None:
            self.rerun(row)

    def _onForce(self, checked: bool = False) -> None:
        row = self._panel.table.chosen
        if row is not None:
            self.force(row)

    def _onExplain(self, checked: bool = False) -> None:
        row = self._panel.table.chosen
        if row is not None:
            self.explain(row)

    def _onStepBack(self, checked: bool = False) -> None:
        self.stepBack()

    def _onInstall(self, checked: bool = False) -> None:
        self.install()
