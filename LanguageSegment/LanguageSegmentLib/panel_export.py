"""Results elsewhere: the table as CSV, the run as a command line, the segmentation to DICOM, a diagnosis to copy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer

from LanguageSegmentLib.command_line import CommandChoices, commandLine
from LanguageSegmentLib.dicom_export import openDialog, whyNotOffered
from LanguageSegmentLib.findings_table import TableRow, csvText
from LanguageSegmentLib.panel_choices import PanelChoices
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import fileOf
from LMISCore.atomic import write_text


class PanelExport:
    """Ties the buttons of the section "Results elsewhere" and "Copy diagnosis".

    Args:
        ui: the widgets.
        state: of the panel.
        choices: of the panel.
    """

    def __init__(self, ui: Any, state: PanelState, choices: PanelChoices) -> None:
        self._ui = ui
        self._state = state
        self._choices = choices
        self._rows: Sequence[TableRow] = ()
        ui.csvButton.connect("clicked(bool)", self._onCsv)
        ui.commandButton.connect("clicked(bool)", self._onCommand)
        ui.dicomButton.connect("clicked(bool)", self._onDicom)
        ui.diagnosisButton.connect("clicked(bool)", self._onDiagnosis)

    def show(self, rows: Sequence[TableRow], ready: bool) -> None:
        """Say which of the buttons can be pressed, and why not.

        Args:
            rows: of the table.
            ready: whether volume and report are there.
        """
        self._rows = rows
        ui = self._ui
        ui.csvButton.enabled = bool(rows)
        ui.csvButton.toolTip = _("Save the findings as a CSV file.") if rows else _("There is no finding to save yet.")
        ui.commandButton.enabled = ready
        ui.commandButton.toolTip = (
            _("Copy the command that makes the same run without Slicer, the report's text included.")
            if ready
            else _("Choose a volume and give the report's text first.")
        )
        segments = any(row.segmentationNode is not None for row in rows)
        why = _("There is no segment to send yet.") if not segments else whyNotOffered()
        ui.dicomButton.enabled = not why
        ui.dicomButton.toolTip = why or _("Export the segmentation as DICOM SEG.")

    def _onCsv(self, checked: bool = False) -> None:
        folder = self._choices.settings.folder
        name = str(Path(folder, "findings.csv")) if folder else "findings.csv"
        path = qt.QFileDialog.getSaveFileName(self._ui.csvButton, _("Save the findings"), name, "CSV (*.csv)")
        if not path:
            return
        path = str(path) if str(path).lower().endswith(".csv") else f"{path}.csv"
        try:
            write_text(path, csvText(self._rows))
        except Exception as error:
            self._state.failed(error)
            return
        self._choices.rememberFolder(path)
        self._ui.statusLabel.text = _("The table was saved as {path}.").format(path=path)

    def _onCommand(self, checked: bool = False) -> None:
        volume, settings = self._state.volumeNode, self._choices.settings
        path = fileOf(volume)
        report = self._state.reportNode
        text = str(self._ui.reportEdit.toPlainText()) if report is None else report.GetText()
        forced = [row.sentence.id for row in self._rows if row.forced]
        self._copy(
            commandLine(
                CommandChoices(path, text, self._choices.checkpoint or "", settings.device, settings.intensity,
                               self._threshold(), forced)
            )
        )  # fmt: skip
        if not path:
            told = _("The command was copied; put the path of the volume's file in the place of VOLUME.")
        elif volume.GetModifiedSinceRead():
            told = _("The command was copied; save the volume first, as it was changed since it was loaded.")
        else:
            told = _("The command was copied.")
        self._ui.statusLabel.text = told

    def _threshold(self) -> float | None:
        """The threshold of the segments, where it is not the one that the weights come with."""
        now, own = self._state.kept.threshold(), self._choices.card().threshold
        return None if now is None or now == own else now

    def _onDicom(self, checked: bool = False) -> None:
        node = next((row.segmentationNode for row in self._rows if row.segmentationNode is not None), None)
        if node is None:
            return
        try:
            openDialog(node, self._state.volumeNode)
        except Exception as error:
            self._state.failed(error)

    def _onDiagnosis(self, checked: bool = False) -> None:
        self._copy(self._state.logic.diagnosis())
        self._ui.statusLabel.text = _("The diagnosis was copied; it holds no report text.")

    @staticmethod
    def _copy(text: str) -> None:
        slicer.app.clipboard().setText(text)
