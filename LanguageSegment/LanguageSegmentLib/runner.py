"""The worker process, started, listened to and stopped; no Qt, and no scene.

The process speaks the lines of ``LMISCore/worker.py``. Whoever starts it polls: messages arrive on the caller's own
thread, so that they may touch the scene.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import LMISCore
from LanguageSegmentLib.translation import tr as _
from LMISCore.atomic import write_json
from LMISCore.errors import LMISError

Message = dict[str, Any]
OnMessage = Callable[[Message], None]

# The folder that holds LMISCore, for the worker's own Python.
CORE_FOLDER = Path(LMISCore.__file__).resolve().parent.parent
# How long the worker may take to stop by itself after it was asked to, and after it was told to end, in seconds.
GRACE_SECONDS = 5.0
_KEPT_LINES = 20


class WorkerRunner(Protocol):
    """What runs a job elsewhere than in this program."""

    def start(self, job: dict[str, Any], onMessage: OnMessage) -> None:
        """Start a job; ``onMessage`` gets each message while :meth:`poll` is called, ending with result or error."""

    def poll(self) -> bool:
        """Hand over the messages that have come; whether the job still runs."""

    def cancel(self) -> None:
        """Ask the job to stop; it still ends with a message, which later calls of :meth:`poll` hand over."""

    def close(self) -> None:
        """End the job if it still runs, at once, and free what it held."""


def workerPython() -> str:
    """The Python program that runs the worker: in Slicer its PythonSlicer, elsewhere the running one.

    Raises:
        LMISError: if there is none.
    """
    folder = Path(sys.executable).parent if sys.executable else Path()
    for name in ("PythonSlicer", "PythonSlicer.exe"):
        if (folder / name).is_file():
            return str(folder / name)
    if sys.executable:
        return sys.executable
    raise LMISError(_("No Python program was found to run the worker with; reinstall 3D Slicer."))


def workerVariables(added: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the worker: the present one, UTF-8 both ways, and LMISCore within reach."""
    variables = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:replace", **(added or {})}
    paths = [str(CORE_FOLDER), *filter(None, [variables.get("PYTHONPATH")])]
    return {**variables, "PYTHONPATH": os.pathsep.join(paths)}


