"""Explanation maps on the screen: one over the volume, with a legend of what it means."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import slicer.util

from LanguageSegmentLib.explanation import Explanation, legend, showingMap
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.portions import Portions
from LanguageSegmentLib.translation import tr as _


class PanelMaps:
    """Ties the section "Explanation map" to the maps of one sentence.

    Args:
        ui: the widgets.
        state: of the panel.
    """

    def __init__(self, ui: Any, state: PanelState) -> None:
        self._ui = ui
        self._state = state
        self._explanation: Explanation | None = None
        self._node: Any = None
        self._name = ""
        self._loading: Portions[Any] | None = None
        self._turn = qt.QTimer()
        self._turn.setSingleShot(True)
        self._turn.setInterval(0)
        self._turn.connect("timeout()", self._onTurn)
        self._reset()
        ui.mapComboBox.connect("currentIndexChanged(int)", self._onMap)
        ui.opacitySlider.connect("valueChanged(double)", self._onOpacity)
        ui.hideMapButton.connect("clicked(bool)", self._onHide)

    def show(self, explanation: Explanation) -> None:
        """Show the first map of a sentence and offer the others."""
        self._stopLoading()
        if self._explanation is not None:
            self._explanation.close()
        self._explanation = explanation
        combo = self._ui.mapComboBox
        blocked = combo.blockSignals(True)
        combo.clear()
        for each in explanation.maps:
            combo.addItem(each.name)
        combo.currentIndex = 0
        combo.blockSignals(blocked)
        combo.enabled = True
        self._ui.explanationCollapsibleButton.collapsed = False
        self._showMap(0)

    def forget(self) -> None:
        """Forget the maps of a scene that goes."""
        self._stopLoading()
        if self._explanation is not None:
            self._explanation.close()
        self._explanation = self._node = None
        self._reset()

    def _reset(self) -> None:
        combo = self._ui.mapComboBox
        blocked = combo.blockSignals(True)
        combo.clear()
        combo.blockSignals(blocked)
        combo.enabled = False
        self._ui.hideMapButton.enabled = False
        self._ui.legendLabel.text = _("Choose a sentence and press Explain to see what the network made of it.")

    def _onMap(self, number: int) -> None:
        self._showMap(int(number))

    @property
    def isLoading(self) -> bool:
        """Whether a map is being read."""
        return self._loading is not None

    def _showMap(self, number: int) -> None:
        found = self._explanation
        self._stopLoading()
        if found is None or not 0 <= number < len(found.maps):
            return
        self._name = found.maps[number].name
        self._loading = Portions(showingMap(found, self._name, self._node))
        self._turn.start()

    def _onTurn(self) -> None:
        found, loading = self._explanation, self._loading
        if found is None or loading is None:
            return
        try:
            if loading.go():
                self._turn.start()
                return
        except Exception as error:
            self._stopLoading()
            self._state.failed(error)
            return
        self._loading, self._node = None, loading.result
        self._ui.legendLabel.text = legend(found, self._name)
        self._ui.hideMapButton.enabled = True
        slicer.util.setSliceViewerLayers(
            background=found.volumeNode, foreground=self._node, foregroundOpacity=float(self._ui.opacitySlider.value)
        )

    def _stopLoading(self) -> None:
        self._turn.stop()
        if self._loading is not None:
            self._loading.close()
            self._loading = None

    def _onOpacity(self, value: float) -> None:
        if self._node is not None:
            slicer.util.setSliceViewerLayers(foregroundOpacity=float(value))

    def _onHide(self, checked: bool = False) -> None:
        slicer.util.setSliceViewerLayers(foreground=None)
        node = self._node
        self.forget()
        if node is not None and node.GetScene() is not None:
            node.GetScene().RemoveNode(node)
