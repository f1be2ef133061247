"""Weights, device and settings on the screen, remembered for the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from LanguageSegmentLib.settings import (
    DEVICES,
    INTENSITIES,
    PanelSettings,
    Store,
    readSettings,
    resetSettings,
    writeSettings,
)
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.weights_card import WeightsCard, shortCard, warnings, weightsCard

_BUNDLED, _OTHER = 0, 1


class PanelChoices:
    """Ties the widgets of the sections "Weights and device" and "Settings" to the user's settings.

    Args:
        ui: the widgets.
        store: where the settings are kept.
        onChange: called when the user changed one.
    """

    def __init__(self, ui: Any, store: Store, onChange: Callable[[], None]) -> None:
        self._ui = ui
        self._store = store
        self._onChange = onChange
        self._showing = False
        self._warnedAbout: tuple[Any, ...] = ()
        self._warned: list[str] = []
        self.settings = readSettings(store)
        self._show()
        ui.checkpointComboBox.connect("currentIndexChanged(int)", self._onChoice)
        ui.deviceComboBox.connect("currentIndexChanged(int)", self._onChoice)
        ui.intensityComboBox.connect("currentIndexChanged(int)", self._onChoice)
        ui.checkpointPathLineEdit.connect("currentPathChanged(QString)", self._onChoice)
        ui.onePerFieldCheckBox.connect("toggled(bool)", self._onChoice)
        ui.replaceEditedCheckBox.connect("toggled(bool)", self._onChoice)
        ui.opacitySlider.connect("valueChanged(double)", self._onOpacity)

    @property
    def checkpoint(self) -> str | None:
        """Folder or file of the weights, None for the bundled ones; "" while another is to be chosen."""
        return self.settings.checkpoint if int(self._ui.checkpointComboBox.currentIndex) == _OTHER else None

    def card(self) -> WeightsCard:
        """The card of the chosen weights, or why there is none."""
        if self.checkpoint == "":
            return WeightsCard("", _("Choose the folder or file of the weights."), None)
        return weightsCard(self.checkpoint)

    def showCard(self, volumeNode: Any, report: str) -> WeightsCard:
        """Show the card in two lines, and a warning where volume or report lie outside of it."""
        found = self.card()
        label, warning = self._ui.cardLabel, self._ui.cardWarningLabel
        label.text = found.problem if found.card is None else shortCard(found.card)
        label.toolTip = "" if found.card is None else "\n".join([found.lines, *found.card.limits])
        outside = self._outside(found, volumeNode, report)
        warning.text = "\n".join(f"⚠ {sentence}" for sentence in outside)
        warning.visible = bool(outside)
        return found

    def _outside(self, found: WeightsCard, volumeNode: Any, report: str) -> list[str]:
        image = volumeNode.GetImageData() if volumeNode is not None else None
        voxels = None if image is None else (volumeNode.GetID(), id(image), image.GetMTime())
        about = (found.lines, voxels, report, self.settings.intensity)
        # Looking at all voxels and reading the report anew at every change would be felt.
        if about != self._warnedAbout:
            self._warnedAbout = about
            self._warned = warnings(found.card, volumeNode, report, self.settings.intensity)
        return self._warned

    def reset(self) -> None:
        """Put everything back as it was at first, also for the next start."""
        self.settings = resetSettings(self._store)
        self._show()
        self._onChange()

    def rememberFolder(self, path: str) -> None:
        """Remember the folder of a file that was opened or saved."""
        self.settings.folder = str(Path(path).parent)
        writeSettings(self._store, self.settings)

    def _show(self) -> None:
        self._showing = True
        ui, settings = self._ui, self.settings
        ui.checkpointComboBox.currentIndex = _OTHER if settings.checkpoint else _BUNDLED
        ui.checkpointPathLineEdit.currentPath = settings.checkpoint
        ui.deviceComboBox.currentIndex = DEVICES.index(settings.device)
        ui.intensityComboBox.currentIndex = INTENSITIES.index(settings.intensity)
        ui.onePerFieldCheckBox.checked = settings.onePerField
        ui.replaceEditedCheckBox.checked = settings.replaceEdited
        ui.opacitySlider.value = settings.opacity
        self._showing = False
        self._showPath()

    def _showPath(self) -> None:
        other = int(self._ui.checkpointComboBox.currentIndex) == _OTHER
        self._ui.checkpointPathLabel.visible = other
        self._ui.checkpointPathLineEdit.visible = other

    def _onOpacity(self, value: float) -> None:
        if not self._showing:
            self.settings.opacity = float(value)
            writeSettings(self._store, self.settings)

    # Signals of several kinds come here; what they carry is read from the widgets.
    def _onChoice(self, changed: Any = None) -> None:
        if self._showing:
            return
        ui = self._ui
        other = int(ui.checkpointComboBox.currentIndex) == _OTHER
        self.settings = PanelSettings(
            checkpoint=str(ui.checkpointPathLineEdit.currentPath or "").strip() if other else "",
            device=DEVICES[int(ui.deviceComboBox.currentIndex)],
            intensity=INTENSITIES[int(ui.intensityComboBox.currentIndex)],
            onePerField=bool(ui.onePerFieldCheckBox.checked),
            replaceEdited=bool(ui.replaceEditedCheckBox.checked),
            opacity=self.settings.opacity,
            folder=self.settings.folder,
        )
        writeSettings(self._store, self.settings)
        self._showPath()
        self._onChange()
