"""The worker process: its lines, its kinds of errors, and how it stops."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore import __version__, worker, worker_streams
from LMISCore.errors import Cancelled, InputError, MissingDependencyError, OutOfMemoryError
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.volume import Geometry

ROOT = Path(__file__).resolve().parents[2]
# A right single quotation mark and Chinese: what a Windows code page would break.
REPORT = "FINDINGS: Infection in the left lung. The patient’s 左肺 is seen."  # noqa: RUF001


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, its text encoder, a short volume and a long one."""
    folder = tmp_path_factory.mktemp("worker")
    encoder = save_tiny_encoder(folder / "encoder")
    save_tiny_checkpoint(folder / "tiny.safetensors", encoder)
    random = np.random.default_rng(0)
    for name, slices in (("short", 6), ("long", 4000)):
        array = random.integers(0, 255, (slices, 16, 16)).astype(np.uint8)
        write_volume(folder / f"{name}.nrrd", array, Geometry((16, 16, slices)))
    return folder


def job_file(folder: Path, material: Path, volume: str = "short.nrrd", **changes: Any) -> Path:
    values = {
        "task": "segment",
        "volume": str(material / volume),
        "text": REPORT,
        "out": str(folder / "out"),
        "checkpoint": str(material / "tiny.safetensors"),
        "text_encoder": str(material / "encoder"),
        "device": "cpu",
        "batch_size": 2,
        **changes,
    }
    path = folder / "job.json"
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}), encoding="utf-8")
    return path


class Process:
    """A worker in a process of its own, read line by line."""

    def __init__(self, job: Path, read: bool = True) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "LMISCore.worker", "--job", str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.lines: queue.Queue[bytes] = queue.Queue()
        if read:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def messages(self, seconds: float = 60) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + seconds
        while line := self.lines.get(timeout=max(0.1, end - time.monotonic())):
            yield json.loads(line.decode("utf-8"))

    def write(self, line: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def close_stdin(self) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.close()

    def code(self, seconds: float = 30) -> int:
        return self.popen.wait(seconds)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    running: list[Process] = []

    def begin(job: Path, read: bool = True) -> Process:
        running.append(Process(job, read))
        return running[-1]

    yield begin
    for process in running:
        process.popen.kill()
        process.popen.wait()
        for stream in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def test_a_job_tells_its_start_its_progress_and_its_result(start: Any, tmp_path: Path, material: Path) -> None:
    process = start(job_file(tmp_path, material))
    lines = list(process.messages())
    assert process.code() == 0
    first, last = lines[0], lines[-1]
    assert first == {"type": "started", "pid": process.popen.pid, "version": __version__}
    progress = [line for line in lines if line["type"] == "progress"]
    assert [progress[-1]["done"], progress[-1]["total"]] == [0, 0] and progress[-1]["stage"] == "writing"
    assert {"done": 12, "total": 12, "type": "progress", "stage": "restoring"} in progress
    logs = " ".join(line["message"] for line in lines if line["type"] == "log")
    assert "Device: cpu" in logs and "Intensity: picture" in logs and "Memory needed" in logs
    assert "nfection" not in logs and "左" not in logs
    assert last["type"] == "result" and last["segments"] == 1
    assert [row["state"] for row in last["rows"]] == ["affirmed", "not covered"]
    assert "左肺" in last["rows"][1]["sentence"]
    for path in last["outputs"].values():
        assert Path(path).is_file()
    assert sorted(os.listdir(tmp_path / "out")) == ["short.csv", "short.json", "short.png", "short.seg.nrrd"]


def test_a_line_on_stdin_cancels_and_nothing_is_written(start: Any, tmp_path: Path, material: Path) -> None:
    process = start(job_file(tmp_path, material, "long.nrrd"))
    messages = process.messages()
    next(message for message in messages if message.get("stage") == "segmenting" and message["done"] > 0)
    process.write("something else")
    process.write('{"type": "cancel"}')
    last = list(messages)[-1]
    assert (last["type"], last["kind"]) == ("error", "cancelled")
    assert process.code() == 130
    assert not (tmp_path / "out").exists()


def test_the_worker_ends_by_itself_when_stdin_closes(start: Any, tmp_path: Path, material: Path) -> None:
    process = start(job_file(tmp_path, material, "long.nrrd"))
    next(message for message in process.messages() if message.get("stage") == "segmenting")
    process.close_stdin()
    assert process.code() == 130
    assert not (tmp_path / "out").exists()


def test_a_closed_reader_does_not_keep_the_worker_from_stopping(start: Any, tmp_path: Path, material: Path) -> None:
    process = start(job_file(tmp_path, material, "long.nrrd"), read=False)
    assert b"started" in process.popen.stdout.readline()
    process.popen.stdout.close()
    time.sleep(0.5)
    process.close_stdin()
    assert process.code() == 130


def test_bad_input_is_one_line_and_exit_code_2(start: Any, tmp_path: Path, material: Path) -> None:
    process = start(job_file(tmp_path, material, "missing.nrrd"))
    first, *_, last = process.messages()
    assert first["type"] == "started"
    assert (last["type"], last["kind"]) == ("error", "bad_input") and "missing.nrrd" in last["message"]
    assert process.code() == 2 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ('{"task": "paint"}', "'paint'"),
        ('{"task": "segment", "speed": 3}', "unknown key 'speed'"),
        ('{"task": "segment", "batch_size": "two"}', "batch_size"),
        ('{"task": "segment", "batch_size": true}', "batch_size"),
        ('{"task": "segment", "force": "findings-1"}', "a list of texts"),
        (b'{"task": "segment", "text": "\xe9"}', "not JSON in UTF-8"),
    ],
)
def test_a_wrong_job_file_is_bad_input(tmp_path: Path, content: str | bytes, words: str) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, lines = run(path)
    assert code == 2 and lines[-1]["kind"] == "bad_input" and words in lines[-1]["message"]


