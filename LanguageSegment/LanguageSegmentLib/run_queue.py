"""Runs one after another: what is asked for while something runs waits its turn, so that two never mix."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.worker_messages import Progress
from LMISCore.errors import Cancelled

Failed = Callable[[BaseException], None]
Done = Callable[[Any], None]


class Run(Protocol):
    """Something that was started and is polled until it ends."""

    def poll(self) -> bool: ...

    def result(self) -> Any: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Request:
    """A run that is asked for.

    Attributes:
        make: starts it, given where to tell progress.
        done: gets its result.
        failed: gets the error, ``Cancelled`` included; nothing of it is in the scene then.
    """

    make: Callable[[Progress], Run]
    done: Done
    failed: Failed


class RunQueue:
    """Holds the run that is going on and those that wait.

    Args:
        progress: told of the one that is going on.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._running: tuple[Request, Run] | None = None
        self._waiting: deque[Request] = deque()
        self._cancelling = False

    @property
    def isBusy(self) -> bool:
        """Whether something runs or waits."""
        return self._running is not None or bool(self._waiting)

    @property
    def isRunning(self) -> bool:
        """Whether a run was started and has not ended."""
        return self._running is not None

    @property
    def isCancelling(self) -> bool:
        """Whether the run that is going on was asked to stop."""
        return self._cancelling

    @property
    def waiting(self) -> int:
        """How many runs wait behind the one that is going on or starts next."""
        return len(self._waiting) if self._running is not None else max(0, len(self._waiting) - 1)

    def add(self, request: Request) -> None:
        """Ask for a run; the next :meth:`poll` starts it if none is going on."""
        self._waiting.append(request)

    def poll(self) -> bool:
        """Start what is due, take what came, calling ``done`` or ``failed``; whether there is more to do."""
        if self._running is None and self._waiting:
            self._start(self._waiting.popleft())
        elif self._running is not None:
            self._look(*self._running)
        return self.isBusy

    def cancel(self) -> None:
        """Stop the run that is going on and drop those that wait; each ends with ``failed``."""
        dropped = list(self._waiting)
        self._waiting.clear()
        for request in dropped:
            request.failed(Cancelled(_("Cancelled as asked; nothing was written.")))
        if self._running is not None and not self._cancelling:
            self._cancelling = True
            self._running[1].cancel()

    def close(self) -> None:
        """Give everything up at once; neither ``done`` nor ``failed`` is called any more."""
        self._waiting.clear()
        running, self._running, self._cancelling = self._running, None, False
        if running is not None:
            running[1].close()

    def _start(self, request: Request) -> None:
        self._cancelling = False
        try:
            self._running = (request, request.make(self._progress))
        except Exception as error:
            request.failed(error)

    def _look(self, request: Request, run: Run) -> None:
        try:
            if run.poll():
                return
            result = run.result()
        except Exception as error:
            self._ended(run)
            request.failed(error)
            return
        self._ended(run)
        try:
            request.done(result)
        except Exception as error:
            request.failed(error)

    def _ended(self, run: Run) -> None:
        # A run that ends because the scene is closed may have been given up in the meantime.
        if self._running is not None and self._running[1] is run:
            self._running = None
            self._cancelling = False
        run.close()
