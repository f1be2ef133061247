"""The worker's process in the application: QProcess, which reads without threads of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from LanguageSegmentLib.worker_process import KEPT_LINES, endProcess, notStarted

_START_MILLISECONDS = 5000
_END_MILLISECONDS = 2000


class QtProcess:
    """A ``WorkerProcess`` by QProcess; what it says arrives while the application's event loop runs."""

    def __init__(self) -> None:
        import qt

        self._process: Any = qt.QProcess()
        self._complained = b""

    def start(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        import qt

        environment = qt.QProcessEnvironment()
        for name, value in variables.items():
            environment.insert(name, value)
        self._process.setProcessEnvironment(environment)
        self._process.setWorkingDirectory(str(folder))
        self._process.start(command[0], list(command[1:]))
        if not self._process.waitForStarted(_START_MILLISECONDS):
            raise notStarted(command[0], str(self._process.errorString()))

    def write(self, data: bytes) -> None:
        import qt

        if self._process.state() == qt.QProcess.Running:
            self._process.write(data)

    def read(self) -> bytes:
        return bytes(self._process.readAllStandardOutput().data() or b"")

    def complaints(self) -> list[str]:
        self._complained += bytes(self._process.readAllStandardError().data() or b"")
        lines = self._complained.decode("utf-8", "replace").splitlines()[-KEPT_LINES:]
        self._complained = "\n".join(lines).encode("utf-8")
        return lines

    def exitCode(self) -> int | None:
        import qt

        if self._process.state() != qt.QProcess.NotRunning:
            return None
        code = int(self._process.exitCode())
        # On a crash Qt gives the signal's number.
        return -code if self._process.exitStatus() == qt.QProcess.CrashExit else code

    def end(self, pid: int | None) -> None:
        import qt

        if self._process.state() == qt.QProcess.NotRunning:
            return
        if pid is not None and pid != self.pid():
            endProcess(pid)
        self._process.kill()
        self._process.waitForFinished(_END_MILLISECONDS)

    def pid(self) -> int:
        return int(self._process.processId())
