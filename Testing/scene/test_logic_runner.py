"""The worker process from the outside: its messages, its crashes, and how it is stopped, launcher or not."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from LanguageSegmentLib import runner
from LanguageSegmentLib.runner import SubprocessRunner, workerPython
from LMISCore.errors import LMISError

SAY = "import json, os, sys, time\ndef say(**message):\n    print(json.dumps(message), flush=True)\n"
STUBBORN = SAY + (
    "import signal\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "say(type='started', pid=os.getpid())\n"
    "while True: time.sleep(0.05)\n"
)


class Run:
    """A runner whose worker is a script of the test's."""

    def __init__(self, script: Path, body: str) -> None:
        script.write_text(body, encoding="utf-8")
        self.runner = SubprocessRunner([sys.executable, str(script)])
        self.messages: list[dict[str, Any]] = []
        self.threads: set[int] = set()

    def start(self, job: dict[str, Any] | None = None) -> None:
        self.runner.start(job or {"task": "segment"}, self._take)

    def _take(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.threads.add(threading.get_ident())

    def until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not ready():
            assert time.monotonic() < end, self.messages
            time.sleep(0.01)

    def finish(self) -> None:
        self.until(lambda: not self.runner.poll())

    def started(self) -> int:
        """Wait for the first message and return the pid it tells."""
        self.until(lambda: self.runner.poll() and bool(self.messages))
        return int(self.messages[0]["pid"])


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Callable[[str], Run]]:
    runs: list[Run] = []

    def make(body: str) -> Run:
        runs.append(Run(tmp_path / f"worker{len(runs)}.py", body))
        return runs[-1]

    yield make
    for run in runs:
        run.runner.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.3)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that ended and was not waited for still has its number.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"


def test_messages_come_in_order_on_the_thread_that_polls(scripted: Any) -> None:
    run = scripted(
        SAY + "say(type='started', pid=os.getpid())\nsay(type='log', message='左肺')\nsay(type='result', segments=0)\n"
    )
    run.start()
    time.sleep(0.3)
    assert run.messages == []
    run.finish()
    assert [message["type"] for message in run.messages] == ["started", "log", "result"]
    assert run.messages[1]["message"] == "左肺" and run.threads == {threading.get_ident()}


def test_the_worker_gets_its_job_as_a_file_and_speaks_utf_8(scripted: Any) -> None:
    run = scripted(
        SAY + "job = json.load(open(sys.argv[-1], encoding='utf-8'))\n"
        "say(type='result', got=job, arguments=sys.argv[1:4], utf8=sys.flags.utf8_mode, path=sys.argv[-1])\n"
    )
    run.start({"task": "segment", "text": "左肺 é"})
    run.finish()
    (result,) = run.messages
    assert result["got"] == {"task": "segment", "text": "左肺 é"} and result["utf8"] == 1
    assert result["arguments"] == ["-m", "LMISCore.worker", "--job"]
    assert not Path(result["path"]).exists()


def test_lines_that_are_no_messages_are_passed_over(scripted: Any) -> None:
    run = scripted(SAY + "print('noise')\nprint('[1]')\nprint('{')\nprint('{\"a\": 1}')\nsay(type='result')\n")
    run.start()
    run.finish()
    assert run.messages == [{"type": "result"}]


def test_a_crash_is_told_once_with_its_exit_code(scripted: Any) -> None:
    run = scripted(SAY + "say(type='started', pid=os.getpid())\nprint('why', file=sys.stderr)\nsys.exit(7)\n")
    run.start()
    run.finish()
    assert not run.runner.poll()
    last = run.messages[-1]
    assert (last["type"], last["kind"], last["stderr"]) == ("error", "crashed", ["why"])
    assert "ended with exit code 7; memory may have run out" in last["message"] and len(run.messages) == 2


def test_a_missing_package_is_named(scripted: Any) -> None:
    run = scripted("import a_package_that_nobody_has\n")
    run.start()
    run.finish()
    assert run.messages[-1]["kind"] == "missing_dependency"
    assert "a_package_that_nobody_has is not installed" in run.messages[-1]["message"]


def test_after_an_error_message_the_exit_code_adds_nothing(scripted: Any) -> None:
    run = scripted(SAY + "say(type='error', kind='bad_input', message='No.')\nsys.exit(2)\n")
    run.start()
    run.finish()
    assert run.messages == [{"type": "error", "kind": "bad_input", "message": "No."}]


def test_cancel_is_a_line_on_stdin(scripted: Any) -> None:
    run = scripted(
        SAY + "say(type='started', pid=os.getpid())\nline = json.loads(sys.stdin.readline())\n"
        "say(type='error', kind='cancelled', message=line['type'])\n"
    )
    run.start()
    run.started()
    run.runner.cancel()
    run.runner.cancel()
    run.finish()
    assert run.messages[-1] == {"type": "error", "kind": "cancelled", "message": "cancel"}


def test_a_worker_that_does_not_stop_is_ended_and_counts_as_cancelled(scripted: Any, hurried: None) -> None:
    run = scripted(STUBBORN)
    run.start()
    pid = run.started()
    run.runner.cancel()
    run.finish()
    assert run.messages[-1]["kind"] == "cancelled" and not _alive(pid)


LAUNCHER = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, {child!r}, *sys.argv[1:]]))\n"


@pytest.mark.parametrize("way", ["cancel", "close"])
def test_a_worker_behind_a_launcher_is_ended_with_it(scripted: Any, hurried: None, tmp_path: Path, way: str) -> None:
    child = tmp_path / "child.py"
    child.write_text(STUBBORN, encoding="utf-8")
    run = scripted(LAUNCHER.format(child=str(child)))
    run.start()
    pid = run.started()
    assert _alive(pid)
    if way == "cancel":
        run.runner.cancel()
        run.finish()
    else:
        run.runner.close()
    run.until(lambda: not _alive(pid), 5)
    assert not run.runner.poll()


def test_one_job_at_a_time_and_the_next_after_it(scripted: Any) -> None:
    run = scripted(SAY + "sys.stdin.readline()\nsay(type='result')\n")
    run.start()
    with pytest.raises(LMISError, match="still running"):
        run.start()
    run.runner.cancel()
    run.finish()
    run.start()
    run.runner.cancel()
    run.finish()
    assert run.messages == [{"type": "result"}] * 2


def test_an_error_in_taking_a_message_loses_none(scripted: Any) -> None:
    run = scripted(SAY + "say(type='log', message='1')\nsay(type='result')\n")
    taken: list[str] = []

    def take(message: dict[str, Any]) -> None:
        taken.append(message["type"])
        if message["type"] == "log":
            raise ZeroDivisionError

    run.runner.start({"task": "segment"}, take)
    with pytest.raises(ZeroDivisionError):
        run.until(lambda: not run.runner.poll())
    run.finish()
    assert taken == ["log", "result"]


def test_a_program_that_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LMISError, match=r"could not be started: No such file"):
        SubprocessRunner([str(tmp_path / "nowhere")]).start({"task": "segment"}, lambda message: None)


def test_in_slicer_the_worker_runs_under_pythonslicer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "PythonSlicer").touch()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python-real"))
    assert workerPython() == str(tmp_path / "PythonSlicer")
    (tmp_path / "PythonSlicer").unlink()
    assert workerPython() == str(tmp_path / "python-real")
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(LMISError, match="No Python program"):
        workerPython()
