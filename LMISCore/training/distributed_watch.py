"""How the processes of one training notice that one of them ended, and end with a sentence instead of waiting for it.

A process that fails leaves its reason in the store that torchrun keeps. Whoever waits for the dead on a GPU cannot be
told by an exception: PyTorch gives none until its timeout. So a thread in each process beats once a second in that
store, looks after the next process's beats and for reasons, and ends its own process if nothing else does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

INTERVAL = 1.0
# Beats, not seconds by the clock: a machine that was asleep must not take the others for dead when it wakes.
MISSED_BEATS = 15
GRACE = 5.0
EXIT_CODE = 2
_FAILED = "lmis/failed"
# Ranks of those that cannot be named.
TORCHRUN, ANOTHER = -1, -2


class Failure(NamedTuple):
    """Which process ended, and its sentence."""

    rank: int
    why: str


class Watch:
    """Beats for one process and looks after the next one.

    Args:
        store: a connection of its own, since another one may wait for minutes.
        rank, size: of this process.
        interval, missed, grace: seconds between beats, how many may be missed, seconds until the process is ended.
        leave: ends the process.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        size: int,
        interval: float = INTERVAL,
        missed: int = MISSED_BEATS,
        grace: float = GRACE,
        leave: Callable[[int], object] = os._exit,
    ) -> None:
        self.store, self.rank, self.size = store, rank, size
        self.interval, self.missed, self.grace, self.leave = interval, missed, grace, leave
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lmis-watch", daemon=True)

    def start(self) -> None:
        """Begin to beat and to look."""
        self._thread.start()

    def stop(self) -> None:
        """Neither beat nor look any more."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def report(self, failure: Failure) -> Failure:
        """Leave a reason for the others; returns the first one that was left, which may be another's."""
        try:
            found = self.store.compare_set(_FAILED, "", json.dumps(failure))
        except RuntimeError:
            # The store ended with the launcher; there is nobody left to tell.
            return failure
        return Failure(*json.loads(found))

    def failure(self, seconds: float = 0.0) -> Failure | None:
        """The reason that was left by any process, waiting up to so many seconds for one."""
        waited = 0.0
        while True:
            try:
                if self.store.check([_FAILED]):
                    return Failure(*json.loads(self.store.get(_FAILED)))
            except RuntimeError:
                return Failure(TORCHRUN, "")
            if waited >= seconds:
                return None
            threading.Event().wait(0.1)
            waited += 0.1

    def _run(self) -> None:
        following, before, missed, beat = (self.rank + 1) % self.size, b"", 0, 0
        while not self._stopped.wait(self.interval):
            try:
                beat += 1
                self.store.set(_beat(self.rank), str(beat))
                known = self.store.check([_beat(following)])
                now = self.store.get(_beat(following)) if known else b""
                missed = missed + 1 if now == before and following != self.rank else 0
                before = now
                if missed >= self.missed:
                    self.report(Failure(following, "it no longer answers"))
                failure = self.failure()
            except RuntimeError:
                failure = Failure(TORCHRUN, "")
            if failure is not None and failure.rank != self.rank:
                # The process itself ends in time where an exception reaches it.
                if not self._stopped.wait(self.grace):
                    print(f"lmis: {sentence(failure, self.size)}", file=sys.stderr, flush=True)
                    self.leave(EXIT_CODE)
                return


def sentence(failure: Failure, size: int) -> str:
    """What a process says when it ends because of another one."""
    unnamed = {TORCHRUN: "torchrun", ANOTHER: "another process"}
    who = unnamed.get(failure.rank, f"process {failure.rank + 1} of {size}")
    why = f" ({failure.why.rstrip('.')})" if failure.why else ""
    return (
        f"Training ended because {who} ended{why}; what was saved last is kept, so mend the cause and run the same "
        "command to go on."
    )


def _beat(rank: int) -> str:
    return f"lmis/beat/{rank}"
