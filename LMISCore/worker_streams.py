"""The worker's lines: one JSON object per line out, jobs and cancels in."""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import threading
from collections.abc import Callable
from typing import Any, TextIO


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


class Requests(threading.Thread):
    """Reads the lines of a serving worker's stdin: jobs wait in a queue, a cancel drops what was asked before it.

    Args:
        stream: lines to read.
        channel: told about a line that is neither.
        at_end: called once when the stream has ended.
    """

    def __init__(self, stream: TextIO, channel: Channel, at_end: Callable[[], None]) -> None:
        super().__init__(name="lmis-stdin", daemon=True)
        self._stream = stream
        self._channel = channel
        self._at_end = at_end
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._asked = 0
        self._cancelled = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until the stream ends; the thread's work."""
        with contextlib.suppress(OSError, ValueError):
            for line in self._stream:
                self._take(line)
        self._ended.set()
        self._waiting.put(None)
        self._at_end()

    def _take(self, line: str) -> None:
        if is_cancel(line):
            self._cancelled = self._asked
            return
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and value.get("type") == "job":
            self._asked += 1
            self._waiting.put({**value, "number": self._asked})
        elif line.strip():
            self._channel.send("error", id=None, kind="bad_input", message="A line was not a job; it was passed over.")

    def next(self) -> dict[str, Any] | None:
        """Wait for the next job; None when stdin has ended."""
        return None if self._ended.is_set() else self._waiting.get()

    def is_cancelled(self, request: dict[str, Any]) -> bool:
        """Whether this job was cancelled, or nobody is there any more to want it."""
        return bool(self._ended.is_set() or request["number"] <= self._cancelled)


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
        """Read until the stream ends; the thread's work."""
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


def open_stdin() -> TextIO:
    """Stdin as UTF-8 text, whatever the locale; an empty stream where there is none."""
    try:
        return open(0, encoding="utf-8", errors="replace", closefd=False)
    except OSError:
        # Started without any stdin: nobody could ever stop it, so it ends as if stdin had.
        return io.StringIO("")
