"""The threshold slider: segments are cut again while it moves, without the network."""

from __future__ import annotations

from typing import Any

from LanguageSegmentLib.findings_table import TableRow
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.qt_turns import Turns, onceAfter
from LanguageSegmentLib.steps import Before
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
        self._pause = onceAfter(_PAUSE_MILLISECONDS, self.apply)
        self._cut: tuple[tuple[str, ...], Before, float] | None = None
        self._cutting: Turns[list[Any]] = Turns(self._onCut, self._onError)
        ui.thresholdSlider.connect("valueChanged(double)", self._onMoved)
        ui.thresholdChosenCheckBox.connect("toggled(bool)", self._onWhich)

    def show(self, row: TableRow | None, running: bool) -> None:
        """Show the threshold of the segments that the slider cuts, and whether it can.

        Args:
            row: the chosen one or None.
            running: whether something is being segmented.
        """
        self._row, self._running = row, running
        if running:
            # What is segmented now counts, not what was being cut of the run before.
            self.close()
        keys = self._keys()
        ours = self._state.kept.areOf(self._state.reportNode)
        threshold = self._state.kept.threshold(keys) if self._canCut(keys) else None
        slider = self._ui.thresholdSlider
        slider.enabled = threshold is not None and not running
        if not ours:
            slider.toolTip = _("Run the report first; its probabilities are kept until Slicer or the scene is closed.")
        elif threshold is None:
            slider.toolTip = _("Choose a sentence that has a segment, or untick Chosen sentence only.")
        else:
            slider.toolTip = _("Cut the segments again at another probability; the network is not run.")
        if threshold is not None and not self._pause.isActive() and not self.isCutting:
            blocked = slider.blockSignals(True)
            slider.value = threshold
            slider.blockSignals(blocked)

    @property
    def isCutting(self) -> bool:
        """Whether segments are being cut again."""
        return self._cutting.isWorking

    def apply(self) -> None:
        """Begin to cut the segments at the slider's value."""
        self._pause.stop()
        state, keys = self._state, self._keys()
        if self._running or self.isCutting or not self._canCut(keys):
            return
        kind = ("threshold", *sorted(keys or ()))
        going = state.steps.isGoingOn(kind)
        value = round(float(self._ui.thresholdSlider.value), 3)
        self._cut = (kind, state.steps.before(state.reportNode), value)
        self._cutting.start(state.kept.recutting(value, keys, newStep=not going))

    def _canCut(self, keys: list[str] | None) -> bool:
        kept = self._state.kept
        return kept.areOf(self._state.reportNode) and kept.threshold(keys) is not None

    def close(self) -> None:
        """Stop waiting for the slider to rest, and give up what is being cut."""
        self._pause.stop()
        self._cutting.stop()

    def _onError(self, error: Exception) -> None:
        self._pause.stop()
        self._state.failed(error)

    def _onCut(self, segments: list[Any]) -> None:
        assert self._cut is not None
        kind, before, value = self._cut
        self._state.steps.done(before, segments, kind)
        self._state.changed()
        # The slider was moved on meanwhile.
        if round(float(self._ui.thresholdSlider.value), 3) != value:
            self._pause.start()

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
