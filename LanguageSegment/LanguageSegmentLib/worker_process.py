"""The process in which a serving worker lives, as little of it as needed, and the one that needs no Qt."""

from __future__ import annotations

import collections
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import LMISError

KEPT_LINES = 20


class WorkerProcess(Protocol):
    """A process that lines are written to and read from, without ever waiting for it."""

    def start(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        """Start it; raises LMISError in one sentence if it cannot be."""

    def write(self, data: bytes) -> None:
        """Send bytes to its stdin; one that is gone takes them silently."""

    def read(self) -> bytes:
        """Return what it wrote on stdout since the last call."""

    def complaints(self) -> list[str]:
        """Return the last lines that it wrote on stderr."""

    def exitCode(self) -> int | None:
        """Return None while it runs, then its exit code, a negative signal number if one ended it."""

    def end(self, pid: int | None) -> None:
        """Stop it at once, and the process ``pid`` that it may have started in its place."""

    def pid(self) -> int:
        """Return its number."""


def notStarted(program: str, why: str) -> LMISError:
    """The error for a program that cannot be started."""
    return LMISError(
        _("The worker {program} could not be started: {why}; reinstall 3D Slicer or the extension.").format(
            program=program, why=why
        )
    )


def endProcess(pid: int) -> None:
    """Kill a process by its number; one that is gone already is no error."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


class PipeProcess:
    """A subprocess, its output read by threads that touch nothing else; for scripts and tests."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._output: queue.Queue[bytes] = queue.Queue()
        self._complaints: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._threads: list[threading.Thread] = []

    def start(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=dict(variables),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise notStarted(command[0], str(error.strerror or error)) from error
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in ((self._take, self._process.stdout), (self._listen, self._process.stderr))
        ]
        for thread in self._threads:
            thread.start()

    def _take(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._output.put(line)

    def _listen(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._complaints.append(line.decode("utf-8", "replace").rstrip())

    def write(self, data: bytes) -> None:
        assert self._process is not None and self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def read(self) -> bytes:
        parts = []
        with contextlib.suppress(queue.Empty):
            while True:
                parts.append(self._output.get_nowait())
        return b"".join(parts)

    def complaints(self) -> list[str]:
        return list(self._complaints)

    def exitCode(self) -> int | None:
        assert self._process is not None
        code = self._process.poll()
        # What it said last is still on its way while the readers run, unless something forked holds the pipes.
        if code is not None:
            for thread in self._threads:
                thread.join(1)
        return code

    def end(self, pid: int | None) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        if pid is not None and pid != process.pid and self._threads[0].is_alive():
            endProcess(pid)
        process.kill()
        process.wait()
        for thread in self._threads:
            thread.join(1)

    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid
