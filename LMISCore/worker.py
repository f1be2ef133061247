"""The worker process: jobs in, JSON lines out, a line in to stop.

``python -m LMISCore.worker --job job.json`` runs one job and writes one JSON object per line on stdout, in UTF-8:

    {"type": "started", "pid": 4711, "version": "0.1.0"}
    {"type": "log", "message": "Device: cpu (2 threads) ..."}
    {"type": "progress", "done": 12, "total": 240, "stage": "segmenting"}
    {"type": "result", ...}                                     the last line of a job that ended well, or
    {"type": "error", "kind": "bad_input", "message": "..."}    the last line of one that did not

Kinds: bad_input, out_of_memory, cancelled, missing_dependency, internal; a case's also disk_full, other_version. The
pid is the worker's own: where a launcher started it, stopping the launcher leaves the worker running. A line ``cancel``
or ``{"type": "cancel"}`` on stdin stops it at the next batch; so does the end of stdin, so that it never outlives the
program that started it: keep stdin open.
``job.json`` is {"task": "segment", ...} with the keys of ``SegmentJob``, {"task": "explain", ...} with those of
``ExplainJob``, {"task": "probe", ...} with those of ``ProbeJob``, or {"task": "batch", ...} with those of ``BatchJob``,
which starts serving workers of its own and gives them the tasks "case" and "memory".

``python -m LMISCore.worker --serve`` stays, with the network loaded, and takes jobs from stdin, one line each:

    {"type": "job", "id": "7", "job": {"task": "segment", ...}}

It says {"type": "ready"} after "started", each line about a job carries its "id", and a job given while another runs
waits its turn. ``cancel`` stops the running job and drops those that wait; the end of stdin ends the worker.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore import __version__
from LMISCore.cohorts.batch_job import BatchJob, run_batch_job
from LMISCore.cohorts.case_job import CaseJob, run_case_job
from LMISCore.cohorts.memory_job import MemoryJob, run_memory_job
from LMISCore.errors import Cancelled, InputError, LMISError, is_out_of_memory
from LMISCore.inference.explain_job import ExplainJob, run_explain_job
from LMISCore.inference.jobs import SegmentJob, run_segment_job
from LMISCore.inference.probe_job import ProbeJob, run_probe_job
from LMISCore.worker_streams import Channel, Requests, StopWatch, open_stdin

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors

Job = SegmentJob | ExplainJob | ProbeJob | CaseJob | MemoryJob | BatchJob
Send = Callable[..., None]
TASKS: dict[str, type[Job]] = {
    "segment": SegmentJob,
    "explain": ExplainJob,
    "probe": ProbeJob,
    "case": CaseJob,
    "memory": MemoryJob,
    "batch": BatchJob,
}

# A worker whose parent is gone ends by itself even from within a long call, but first gets the time to stop cleanly.
GRACE_SECONDS = 20.0
EXIT_CODES = {"cancelled": 130, "internal": 1}
_LEAST_INTERVAL = 0.1


def read_job(path: str | Path) -> Job:
    """Read a job file.

    Raises:
        InputError: if it is missing, not JSON, of an unknown task, or has a wrong key.
    """
    try:
        values: Any = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the job {path}: {error.strerror or error}; give a JSON file.") from error
    except RecursionError as error:
        raise InputError(f"The job {path} is JSON nested too deeply; write it again.") from error
    except ValueError as error:
        raise InputError(f"The job {path} is not JSON in UTF-8 ({error}); write it again.") from error
    return job_of(values, f"The job {path}")


def job_of(values: Any, name: str = "The job") -> Job:
    """A job from its JSON values.

    Raises:
        InputError: for another task, an unknown key or a value of the wrong kind.
    """
    task = values.get("task") if isinstance(values, dict) else values
    if not isinstance(task, str) or task not in TASKS:
        raise InputError(
            f"{name} has the task {task!r}; expected an object with the task {' or '.join(map(repr, TASKS))}."
        )
    return TASKS[task].from_dict({key: value for key, value in values.items() if key != "task"})


def run_job(path: str | Path, channel: Channel, is_stopped: Callable[[], bool]) -> int:
    """Run the job of a file and report on the channel.

    Returns:
        exit code: 0 with a result, 2 for an error that the user can mend, 130 when cancelled, 1 for a defect.
    """
    channel.send("started", pid=os.getpid(), version=__version__)
    return report_on(channel.send, lambda: read_job(path), is_stopped)


def report_on(
    send: Send, read: Callable[[], Job], is_stopped: Callable[[], bool], predictors: Predictors | None = None
) -> int:
    """Run the job that ``read`` gives, sending lines; returns the exit code of :func:`run_job`."""
    last = ("", 0.0)

    def progress(done: int, total: int, stage: str) -> bool:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= _LEAST_INTERVAL or (total and done == total):
            last = (stage, now)
            send("progress", done=done, total=total, stage=stage)
        return not is_stopped()

    def log(message: str) -> None:
        send("log", message=message)

    try:
        job = read()
        if isinstance(job, ExplainJob):
            result = run_explain_job(job, progress, log, predictors)
        elif isinstance(job, ProbeJob):
            result = run_probe_job(job, progress)
        elif isinstance(job, CaseJob):
            result = run_case_job(job, progress, predictors)
        elif isinstance(job, MemoryJob):
            result = run_memory_job(job, progress, predictors)
        elif isinstance(job, BatchJob):
            result = run_batch_job(job, progress, log, predictors)
        else:
            result = run_segment_job(job, progress, log, predictors)
    except KeyboardInterrupt:
        return _failed(send, Cancelled.kind, "Interrupted; nothing was written.")
    except LMISError as error:
        return _failed(send, error.kind, str(error))
    except Exception as error:  # the caller is another program: it needs a line whatever happened
        if is_out_of_memory(error):
            return _failed(send, "out_of_memory", "Memory ran out; close other programs or give a smaller volume.")
        traceback.print_exc(file=sys.stderr)
        return _failed(send, "internal", f"A defect of LMISCore: {type(error).__name__}: {error}")
    send("result", **result)
    return 0


def serve(channel: Channel, requests: Requests) -> int:
    """Run the jobs that come on stdin, one after another, until it ends; returns 0."""
    channel.send("started", pid=os.getpid(), version=__version__)
    from LMISCore.inference.allocator import give_back_freed_memory
    from LMISCore.inference.warm import Predictors

    predictors = Predictors()
    channel.send("ready")
    while (request := requests.next()) is not None:
        report_on(
            functools.partial(channel.send, id=request.get("id")),
            functools.partial(job_of, request.get("job")),
            functools.partial(requests.is_cancelled, request),
            predictors,
        )
        job = request.get("job")
        # A table's cases follow one another at once; after other jobs the worker waits for a person.
        if not isinstance(job, dict) or job.get("task") != "case":
            give_back_freed_memory()
    return 0


def _failed(send: Send, kind: str, message: str) -> int:
    send("error", kind=kind, message=message)
    return EXIT_CODES.get(kind, 2)


def _exit_when_stuck() -> None:
    """End the process some time after stdin has ended, should the job not have ended by then."""
    time.sleep(GRACE_SECONDS)
    os._exit(EXIT_CODES["cancelled"])


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m LMISCore.worker", description="Run jobs, JSON lines on stdout.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--job", metavar="FILE", help='JSON file: {"task": "segment", ...}')
    source.add_argument("--serve", action="store_true", help="take jobs from stdin, one JSON line each, until it ends")
    options = parser.parse_args(arguments)
    # Lines of our own go to a private copy of stdout; whatever a library prints there joins stderr.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n")
    os.dup2(2, 1)
    channel = Channel(stream)
    if options.serve:
        requests = Requests(open_stdin(), channel, _exit_when_stuck)
        requests.start()
        code = serve(channel, requests)
    else:
        watch = StopWatch(open_stdin(), _exit_when_stuck)
        watch.start()
        code = run_job(options.job, channel, watch.stopped.is_set)
    # Not sys.exit: the interpreter's end would wait for the thread that is still reading stdin.
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