def test_deeply_nested_json_is_bad_input_and_no_cancel(tmp_path: Path) -> None:
    nested = "[" * 200_000
    (tmp_path / "job.json").write_text(nested, encoding="utf-8")
    with pytest.raises(InputError, match="nested too deeply"):
        worker.read_job(tmp_path / "job.json")
    assert not worker_streams.is_cancel(nested)


def test_a_missing_job_file_is_bad_input(tmp_path: Path) -> None:
    code, lines = run(tmp_path / "none.json")
    assert code == 2 and lines[-1]["kind"] == "bad_input"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (OutOfMemoryError("Too large."), "out_of_memory", 2),
        (MemoryError(), "out_of_memory", 2),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "out_of_memory", 2),
        (MissingDependencyError("Install minilm."), "missing_dependency", 2),
        (Cancelled("Cancelled."), "cancelled", 130),
        (KeyboardInterrupt(), "cancelled", 130),
        (ZeroDivisionError("division by zero"), "internal", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_each_kind_of_error_has_its_word_and_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, kind: str, code: int
) -> None:
    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(worker, "run_segment_job", fail)
    path = tmp_path / "job.json"
    path.write_text('{"task": "segment", "text": "Secret."}')
    found, lines = run(path)
    assert (found, lines[-1]["type"], lines[-1]["kind"]) == (code, "error", kind)
    assert lines[-1]["message"] and "Secret" not in json.dumps(lines)


def run(path: Path) -> tuple[int, list[dict[str, Any]]]:
    stream = io.StringIO()
    code = worker.run_job(path, worker_streams.Channel(stream), lambda: False)
    return code, [json.loads(line) for line in stream.getvalue().splitlines()]


def test_lines_that_are_no_cancel_do_not_stop_the_job() -> None:
    assert [worker_streams.is_cancel(line) for line in ("cancel\n", "CANCEL", '{"type":"cancel"}')] == [True] * 3
    assert [worker_streams.is_cancel(line) for line in ("", "\n", "cancelled", "{", "3", '{"type": "go"}')] == [
        False
    ] * 6


def test_the_end_of_stdin_stops_and_is_told_once() -> None:
    ends: list[bool] = []
    watch = worker_streams.StopWatch(io.StringIO("hello\n"), lambda: ends.append(True))
    watch.run()
    assert watch.stopped.is_set() and ends == [True]
