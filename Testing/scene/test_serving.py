"""A worker that stays: jobs one after another, cancels within a second, and starting anew after a crash."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from LanguageSegmentLib.device_probe import DeviceProbe
from LanguageSegmentLib.serving import CANCEL_SECONDS, ServedRunner, ServingWorker
from LanguageSegmentLib.worker_process import PipeProcess
from LMISCore.errors import LMISError


class ScriptedProcess:
    """Does nothing by itself; a test says what it prints and when it ends."""

    made: list[ScriptedProcess]

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.output = b""
        self.code: int | None = None
        self.ended: list[int | None] = []
        type(self).made.append(self)

    def start(self, command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> None:
        assert list(command[-3:]) == ["-m", "LMISCore.worker", "--serve"] and (folder / "LMISCore").is_dir()
        assert variables["PYTHONUTF8"] == "1"
        self.say({"type": "started", "pid": 4711}, {"type": "ready"})

    def write(self, data: bytes) -> None:
        self.lines += [json.loads(line) for line in data.decode("utf-8").splitlines()]

    def read(self) -> bytes:
        data, self.output = self.output, b""
        return data

    def complaints(self) -> list[str]:
        return ["last words"]

    def exitCode(self) -> int | None:
        return self.code

    def end(self, pid: int | None) -> None:
        self.ended.append(pid)

    def pid(self) -> int:
        return 1

    def say(self, *messages: dict[str, Any]) -> None:
        self.output += b"".join(json.dumps(message).encode("utf-8") + b"\n" for message in messages)


@pytest.fixture
def made() -> list[ScriptedProcess]:
    ScriptedProcess.made = []
    return ScriptedProcess.made


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(made: list[ScriptedProcess], clock: Clock) -> ServingWorker:
    return ServingWorker(ScriptedProcess, ["python"], clock=clock)


def _started(worker: ServingWorker, **job: Any) -> tuple[ServedRunner, list[dict[str, Any]]]:
    runner = worker.runner()
    got: list[dict[str, Any]] = []
    runner.start({"task": "segment", **job}, got.append)
    return runner, got


def test_one_process_serves_one_job_after_another(worker: ServingWorker, made: list[ScriptedProcess]) -> None:
    first, firstGot = _started(worker, text="one — 肺")
    second, secondGot = _started(worker, text="two")
    (process,) = made
    assert [line["job"]["text"] for line in process.lines] == ["one — 肺"]
    process.say({"type": "progress", "id": "1", "done": 1, "total": 2, "stage": "segmenting"})
    assert first.poll() and second.poll() and len(firstGot) == 1 and not secondGot
    process.say({"type": "result", "id": "1", "rows": []})
    assert not first.poll() and firstGot[-1]["type"] == "result"
    second.poll()
    assert [line["job"]["text"] for line in process.lines] == ["one — 肺", "two"]
    process.say({"type": "result", "id": "2", "rows": []})
    assert not second.poll() and secondGot == [{"type": "result", "id": "2", "rows": []}]
    assert len(made) == 1 and not worker.isBusy and worker.isWarm


def test_a_message_that_comes_in_pieces_is_put_together(worker: ServingWorker, made: list[ScriptedProcess]) -> None:
    runner, got = _started(worker)
    line = json.dumps({"type": "log", "id": "1", "message": "é 🫁"}, ensure_ascii=False).encode() + b"\n"
    for place in range(len(line)):
        made[0].output += line[place : place + 1]
        assert runner.poll()
    assert [message["message"] for message in got] == ["é 🫁"]


def test_a_late_message_of_a_job_given_up_does_not_reach_the_next(
    worker: ServingWorker, made: list[ScriptedProcess]
) -> None:
    first, firstGot = _started(worker)
    first.close()
    _second, secondGot = _started(worker)
    made[0].say({"type": "result", "id": "1"}, {"type": "log", "id": "1", "message": "late"})
    worker.poll()
    assert not firstGot and not secondGot
    assert [line["type"] for line in made[0].lines] == ["job", "cancel", "job"]


def test_a_cancel_asks_first_and_ends_the_process_when_nothing_happens(
    worker: ServingWorker, made: list[ScriptedProcess], clock: Clock
) -> None:
    runner, got = _started(worker)
    runner.poll()
    runner.cancel()
    assert made[0].lines[-1] == {"type": "cancel"}
    clock.now += 0.9 * CANCEL_SECONDS
    assert runner.poll() and not made[0].ended
    clock.now += 0.2 * CANCEL_SECONDS
    runner.poll()
    assert not runner.poll() and got[-1]["kind"] == "cancelled" and made[0].ended == [4711]
    _started(worker)
    assert len(made) == 2


def test_a_job_that_stops_as_asked_leaves_the_worker_warm(
    worker: ServingWorker, made: list[ScriptedProcess], clock: Clock
) -> None:
    runner, got = _started(worker)
    runner.cancel()
    made[0].say({"type": "error", "id": "1", "kind": "cancelled", "message": "Cancelled as asked."})
    assert not runner.poll() and got[-1]["message"] == "Cancelled as asked."
    clock.now += 60
    worker.poll()
    assert worker.isWarm and not made[0].ended


def test_a_waiting_job_is_cancelled_without_reaching_the_worker(
    worker: ServingWorker, made: list[ScriptedProcess]
) -> None:
    first, _ = _started(worker)
    second, got = _started(worker)
    second.cancel()
    assert not second.poll() and got[-1]["kind"] == "cancelled"
    assert first.poll() and [line["type"] for line in made[0].lines] == ["job"]


def test_a_crash_is_one_sentence_and_the_next_job_starts_anew(
    worker: ServingWorker, made: list[ScriptedProcess]
) -> None:
    runner, got = _started(worker)
    waiting, _ = _started(worker)
    made[0].code = -9
    assert not runner.poll()
    assert got[-1]["kind"] == "crashed" and "by signal 9" in got[-1]["message"] and got[-1]["stderr"] == ["last words"]
    assert waiting.poll() and len(made) == 2 and made[1].lines[0]["id"] == "2"


def test_what_a_worker_said_last_counts_more_than_that_it_ended(
    worker: ServingWorker, made: list[ScriptedProcess]
) -> None:
    runner, got = _started(worker)
    made[0].say({"type": "result", "id": "1"})
    made[0].code = 0
    assert not runner.poll() and [message["type"] for message in got] == ["result"]


def test_closing_ends_the_process_and_all_jobs(worker: ServingWorker, made: list[ScriptedProcess]) -> None:
    runners = [_started(worker) for _ in range(2)]
    worker.close()
    assert made[0].ended and not worker.isBusy
    for runner, got in runners:
        assert not runner.poll() and got[-1]["kind"] == "cancelled"


def test_a_program_that_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    worker = ServingWorker(PipeProcess, [str(tmp_path / "nowhere")])
    with pytest.raises(LMISError, match=r"could not be started: .*; reinstall 3D Slicer") as raised:
        worker.runner().start({"task": "probe"}, print)
    assert "\n" not in str(raised.value) and not worker.isBusy


def _until(condition: Callable[[], bool], seconds: float = 60) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def real() -> Iterator[ServingWorker]:
    worker = ServingWorker()
    yield worker
    worker.close()


def test_the_real_worker_tries_the_device_and_stays(real: ServingWorker) -> None:
    got: list[dict[str, Any]] = []
    for _ in range(2):
        runner = real.runner()
        runner.start({"task": "probe", "device": "cpu"}, got.append)
        _until(lambda runner=runner: not runner.poll())  # type: ignore[misc]
    results = [message for message in got if message["type"] == "result"]
    assert [result["device"]["name"] for result in results] == ["cpu", "cpu"] and real.isWarm
    assert results[0]["device"]["reason"].startswith("cpu (")


STUBBORN = """
import json, os, subprocess, sys, time
if "child" not in sys.argv:
    child = subprocess.Popen([sys.executable, __file__, "child"], stdin=0)
    sys.exit(child.wait())
