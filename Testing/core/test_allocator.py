"""The allocator keeps freed memory where that was asked, and is left alone where the user has set it."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from LMISCore import worker
from LMISCore.cli.main import build_parser
from LMISCore.cli.network_arguments import segment_settings
from LMISCore.errors import InputError
from LMISCore.inference import allocator, jobs
from LMISCore.inference.jobs import SegmentJob

# Frees and takes the same 64 MiB ten times, touching them; says how many pages the system had to hand out.
PROGRAM = """
import ctypes, resource, sys
from LMISCore.inference.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory() and keep_freed_memory()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    block = library.malloc(64 * 1024**2)
    ctypes.memset(block, 1, 64 * 1024**2)
    library.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    environment = {key: value for key, value in os.environ.items() if key not in allocator.VARIABLES}
    run = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(run, env=environment, capture_output=True, encoding="utf-8", check=True).stdout)


def test_freed_memory_is_taken_again_without_asking_the_system() -> None:
    if platform.libc_ver()[0] != "glibc":
        assert not allocator.keep_freed_memory()
        return
    assert faults("keep") * 4 < faults("leave")


@pytest.mark.parametrize("name", allocator.VARIABLES)
def test_what_the_user_has_set_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the library was asked"))
    assert not allocator.keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in allocator.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=lambda *given: pytest.fail("was set")))
    assert not allocator.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the library was asked"))
    assert not allocator.keep_freed_memory()


# Keeps 64 MiB of a process that waits, then hands it back; says how many MB of it the process holds then.
WAITING = """
import ctypes, sys
from LMISCore.inference.allocator import keep_freed_memory
from LMISCore.inference.allocator import give_back_freed_memory
assert keep_freed_memory()
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 // 10**6
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.malloc.argtypes = [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
before = held()
block = library.malloc(256 * 1024**2)
ctypes.memset(block, 1, 256 * 1024**2)
library.free(block)
kept = held() - before
assert give_back_freed_memory()
print(kept, held() - before)
"""


def test_a_process_that_waits_gives_back_what_it_kept() -> None:
    if platform.libc_ver()[0] != "glibc":
        return
    environment = {key: value for key, value in os.environ.items() if key not in allocator.VARIABLES}
    run = [sys.executable, "-c", WAITING]
    kept, left = subprocess.run(run, env=environment, capture_output=True, encoding="utf-8", check=True).stdout.split()
    assert int(kept) > 250 and int(left) < 40


@pytest.mark.parametrize("keeps", [True, False])
def test_a_job_keeps_freed_memory_unless_it_is_told_not_to(
    keeps: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(jobs, "keep_freed_memory", lambda: asked.append(True))
    job = SegmentJob.from_dict({"volume": str(tmp_path / "none.nrrd"), "text": "A.", "keep_memory": keeps})
    with pytest.raises(InputError):
        jobs.run_segment_job(job)
    assert asked == [True] * keeps


@pytest.mark.parametrize("command", [["segment", "--sample"], ["batch", "table.csv"]], ids=["segment", "batch"])
def test_the_command_line_tells_a_job_to_return_memory(command: list[str]) -> None:
    parser = build_parser(command[0])
    given = [segment_settings(parser.parse_args([*command, *more])) for more in ([], ["--return-memory"])]
    assert [settings["keep_memory"] for settings in given] == [True, False]


@pytest.mark.parametrize("task, times", [("segment", 1), ("case", 0)])
def test_a_serving_worker_gives_memory_back_where_it_then_waits(
    task: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[bool] = []
    monkeypatch.setattr(allocator, "give_back_freed_memory", lambda: given.append(True))
    sent: list[str] = []
    channel = SimpleNamespace(send=lambda line, **values: sent.append(line))
    jobs_left = [{"id": "1", "job": {"task": task, "no such key": 1}}]
    requests = SimpleNamespace(next=lambda: jobs_left.pop() if jobs_left else None, is_cancelled=lambda request: False)
    assert worker.serve(cast(Any, channel), cast(Any, requests)) == 0
    assert sent == ["started", "ready", "error"] and len(given) == times
