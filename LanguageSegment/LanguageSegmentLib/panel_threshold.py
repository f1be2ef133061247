"""The threshold slider: segments are cut again while it moves, without the network."""

from __future__ import annotations

from typing import Any

import qt

from LanguageSegmentLib.findings_table import TableRow
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.translation import tr as _

# A slider that is drawn along is followed at this pace.
_PAUSE_MILLISECONDS = 80


class PanelThreshold:
    """Ties thresholdSlider and thresholdChosenCheckBox to the kept probabilities.

    Args:
        ui: the widgets.
        state: of the panel.
    """

    def __init__(self, ui: Any, state: PanelState) -> None:
        self._ui = ui
        self._state = state
        self._row: TableRow | None = None
        self._running = False
        self._pause = qt.QTimer()
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MILLISECONDS)
        self._pause.connect("timeout()", self.apply)
        ui.thresholdSlider.connect("valueChanged(double)", self._onMoved)
        ui.thresholdChosenCheckBox.connect("toggled(bool)", self._onWhich)

    def show(self, row: TableRow | None, running: bool) -> None:
        """Show the threshold of the segments that the slider cuts, and whether it can.

        Args:
            row: the chosen one or None.
            running: whether something is being segmented.
        """
        self._row, self._running = row, running
        keys = self._keys()
        threshold = self._state.kept.threshold(keys)
        slider = self._ui.thresholdSlider
        slider.enabled = threshold is not None and not running
        if not self._state.kept.keys():
            slider.toolTip = _("Run the report first; its probabilities are kept until Slicer or the scene is closed.")
        elif threshold is None:
            slider.toolTip = _("Choose a sentence that has a segment, or untick Chosen sentence only.")
        else:
            slider.toolTip = _("Cut the segments again at another probability; the network is not run.")
        if threshold is not None and not self._pause.isActive():
            blocked = slider.blockSignals(True)
            slider.value = threshold
            slider.blockSignals(blocked)

    def apply(self) -> None:
        """Cut the segments at the slider's value now."""
        self._pause.stop()
        state, keys = self._state, self._keys()
        if self._running or state.kept.threshold(keys) is None:
            return
        kind = ("threshold", *sorted(keys or ()))
        going = state.steps.isGoingOn(kind)
        before = state.steps.before(state.reportNode)
        try:
            nodes = state.kept.recut(round(float(self._ui.thresholdSlider.value), 3), keys, newStep=not going)
        except Exception as error:
            state.failed(error)
            return
        state.steps.done(before, nodes, kind)
        state.changed()

    def close(self) -> None:
        """Stop waiting for the slider to rest."""
        self._pause.stop()

    def _keys(self) -> list[str] | None:
        if not bool(self._ui.thresholdChosenCheckBox.checked):
            return None
        return [] if self._row is None else [self._row.key]

    def _onMoved(self, value: float) -> None:
        # Not started anew, so that the segments follow a slider that keeps moving.
        if not self._pause.isActive():
            self._pause.start()

    def _onWhich(self, checked: bool) -> None:
        self.show(self._row, self._running)