print(json.dumps({"type": "started", "pid": os.getpid()}), flush=True)
line = sys.stdin.readline()
print(json.dumps({"type": "log", "id": json.loads(line)["id"], "message": "busy"}), flush=True)
time.sleep(600)
"""


def test_a_worker_that_hears_nothing_is_gone_within_a_second_with_its_launcher(tmp_path: Path) -> None:
    script = tmp_path / "launcher.py"
    script.write_text(STUBBORN, encoding="utf-8")
    worker = ServingWorker(PipeProcess, [sys.executable, str(script)])
    got: list[dict[str, Any]] = []
    runner = worker.runner()
    runner.start({"task": "segment"}, got.append)
    _until(lambda: bool(runner.poll() and got))
    pid = worker._pid
    assert pid is not None and os.kill(pid, 0) is None  # type: ignore[func-returns-value]
    runner.cancel()
    assert _until(lambda: not runner.poll()) < 1.0 and got[-1]["kind"] == "cancelled"

    def gone() -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        return state == "Z"

    _until(gone, 5)


def test_a_worker_that_is_ended_while_it_tries_a_device_leaves_no_answer() -> None:
    class EndedRunner:
        def start(self, job: dict[str, Any], onMessage: Any) -> None:
            onMessage({"type": "error", "kind": "cancelled", "message": "Cancelled as asked."})

        def poll(self) -> bool:
            return False

        def close(self) -> None:
            pass

    worker: Any = SimpleNamespace(runner=EndedRunner)
    probe = DeviceProbe(worker)
    probe.ask("cpu")
    assert not probe.poll() and probe.line("cpu") == "Not tried yet."
