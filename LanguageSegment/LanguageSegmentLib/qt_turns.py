"""Qt's clock: something done once, later, and long work done in turns of the window's event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic

import qt

from LanguageSegmentLib.portions import Portions, Result, Work


def onceAfter(milliseconds: int, call: Callable[[], None]) -> Any:
    """Return a ``QTimer`` that calls once, that long after each ``start``; at 0 in the event loop's next turn."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", call)
    return timer


class Turns(Generic[Result]):
    """One piece of long work at a time, a portion in each turn of the event loop.

    Args:
        onDone: called with the work's result.
        onError: called with what the work raised; it is given up then.
    """

    def __init__(self, onDone: Callable[[Result], None], onError: Callable[[Exception], None]) -> None:
        self._onDone = onDone
        self._onError = onError
        self._work: Portions[Result] | None = None
        self._turn = onceAfter(0, self._onTurn)

    @property
    def isWorking(self) -> bool:
        """Whether there is something left to do."""
        return self._work is not None

    def start(self, work: Work[Result]) -> None:
        """Begin with some work, which takes the place of what was being done."""
        self.stop()
        self._work = Portions(work)
        self._turn.start()

    def stop(self) -> None:
        """Give up what is being done, without a word."""
        self._turn.stop()
        if self._work is not None:
            self._work.close()
            self._work = None

    def _onTurn(self) -> None:
        work = self._work
        if work is None:
            return
        try:
            if work.go():
                self._turn.start()
                return
        except Exception as error:
            self.stop()
            self._onError(error)
            return
        self._work = None
        self._onDone(work.result)
