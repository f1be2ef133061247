"""The worker process: one job, JSON lines out, a line in to stop.

``python -m LMISCore.worker --job job.json`` writes one JSON object per line on stdout, in UTF-8:

    {"type": "started", "pid": 4711, "version": "0.1.0"}
    {"type": "log", "message": "Device: cpu (2 threads) ..."}
    {"type": "progress", "done": 12, "total": 240, "stage": "segmenting"}
    {"type": "result", ...}                                     the last line of a job that ended well, or
    {"type": "error", "kind": "bad_input", "message": "..."}    the last line of one that did not

Kinds: bad_input, out_of_memory, cancelled, missing_dependency, internal. The pid is the worker's own: where a launcher
started it, stopping the launcher leaves the worker running. A line ``cancel`` or ``{"type": "cancel"}`` on stdin stops
it at the next batch; so does the end of stdin, so that it never outlives the program that started it: keep stdin open.
``job.json`` is {"task": "segment", ...} with the keys of ``SegmentJob``.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from LMISCore import __version__
from LMISCore.errors import Cancelled, InputError, LMISError
from LMISCore.inference.jobs import SegmentJob, run_segment_job

# A worker whose parent is gone ends by itself even from within a long call, but first gets the time to stop cleanly.
GRACE_SECONDS = 20.0
EXIT_CODES = {"cancelled": 130, "internal": 1}
_LEAST_INTERVAL = 0.1


class Channel:
    """Writes one JSON object per line; may be used from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, event: str, /, **values: Any) -> None:
        """Write a line; a reader that is gone is not an error, the end of stdin will tell."""
        line = json.dumps({"type": event, **values}, ensure_ascii=False)
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except OSError:
                # A closed pipe stays closed: later lines go nowhere either.
                self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


class StopWatch(threading.Thread):
    """Reads stdin and remembers that the job is to stop.

    Args:
        stream: lines to read.
        at_end: called once when the stream has ended.
    """

    def __init__(self, stream: TextIO, at_end: Callable[[], None]) -> None:
        super().__init__(name="lmis-stdin", daemon=True)
        self._stream = stream
        self._at_end = at_end
        self.stopped = threading.Event()

    def run(self) -> None:
        try:
            for line in self._stream:
                if is_cancel(line):
                    self.stopped.set()
        except (OSError, ValueError):
            # Closed under our hands, which is an end like any other.
            pass
        self.stopped.set()
        self._at_end()


def is_cancel(line: str) -> bool:
    """Whether a line from stdin asks to stop: ``cancel``, or a JSON object of that type."""
    text = line.strip()
    if text.lower() == "cancel":
        return True
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and value.get("type") == "cancel"


def read_job(path: str | Path) -> SegmentJob:
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
    if not isinstance(values, dict) or values.get("task") != "segment":
        task = values.get("task") if isinstance(values, dict) else values
        raise InputError(f"The job {path} has the task {task!r}; expected an object with the task 'segment'.")
    return SegmentJob.from_dict({key: value for key, value in values.items() if key != "task"})


def run_job(path: str | Path, channel: Channel, is_stopped: Callable[[], bool]) -> int:
    """Run the job and report on the channel.

    Returns:
        exit code: 0 with a result, 2 for an error that the user can mend, 130 when cancelled, 1 for a defect.
    """
    channel.send("started", pid=os.getpid(), version=__version__)
    last = ("", 0.0)

    def progress(done: int, total: int, stage: str) -> bool:
        nonlocal last
        now = time.monotonic()
        if stage != last[0] or now - last[1] >= _LEAST_INTERVAL or (total and done == total):
            last = (stage, now)
            channel.send("progress", done=done, total=total, stage=stage)
        return not is_stopped()

    try:
        result = run_segment_job(read_job(path), progress, lambda message: channel.send("log", message=message))
    except KeyboardInterrupt:
        return _failed(channel, Cancelled.kind, "Interrupted; nothing was written.")
    except LMISError as error:
        return _failed(channel, error.kind, str(error))
    except MemoryError:
        return _failed(channel, "out_of_memory", "Memory ran out; close other programs or give a smaller volume.")
    except Exception as error:  # the caller is another program: it needs a line whatever happened
        traceback.print_exc(file=sys.stderr)
        return _failed(channel, "internal", f"A defect of LMISCore: {type(error).__name__}: {error}")
    channel.send("result", **result)
    return 0


def _failed(channel: Channel, kind: str, message: str) -> int:
    channel.send("error", kind=kind, message=message)
    return EXIT_CODES.get(kind, 2)


def _exit_when_stuck() -> None:
    """End the process some time after stdin has ended, should the job not have ended by then."""
    time.sleep(GRACE_SECONDS)
    os._exit(EXIT_CODES["cancelled"])


def _stdin() -> TextIO:
    try:
        return open(0, encoding="utf-8", errors="replace", closefd=False)
    except OSError:
        # Started without any stdin: nobody could ever stop it, so it ends as if stdin had.
        return io.StringIO("")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m LMISCore.worker", description="Run one job, JSON lines on stdout.")
    parser.add_argument("--job", required=True, metavar="FILE", help='JSON file: {"task": "segment", ...}')
    options = parser.parse_args(arguments)
    # Lines of our own go to a private copy of stdout; whatever a library prints there joins stderr.
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", newline="\n")
    os.dup2(2, 1)
    watch = StopWatch(_stdin(), _exit_when_stuck)
    watch.start()
    code = run_job(options.job, Channel(stream), watch.stopped.is_set)
    # Not sys.exit: the interpreter's end would wait for the thread that is still reading stdin.
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
