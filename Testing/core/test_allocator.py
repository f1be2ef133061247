"""The allocator keeps freed memory where that was asked, and is left alone where the user has set it."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from LMISCore.inference import allocator

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
