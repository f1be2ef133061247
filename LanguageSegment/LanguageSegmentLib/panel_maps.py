"""Explanation maps on the screen: one over the volume, with a legend of what it means."""

from __future__ import annotations

from typing import Any

import slicer
import slicer.util

from LanguageSegmentLib.explanation import Explanation, legend, showingMap
from LanguageSegmentLib.panel_state import PanelState
from LanguageSegmentLib.qt_turns import Turns
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
        self._loading: Turns[Any] = Turns(self._onLoaded, state.failed)
        self._reset()
        ui.mapComboBox.connect("currentIndexChanged(int)", self._onMap)
        ui.opacitySlider.connect("valueChanged(double)", self._onOpacity)
        ui.hideMapButton.connect("clicked(bool)", self._onHide)

    def show(self, explanation: Explanation) -> None:
        """Show the first map of a sentence and offer the others."""
        self._loading.stop()
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
        self._loading.stop()
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
        return self._loading.isWorking

    def _showMap(self, number: int) -> None:
        found = self._explanation
        self._loading.stop()
        if found is None or not 0 <= number < len(found.maps):
            return
        self._name = found.maps[number].name
        self._loading.start(showingMap(found, self._name, self._node))

    def _onLoaded(self, node: Any) -> None:
        found = self._explanation
        assert found is not None
        self._node = node
        self._ui.legendLabel.text = legend(found, self._name)
        self._ui.hideMapButton.enabled = True
        slicer.util.setSliceViewerLayers(
            background=found.volumeNode, foreground=self._node, foregroundOpacity=float(self._ui.opacitySlider.value)
        )

    def _onOpacity(self, value: float) -> None:
        if self._node is not None:
            slicer.util.setSliceViewerLayers(foregroundOpacity=float(value))

    def _onHide(self, checked: bool = False) -> None:
        slicer.util.setSliceViewerLayers(foreground=None)
        node = self._node
        self.forget()
        if node is not None and node.GetScene() is not None:
            node.GetScene().RemoveNode(node)
