"""Long work in the window's thread, done in portions, so that the window lives on in between.

Python threads of Slicer run only while its main thread is in Python, so a thread would not help: work is written as a
generator that yields every few milliseconds, and whoever polls does as much of it as there is time for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")
Work = Generator[None, None, Result]

PORTION_SECONDS = 0.02
# Voxels that are looked at between two yields.
SLAB_VOXELS = 4_000_000


class Portions(Generic[Result]):
    """Work that is going on.

    Args:
        work: to be done.
        clock: seconds.
    """

    def __init__(self, work: Work[Result], clock: Callable[[], float] = time.perf_counter) -> None:
        self._work = work
        self._clock = clock
        self._result: list[Result] = []

    def go(self, seconds: float | None = None) -> bool:
        """Work for about that long; whether there is more to do. What the work raises comes out here.

        Args:
            seconds: None takes ``PORTION_SECONDS``; at 0 one step is made.
        """
        until = self._clock() + (PORTION_SECONDS if seconds is None else seconds)
        while not self._result:
            try:
                next(self._work)
            except StopIteration as end:
                self._result.append(end.value)
                break
            if self._clock() >= until:
                return True
        return False

    @property
    def result(self) -> Result:
        """What the work gave, once :meth:`go` has said False."""
        return self._result[0]

    def close(self) -> None:
        """Give the work up; it cleans up what it has begun."""
        self._work.close()


def allAtOnce(work: Work[Result]) -> Result:
    """Do all of the work now and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result


def slabs(shape: tuple[int, ...]) -> list[slice]:
    """Return slices of the first axis, each of at most about ``SLAB_VOXELS``; all but the last a multiple of 8 long."""
    each = max(1, SLAB_VOXELS // max(1, shape[1] * shape[2])) // 8 * 8 or 8
    return [slice(start, min(start + each, shape[0])) for start in range(0, shape[0], each)]
