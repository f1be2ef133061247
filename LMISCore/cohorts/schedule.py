"""Which worker gets which case, and what happens when one does not come back. No torch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from LMISCore.cohorts.pool import BROKEN, DONE, FAILED, LOST, Event, Pool
from LMISCore.errors import Cancelled, InputError

TICK_SECONDS = 0.5
MOST_BROKEN = 3
# A case may fail; where these go wrong, every case would.
STOPPING_KINDS = ("disk_full", "other_version", "missing_dependency")

Progress = Callable[[int, int, str], "bool | None"]
Failed = Callable[[str, str, str], None]


@dataclass
class Tally:
    """What became of the cases that were given to workers.

    Attributes:
        done: segmented now.
        kept: their result was there already, made from the same contents.
        failed: their sentence was written.
        seconds: of segmenting, in the workers.
        retried: how many times a case was given again because its worker ended.
    """

    done: int = 0
    kept: int = 0
    failed: int = 0
    seconds: float = 0.0
    retried: int = 0

    @property
    def finished(self) -> int:
        """Cases that need no worker any more, with or without a result."""
        return self.done + self.kept + self.failed


@dataclass
class Schedule:
    """Gives each case to a free worker until all are finished.

    Attributes:
        pool: the workers.
        failed: called with (id, kind, message) for each case that failed.
        attempts: how often a case is tried whose worker ends while it has it.
        case_seconds: a worker that takes longer over one case is ended; 0 is no limit.
        start_seconds: how long to wait for a first worker.
        progress: called with (done, total, stage), ``stage`` naming failures and time left; False stops.
        before, total: cases that were finished before, and all of them, for the progress.
    """

    pool: Pool
    failed: Failed
    attempts: int = 3
    case_seconds: float = 0.0
    start_seconds: float = 600.0
    progress: Progress | None = None
    before: int = 0
    total: int = 0
    tally: Tally = field(default_factory=Tally)

    def run(self, jobs: Mapping[str, dict[str, Any]]) -> Tally:
        """Run the jobs, by case id, in their order; a case whose worker ended goes to the end of the line.

        Raises:
            Cancelled: if the progress callback returned False.
            InputError: if no worker becomes ready, or what went wrong with one case would with all.
        """
        self._jobs, self._tries = jobs, dict.fromkeys(jobs, 0)
        self._waiting, self._running = deque(jobs), {}
        self._broken, self._started, self._ready_since = 0, time.monotonic(), 0.0
        while self._waiting or self._running:
            self._tell()
            while self._waiting and self.pool.free():
                self._give(self._waiting.popleft())
            for event in self.pool.wait(TICK_SECONDS):
                self._take(event)
            self._watch()
        self._tell()
        return self.tally

    _jobs: Mapping[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _tries: dict[str, int] = field(default_factory=dict, init=False)
    _waiting: deque[str] = field(default_factory=deque, init=False)
    _running: dict[str, float] = field(default_factory=dict, init=False)
    _broken: int = field(default=0, init=False)
    _started: float = field(default=0.0, init=False)
    _ready_since: float = field(default=0.0, init=False)

    def _give(self, identifier: str) -> None:
        now = time.monotonic()
        self._ready_since = self._ready_since or now
        self._running[identifier] = now
        self._tries[identifier] += 1
        self.pool.give(identifier, self._jobs[identifier])

    def _take(self, event: Event) -> None:
        if event.kind == BROKEN:
            self._broken += 1
            if self._broken >= MOST_BROKEN:
                raise InputError(event.values["message"])
            return
        self._running.pop(event.job, None)
        if event.kind == DONE:
            self._broken = 0
            if event.values.get("state") == "kept":
                self.tally.kept += 1
            else:
                self.tally.done += 1
                self.tally.seconds += float(event.values.get("seconds", 0))
        elif event.kind == LOST:
            self._lost(event)
        elif event.kind == FAILED:
            kind, message = str(event.values.get("kind")), str(event.values.get("message"))
            if kind in STOPPING_KINDS:
                raise InputError(message)
            if kind == "cancelled":
                # Somebody stopped this worker alone.
                self._lost(Event(LOST, event.job, {"message": "the worker was stopped"}))
                return
            self._broken = 0
            self._fail(event.job, kind, message)

    def _lost(self, event: Event) -> None:
        tries = self._tries[event.job]
        if tries < self.attempts:
            self.tally.retried += 1
            self._waiting.append(event.job)
            return
        times = "once" if tries == 1 else f"{tries} times"
        message = (
            f"The case was tried {times} and its worker never came back ({event.values['message']}); it may need more "
            "memory than there is, so give it fewer workers, or look at its volume."
        )
        self._fail(event.job, "worker_lost", message)

    def _fail(self, identifier: str, kind: str, message: str) -> None:
        self.tally.failed += 1
        self.failed(identifier, kind, " ".join(message.split()))

    def _watch(self) -> None:
        """End a worker that takes too long, and give up when none ever comes."""
        now = time.monotonic()
        if self.case_seconds:
            for identifier, since in list(self._running.items()):
                if now - since > self.case_seconds:
                    # Waits for the LOST event that follows, and meanwhile is not dropped again.
                    self._running[identifier] = now
                    self.pool.drop(identifier)
        if not self._running and not self._ready_since and now - self._started > self.start_seconds:
            raise InputError(
                f"No worker was ready within {self.start_seconds:.0f} s; ask for fewer or smaller workers, or start "
                "again when there is room."
            )

    def _tell(self) -> None:
        if self.progress is None:
            return
        parts = ["segmenting cases"]
        if self.tally.failed:
            parts.append(f"{self.tally.failed} failed")
        if self.tally.finished:
            left = len(self._waiting) + len(self._running)
            each = (time.monotonic() - self._ready_since) / self.tally.finished
            parts.append(f"about {readable_time(left * each)} left")
        if self.progress(self.before + self.tally.finished, self.total, ", ".join(parts)) is False:
            raise Cancelled("Stopped as asked; finished cases are kept, so start the same command again to go on.")


def readable_time(seconds: float) -> str:
    """A span of time for people, in its largest useful unit.

    >>> readable_time(8.2), readable_time(200), readable_time(9000)
    ('8 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
