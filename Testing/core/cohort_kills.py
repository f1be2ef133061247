"""Other processes for the tests of ``lmis batch``: one that holds a folder, runs that are killed again and again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import LMISCore

HOME = Path(LMISCore.__file__).parents[1]
PATIENCE = 180.0

HOLD = """
import sys, time
from pathlib import Path
from LMISCore.cohorts.lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds a cohort's folder until it is killed."""
    # From the folder that the package lies in, which "-c" puts on the path.
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, encoding="utf-8", cwd=HOME
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def start(arguments: list[str], path: Path | None = None) -> subprocess.Popen[bytes]:
    """``lmis`` with these arguments; ``path`` comes first where Python looks for modules."""
    paths = [*([str(path)] if path else []), str(HOME)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "LMISCore.cli.main", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def workers(run: subprocess.Popen[bytes]) -> list[int]:
    """Numbers of a run's own processes."""
    return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="ascii").split()]


def finished(out: Path) -> int:
    """How many cases have a result."""
    return len(list(out.glob("cases/[!.]*/*.done.json")))


def kill_often(
    arguments: list[str], out: Path, kills: int, seed: int, path: Path | None = None, share: float = 0.4
) -> tuple[dict[str, int], str]:
    """Kill a run or one of its workers at random moments until there were so many kills, then let the run finish.

    Args:
        arguments: of ``lmis``.
        out: its folder of results.
        kills: how many.
        seed: of the moments and of what is killed.
        path: see :func:`start`.
        share: of the kills that strike a worker instead of the run.

    Returns:
        kills of "run" and "worker", and what the last run printed.
    """
    rng = random.Random(seed)
    counts = {"run": 0, "worker": 0}
    run = start(arguments, path)
    while sum(counts.values()) < kills:
        before, end = finished(out), time.monotonic() + PATIENCE
        while finished(out) <= before and run.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        if run.poll() is not None:
            break
        victims = workers(run)
        if victims and rng.random() < share:
            os.kill(rng.choice(victims), signal.SIGKILL)
            counts["worker"] += 1
            continue
        run.kill()
        run.communicate()
        counts["run"] += 1
        run = start(arguments, path)
    printed, _ = run.communicate(timeout=PATIENCE)
    return counts, printed.decode("utf-8", "replace")
