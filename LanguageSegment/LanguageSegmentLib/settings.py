"""What the panel remembers for a user from one start of Slicer to the next."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

GROUP = "LanguageSegment"
DEVICES = ("auto", "cpu", "cuda", "mps")
INTENSITIES = ("auto", "hu", "picture")


class Store(Protocol):
    """As much of QSettings as is needed."""

    def value(self, key: str, default: Any = None) -> Any: ...

    def setValue(self, key: str, value: Any) -> None: ...

    def remove(self, key: str) -> None: ...


@dataclass
class PanelSettings:
    """The settings, with what they are at first.

    Attributes:
        checkpoint: folder or file of the weights, "" for the bundled ones.
        device: one of ``DEVICES``.
        intensity: one of ``INTENSITIES``.
        onePerField: whether each field of a report gets a segmentation of its own.
        replaceEdited: whether segments edited by hand are replaced.
        opacity: of an explanation map, 0 to 1.
        folder: where files were last opened or saved.
    """

    checkpoint: str = ""
    device: str = "auto"
    intensity: str = "auto"
    onePerField: bool = False
    replaceEdited: bool = False
    opacity: float = 0.5
    folder: str = ""


_CHOICES = {"device": DEVICES, "intensity": INTENSITIES}


def readSettings(store: Store) -> PanelSettings:
    """Read the settings; what is missing, or not of its kind, is as at first.

    A settings file holds text only, so true and numbers come back as words.
    """
    settings = PanelSettings()
    for each in fields(PanelSettings):
        value = store.value(f"{GROUP}/{each.name}", None)
        if value is not None:
            setattr(settings, each.name, _fitting(each.name, value, each.default))
    return settings


def writeSettings(store: Store, settings: PanelSettings) -> None:
    """Remember the settings; what is as at first is not written, so that a later default reaches the user."""
    for each in fields(PanelSettings):
        value = getattr(settings, each.name)
        if value == each.default:
            store.remove(f"{GROUP}/{each.name}")
        else:
            store.setValue(f"{GROUP}/{each.name}", value)


def resetSettings(store: Store) -> PanelSettings:
    """Forget all settings and return those at first."""
    for each in fields(PanelSettings):
        store.remove(f"{GROUP}/{each.name}")
    return PanelSettings()


def _fitting(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        word = str(value).lower()
        return word in ("true", "1") if word in ("true", "false", "0", "1") else default
    if isinstance(default, float):
        try:
            number = float(value)
        except (TypeError, ValueError):
            return default
        return number if 0 <= number <= 1 else default
    text = str(value)
    return text if text in _CHOICES.get(name, (text,)) else default