class SubprocessRunner:
    """Runs one job after another in a process of its own.

    Args:
        python: program and its options; None takes :func:`workerPython`.
        environment: variables on top of the present ones.
    """

    def __init__(self, python: Sequence[str] | None = None, environment: dict[str, str] | None = None) -> None:
        self._python = list(python) if python is not None else None
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._complaints: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._onMessage: OnMessage = lambda message: None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._threads: list[threading.Thread] = []
        self._pid: int | None = None
        self._ended = False
        self._stopping: float | None = None
        self._terminated = False

    def start(self, job: dict[str, Any], onMessage: OnMessage) -> None:
        """Start the worker with a job, the keys of ``SegmentJob`` and "task".

        Raises:
            LMISError: if a job still runs or the process cannot be started.
        """
        if self._process is not None:
            raise LMISError("A job is still running; wait for it, or cancel it first.")
        self._folder = tempfile.TemporaryDirectory(prefix="lmis-job-", ignore_cleanup_errors=True)
        path = Path(self._folder.name, "job.json")
        write_json(path, job)
        command = [*(self._python or [workerPython()]), "-m", "LMISCore.worker", "--job", str(path)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=CORE_FOLDER,
                env=workerVariables(self._environment),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._free()
            raise LMISError(f"The worker {command[0]} could not be started: {error.strerror or error}.") from error
        self._onMessage, self._lines, self._complaints = onMessage, queue.Queue(), collections.deque(maxlen=_KEPT_LINES)
        self._pid, self._ended, self._stopping, self._terminated = self._process.pid, False, None, False
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in ((self._read, self._process.stdout), (self._listen, self._process.stderr))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(None)

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._complaints.append(line.decode("utf-8", "replace").rstrip())

    def poll(self) -> bool:
        """Hand over the messages that have come; whether the job still runs.

        An exception that ``onMessage`` raises comes out here; the messages after it wait for the next call.
        """
        if self._process is None:
            return False
        self._press()
        while True:
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return True
            if line is None:
                self._finish()
                return False
            message = messageOf(line)
            if message is None:
                continue
            if message["type"] == "started":
                self._pid = int(message.get("pid") or self._process.pid)
            self._ended = self._ended or message["type"] in ("result", "error")
            self._onMessage(message)

    def _finish(self) -> None:
        assert self._process is not None
        try:
            code = self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._end(kill=True)
            code = self._process.wait()
        onMessage, ended, stopping = self._onMessage, self._ended, self._stopping is not None
        for thread in self._threads:
            thread.join(1)
        complaints = list(self._complaints)
        self._free()
        if not ended:
            onMessage(lastMessage(code, stopping, complaints))

    def cancel(self) -> None:
        """Ask the worker to stop by a line; one that does not within some seconds is terminated, then killed."""
        if self._process is None or self._stopping is not None:
            return
        self._stopping = time.monotonic()
        assert self._process.stdin is not None
        # A worker that is gone already needs no line.
        with contextlib.suppress(OSError):
            self._process.stdin.write(b'{"type": "cancel"}\n')
            self._process.stdin.flush()

    def _press(self) -> None:
        """Go from asking to terminating to killing when the worker does not stop."""
        if self._stopping is None:
            return
        waited = time.monotonic() - self._stopping
        if waited > 2 * GRACE_SECONDS:
            self._end(kill=True)
        elif waited > GRACE_SECONDS and not self._terminated:
            self._end(kill=False)

    def _end(self, kill: bool) -> None:
        # The process that was started may be a launcher whose end would leave the worker running: both go.
        assert self._process is not None and self._pid is not None
        self._terminated = True
        # While its output is open the worker lives, and its number is nobody else's.
        if self._pid != self._process.pid and self._threads[0].is_alive():
            sent = signal.SIGTERM if not kill or sys.platform == "win32" else signal.SIGKILL
            with contextlib.suppress(OSError):
                os.kill(self._pid, sent)
        if kill:
            self._process.kill()
        elif self._pid == self._process.pid:
            self._process.terminate()

    def close(self) -> None:
        """End the worker if it still runs; it gets a moment to stop by itself, since its stdin closes."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            self._end(kill=True)
            process.wait()
        self._threads[0].join(1)
        if self._threads[0].is_alive():
            self._end(kill=True)
        for thread in self._threads:
            thread.join(1)
        self._free()

    def _free(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for stream, thread in zip((process.stdout, process.stderr), self._threads, strict=True):
                # A stream that a thread still reads, because something forked holds its other end, cannot be closed.
                if stream is not None and not thread.is_alive():
                    stream.close()
            with contextlib.suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def messageOf(line: bytes) -> Message | None:
    """A message of the protocol; None for a line that something else printed."""
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("type"), str) else None


def cancelledMessage() -> Message:
    """What a job ends with that was asked to stop."""
    return {"type": "error", "kind": "cancelled", "message": _("Cancelled as asked; nothing was written.")}


def lastMessage(code: int, stopping: bool, complaints: Sequence[str]) -> Message:
    """What to tell of a worker that ended without a last message."""
    if stopping:
        return cancelledMessage()
    missing = next((line for line in reversed(complaints) if line.startswith("ModuleNotFoundError:")), None)
    if missing is not None:
        name = missing.rsplit(" ", 1)[-1].strip("'\"")
        message = _("The Python package {name} is not installed; install the module's Python packages first.").format(
            name=name
        )
        return {"type": "error", "kind": "missing_dependency", "message": message}
    message = (
        _("The worker process was ended by signal {number}; memory may have run out: try a smaller volume.")
        if code < 0
        else _("The worker process ended with exit code {number}; memory may have run out: try a smaller volume.")
    ).format(number=abs(code))
    return {"type": "error", "kind": "crashed", "message": message, "stderr": list(complaints)}
