"""What went wrong without reaching the test: exceptions that Qt or VTK only print, and everybody's warnings."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

import vtk
from PySide6 import QtCore

# Said by Qt's offscreen platform, which has no window manager and no theme.
_OF_THE_PLATFORM = ("This plugin does not support", "propagateSizeHints")


class Faults(logging.Handler):
    """Collects faults while it is watching; :meth:`check` fails with all of them.

    Attributes:
        found: one text for each.
    """

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self._before: list[Callable[[], object]] = []

    def add(self, text: str) -> None:
        """Tell of a fault."""
        self.found.append(text)

    def guard(self, slot: Callable[..., Any]) -> Callable[..., Any]:
        """A slot whose exceptions are collected: PythonQt prints them and goes on."""

        def guarded(*values: Any) -> Any:
            try:
                return slot(*values)
            except Exception:
                self.add(f"raised in a slot:\n{traceback.format_exc()}")
                return None

        return guarded

    def emit(self, record: logging.LogRecord) -> None:
        self.add(f"logged: {self.format(record)}")

    def watch(self) -> None:
        """Begin: Python's own hook, in which VTK's observers end, Qt's messages, VTK's errors and warnings, the log."""
        hook = sys.excepthook
        sys.excepthook = self._onException
        handler = QtCore.qInstallMessageHandler(self._onQt)
        window = vtk.vtkOutputWindow.GetInstance()
        tags = [window.AddObserver(event, self._onVtk) for event in ("ErrorEvent", "WarningEvent")]
        logging.getLogger().addHandler(self)
        self._before = [
            lambda: setattr(sys, "excepthook", hook),
            lambda: QtCore.qInstallMessageHandler(handler),
            *(lambda tag=tag: window.RemoveObserver(tag) for tag in tags),
            lambda: logging.getLogger().removeHandler(self),
        ]

    def stop(self) -> None:
        """End watching."""
        for undo in self._before:
            undo()
        self._before = []

    def check(self) -> None:
        """Raise AssertionError if there is a fault."""
        found, self.found = self.found, []
        assert not found, "\n".join(["nobody but the console was told:", *found])

    def _onException(self, kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
        self.add("printed only:\n" + "".join(traceback.format_exception(kind, error, place)))

    def _onQt(self, kind: QtCore.QtMsgType, context: QtCore.QMessageLogContext, message: str) -> None:
        quiet = (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg)
        if kind not in quiet and not any(part in message for part in _OF_THE_PLATFORM):
            self.add(f"Qt says: {message}")

    @vtk.calldata_type(vtk.VTK_STRING)  # type: ignore[untyped-decorator]
    def _onVtk(self, window: Any, event: str, text: str) -> None:
        self.add(f"VTK says: {text.strip()}")
