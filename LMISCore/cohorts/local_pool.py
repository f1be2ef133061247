"""Workers of this machine: processes that stay, with the network loaded, and speak the worker's protocol. No torch."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import LMISCore
from LMISCore.cohorts.pool import BROKEN, DONE, FAILED, LOST, Event
from LMISCore.errors import InputError

CLOSE_SECONDS = 5.0
COMMAND = ("-m", "LMISCore.worker", "--serve")


class _Process:
    """One worker process: starting, then free or with a job, then ended."""

    def __init__(self, slot: int, device: str, log: Path, environment: Mapping[str, str], lines: Any) -> None:
        self.slot = slot
        self.device = device
        self.job: str | None = None
        self.pid: int | None = None
        self.is_ready = False
        self.has_ended = False
        self._lines = lines
        try:
            with log.open("ab") as errors:
                self.popen = subprocess.Popen(
                    [sys.executable, *COMMAND],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=dict(environment),
                    encoding="utf-8",
                    errors="replace",
                    # Ctrl-C is for the run alone: it tells its workers itself.
                    start_new_session=True,
                )
        except OSError as error:
            raise InputError(
                f"A worker could not be started ({error.strerror or error}); free memory or disk, or ask for fewer "
                "workers."
            ) from error
        threading.Thread(target=self._read, name=f"lmis-worker-{slot}", daemon=True).start()

    def _read(self) -> None:
        stream: IO[str] | None = self.popen.stdout
        assert stream is not None
        with stream:
            for line in stream:
                with contextlib.suppress(ValueError):
                    self._lines.put((self, json.loads(line)))
        self._lines.put((self, None))

    def say(self, values: Mapping[str, Any]) -> None:
        """Write a line; a worker that has ended is noticed by the end of its lines."""
        assert self.popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.popen.stdin.write(json.dumps(values) + "\n")
            self.popen.stdin.flush()

    def hang_up(self) -> None:
        assert self.popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.popen.stdin.close()

    def kill(self) -> None:
        """End it at once, and the worker behind a launcher too."""
        if self.pid is not None and self.pid != self.popen.pid and os.name != "nt":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.popen.kill()

    def ending(self) -> str:
        """How it ended, for people."""
        try:
            code = self.popen.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            return "stopped answering"
        if code < 0:
            with contextlib.suppress(ValueError):
                return f"was killed by {signal.Signals(-code).name}"
        return f"ended with code {code}"


class LocalPool:
    """Worker processes on this machine.

    Args:
        logs: folder for what their libraries print, a file for each worker.
        label: begins those files' names, so that parts of one table do not share them.
        devices: taken in turn by the workers.
        threads: of each worker; None leaves the choice to the environment.

    Raises:
        InputError: if a worker cannot be started.
    """

    def __init__(self, logs: Path, label: str, devices: Sequence[str], threads: int | None) -> None:
        self._logs = logs
        self._label = label
        self._devices = list(devices)
        self._lines: queue.Queue[tuple[_Process, dict[str, Any] | None]] = queue.Queue()
        self._workers: list[_Process] = []
        self._environment = dict(os.environ)
        # The package may be in use from a folder that only this process has on its path.
        home = str(Path(LMISCore.__file__).parents[1])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._environment["PYTHONPATH"] = os.pathsep.join(paths)
        self._environment["PYTHONIOENCODING"] = "utf-8"
        if threads is not None:
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
                self._environment.setdefault(name, str(threads))

    def resize(self, workers: int, memory: int = 0) -> None:
        for slot in range(len(self._workers), workers):
            self._workers.append(self._start(slot))

    def _start(self, slot: int) -> _Process:
        log = self._logs / f"{self._label}worker-{slot + 1}.log"
        device = self._devices[slot % len(self._devices)]
        return _Process(slot, device, log, self._environment, self._lines)

    def pids(self) -> list[int]:
        """Numbers of the worker processes that have started."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    def free(self) -> int:
        return len(self._free())

    def _free(self) -> list[_Process]:
        return [worker for worker in self._workers if worker.is_ready and worker.job is None]

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        worker = self._free()[0]
        worker.job = identifier
        part = (
            {"segment": {**job["segment"], "device": worker.device}} if "segment" in job else {"device": worker.device}
        )
        worker.say({"type": "job", "id": identifier, "job": {**job, **part}})

    def wait(self, seconds: float) -> list[Event]:
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            worker, line = self._lines.get(timeout=seconds)
            events += self._heard(worker, line)
            while True:
                worker, line = self._lines.get_nowait()
                events += self._heard(worker, line)
        return events

    def _heard(self, worker: _Process, line: dict[str, Any] | None) -> list[Event]:
        if line is None:
            return self._ended(worker)
        kind = line.get("type")
        if kind == "started":
            worker.pid = line.get("pid")
        elif kind == "ready":
            worker.is_ready = True
        elif kind in ("result", "error") and worker.job is not None and line.get("id") == worker.job:
            job, worker.job = worker.job, None
            return [Event(DONE if kind == "result" else FAILED, job, line)]
        return []

    def _ended(self, worker: _Process) -> list[Event]:
        worker.has_ended = True
        if worker not in self._workers:
            return []
        how = worker.ending()
        worker.hang_up()
        self._workers[worker.slot] = self._start(worker.slot)
        if worker.job is not None:
            return [Event(LOST, worker.job, {"message": f"the worker {how}"})]
        words = f"Worker {worker.slot + 1} {how} before it was ready; {self._logs} says why."
        return [] if worker.is_ready else [Event(BROKEN, "", {"message": words})]

    def drop(self, identifier: str) -> None:
        for worker in self._workers:
            if worker.job == identifier:
                worker.kill()

    def close(self) -> None:
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.say({"type": "cancel"})
            worker.hang_up()
        end = time.monotonic() + CLOSE_SECONDS
        for worker in workers:
            try:
                worker.popen.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.popen.wait()
