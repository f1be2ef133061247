"""How many workers fit the memory: the first one says what it needs, then the others are started. No torch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from LMISCore.cohorts.case import Case
from LMISCore.cohorts.pool import BROKEN, DONE, FAILED, Pool
from LMISCore.cohorts.schedule import MOST_BROKEN, TICK_SECONDS, Progress
from LMISCore.cohorts.settings import BatchJob
from LMISCore.errors import Cancelled, InputError

# Left to the system, its file cache and what an estimate misses.
USED_SHARE = 0.8
LOOKED_AT = 16
START_SECONDS = 600.0
_JOB = "memory"


def plan_workers(
    pool: Pool, job: BatchJob, cases: Sequence[Case], say: Callable[[str], None], progress: Progress | None = None
) -> None:
    """Start the workers: as many as were asked for, as there are cases, and as fit the memory.

    Args:
        pool: still without a worker.
        job: with the number asked for.
        cases: that are to be run; the largest volumes among them are planned for.
        say: gets a sentence for the user where fewer are started.
        progress: asked while the first worker loads what all will load.

    Raises:
        InputError: if not even one fits, or none becomes ready.
        Cancelled: if the progress callback returned False.
    """
    wanted = min(job.workers, len(cases))
    pool.resize(1)
    shared = ("checkpoint", "precision", "backend", "batch_size", "text_encoder", "cache", "probabilities")
    memory = {
        "task": "memory",
        "volumes": _largest(cases),
        "device": job.devices()[0],
        **{name: getattr(job, name) for name in shared},
    }
    need = _ask(pool, memory, progress)
    # A cluster that is joined has other machines: Ray places each worker where it fits, and the rest wait.
    fitting = wanted if job.address else fitting_workers(need, len(job.devices()))
    if fitting < 1:
        raise InputError(
            f"One worker needs about {_gigabytes(_scarce(need)[0])} for the largest volume and "
            f"{_gigabytes(_scarce(need)[1])} are free; close other programs, lower --batch-size, or use a machine with "
            "more memory."
        )
    if fitting < wanted:
        each, free = _scarce(need)
        say(
            f"{wanted} workers would need about {_gigabytes(wanted * each)} and {_gigabytes(free)} are free, so "
            f"{fitting} {'runs' if fitting == 1 else 'run'}."
        )
    pool.resize(min(wanted, fitting), need["host"])


def fitting_workers(need: dict[str, Any], devices: int = 1) -> int:
    """How many workers fit what is free, on the host and on each of so many equal devices.

    Args:
        need: what ``run_memory_job`` returns; bytes.
        devices: how many take workers in turn.
    """
    limits = []
    if need["free_host"] is not None:
        limits.append(int(need["free_host"] * USED_SHARE / max(need["host"], 1)))
    if need["free_device"] is not None and need["device"]:
        # The first worker lies on its device already.
        free = need["free_device"] + need["device"]
        limits.append(devices * int(free * USED_SHARE / need["device"]))
    return min(limits, default=1 << 20)


def _scarce(need: dict[str, Any]) -> tuple[int, int]:
    """Bytes that a worker needs and bytes that are free, where they fit the fewest workers."""
    on_host = fitting_workers({**need, "free_device": None})
    on_device = fitting_workers({**need, "free_host": None})
    if on_device < on_host:
        return need["device"], need["free_device"] + need["device"]
    return need["host"], need["free_host"] or 0


def _ask(pool: Pool, memory: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Give the first worker its first job, and again to a fresh one should it end."""
    since, broken, is_given = time.monotonic(), 0, False
    while True:
        if progress is not None and progress(0, 0, "starting workers") is False:
            raise Cancelled("Stopped as asked before the first case was given to a worker.")
        if not is_given and pool.free():
            pool.give(_JOB, memory)
            is_given = True
        for event in pool.wait(TICK_SECONDS):
            if event.kind == DONE:
                return event.values
            if event.kind == FAILED:
                raise InputError(str(event.values.get("message")))
            broken += 1
            is_given = is_given and event.kind == BROKEN
            if broken >= MOST_BROKEN:
                raise InputError(f"Workers end before the first case: {event.values['message']}")
        if time.monotonic() - since > START_SECONDS:
            raise InputError(f"No worker was ready within {START_SECONDS:.0f} s; ask for smaller workers.")


def _largest(cases: Sequence[Case]) -> list[str]:
    """The volumes with the largest files; compression makes sizes an indication only, so several are looked at."""

    def size(path: str) -> int:
        try:
            if os.path.isdir(path):
                return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
            return os.stat(path).st_size
        except OSError:
            return 0

    return sorted({case.volume for case in cases}, key=size, reverse=True)[:LOOKED_AT]


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
