"""A worker that stays: it keeps the network loaded and gets one job after another; no Qt, no scene.

Jobs wait here, not in the worker, so that a cancel concerns one job alone.
"""

from __future__ import annotations

import collections
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from LanguageSegmentLib.runner import (
    CORE_FOLDER,
    Message,
    OnMessage,
    cancelledMessage,
    lastMessage,
    messageOf,
    workerPython,
    workerVariables,
)
from LanguageSegmentLib.worker_process import PipeProcess, WorkerProcess
from LMISCore.errors import LMISError

# How long a cancelled job may take to stop by itself; then the worker goes, and its loaded network with it.
CANCEL_SECONDS = 0.7


@dataclass(eq=False)
class _Job:
    number: str
    values: dict[str, Any]
    onMessage: OnMessage
    ended: bool = False
    cancelled: float | None = None
    messages: collections.deque[Message] = field(default_factory=collections.deque)


class ServingWorker:
    """Keeps one worker process for many jobs; it starts with the first and again after it was ended.

    Args:
        process: makes the process; None makes a subprocess.
        python: program and its options; None takes :func:`workerPython`.
        environment: variables on top of the present ones.
        clock: seconds.
    """

    def __init__(
        self,
        process: Callable[[], WorkerProcess] | None = None,
        python: Sequence[str] | None = None,
        environment: dict[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = process or PipeProcess
        self._python = list(python) if python is not None else None
        self._environment = environment
        self._clock = clock
        self._process: WorkerProcess | None = None
        self._pid: int | None = None
        self._rest = b""
        self._running: _Job | None = None
        self._waiting: collections.deque[_Job] = collections.deque()
        self._asked = 0

    @property
    def isBusy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running is not None or bool(self._waiting)

    @property
    def isWarm(self) -> bool:
        """Whether the process is there."""
        return self._process is not None

    def runner(self) -> ServedRunner:
        """Something that runs one job at a time in this worker, for ``SegmentReportRun`` and its like."""
        return ServedRunner(self)

    def submit(self, values: dict[str, Any], onMessage: OnMessage) -> _Job:
        """Queue a job; raises LMISError if the worker cannot be started."""
        self._asked += 1
        job = _Job(str(self._asked), values, onMessage)
        self._waiting.append(job)
        try:
            self._sendNext()
        except LMISError:
            self._drop(job)
            raise
        return job

    def cancel(self, job: _Job) -> None:
        """Stop a job, or take it out of the queue; its last message says so."""
        if job.ended or job.cancelled is not None:
            return
        job.cancelled = self._clock()
        if job is self._running:
            assert self._process is not None
            self._process.write(b'{"type": "cancel"}\n')
        else:
            self._drop(job)
            self._end(job, cancelledMessage())

    def abandon(self, job: _Job) -> None:
        """Stop a job that nobody listens to any more."""
        job.onMessage = lambda message: None
        self.cancel(job)

    def poll(self) -> None:
        """Take what the worker has sent, start what waits, and end a worker that does not stop."""
        if self._process is not None:
            self._take(self._process.read())
        if self._process is not None and (code := self._process.exitCode()) is not None:
            self._take(self._process.read())
            self._onExit(code)
        running = self._running
        since = running.cancelled if running is not None else None
        if running is not None and since is not None and self._clock() - since >= CANCEL_SECONDS:
            self._stop()
            self._end(running, cancelledMessage())
        self._sendNext()

    def close(self) -> None:
        """End the worker and all its jobs; a later job starts it again."""
        jobs = [*([self._running] if self._running is not None else []), *self._waiting]
        self._waiting.clear()
        self._stop()
        for job in jobs:
            self._end(job, cancelledMessage())

    def _drop(self, job: _Job) -> None:
        if job in self._waiting:
            self._waiting.remove(job)

    def _sendNext(self) -> None:
        if self._running is not None or not self._waiting:
            return
        if self._process is None:
            self._start()
        assert self._process is not None
        job = self._running = self._waiting.popleft()
        line = json.dumps({"type": "job", "id": job.number, "job": job.values}, ensure_ascii=False)
        self._process.write(line.encode("utf-8", "replace") + b"\n")

    def _start(self) -> None:
        process = self._make()
        command = [*(self._python or [workerPython()]), "-m", "LMISCore.worker", "--serve"]
        process.start(command, CORE_FOLDER, workerVariables(self._environment))
        self._process, self._pid, self._rest = process, None, b""

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = messageOf(line)
            if message is not None:
                self._onMessage(message)

    def _onMessage(self, message: Message) -> None:
        if message["type"] == "started":
            self._pid = int(message.get("pid", 0)) or None
        job = self._running
        if job is None or message.get("id") != job.number:
            return
        if message["type"] in ("result", "error"):
            self._end(job, message)
        else:
            job.messages.append(message)

    def _onExit(self, code: int) -> None:
        assert self._process is not None
        job, complaints = self._running, self._process.complaints()
        self._stop()
        if job is not None:
            self._end(job, lastMessage(code, job.cancelled is not None, complaints))

    def _end(self, job: _Job, message: Message) -> None:
        if job is self._running:
            self._running = None
        job.ended = True
        job.messages.append(message)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(self._pid)


class ServedRunner:
    """A ``WorkerRunner`` whose jobs run in a worker that stays."""

    def __init__(self, worker: ServingWorker) -> None:
        self._worker = worker
        self._job: _Job | None = None

    def start(self, job: dict[str, Any], onMessage: OnMessage) -> None:
        """Queue a job.

        Raises:
            LMISError: if one of this runner still runs, or the worker cannot be started.
        """
        if self._job is not None:
            raise LMISError("A job is still running; wait for it, or cancel it first.")
        self._job = self._worker.submit(job, onMessage)

    def poll(self) -> bool:
        """Hand over the messages that have come; whether the job still runs."""
        job = self._job
        if job is None:
            return False
        self._worker.poll()
        while job.messages:
            job.onMessage(job.messages.popleft())
        if job.ended:
            self._job = None
        return not job.ended

    def cancel(self) -> None:
        """Ask the job to stop; it still ends with a message."""
        if self._job is not None:
            self._worker.cancel(self._job)

    def close(self) -> None:
        """Give the job up if it still runs; the worker stays."""
        job, self._job = self._job, None
        if job is not None and not job.ended:
            self._worker.abandon(job)
