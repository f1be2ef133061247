"""Ctrl-C and a scheduler's SIGTERM as a wish to stop at the next safe place, not as an end in the middle."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """While this is entered, the first signal is remembered; a second one ends the process as it usually does.

    Batch systems send SIGTERM some seconds before they kill. Does nothing outside the main thread, where Python takes
    no signal handlers.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def go_on(self, can_stop: bool) -> bool | None:
        """What a progress callback returns: False to stop.

        Args:
            can_stop: whether False is understood at this place; if not, the wish ends the command at once.

        Raises:
            KeyboardInterrupt: if a stop was asked for where nothing need be saved.
        """
        if self.asked and not can_stop:
            raise KeyboardInterrupt
        return False if self.asked else None

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
