"""What the schedule asks of workers, whoever runs them: this machine's processes or Ray's actors. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

DONE = "done"
FAILED = "failed"
LOST = "lost"
BROKEN = "broken"


@dataclass(frozen=True)
class Event:
    """What became of a job, or of a worker.

    Attributes:
        kind: DONE (``values`` are the result), FAILED (``values`` are kind and message), LOST (the worker ended while
            it had the job; ``values`` hold a message), or BROKEN (a worker ended before it was ready).
        job: its id; "" for BROKEN.
        values: plain JSON values.
    """

    kind: str
    job: str
    values: dict[str, Any] = field(default_factory=dict)


class Pool(Protocol):
    """Persistent workers with one network each; a worker that ends is replaced by a fresh one."""

    def resize(self, workers: int, memory: int = 0) -> None:
        """Have so many workers; those that there are stay.

        Args:
            workers: how many.
            memory: bytes that each new one needs, for an engine that chooses its machine; 0 where it is not known.
        """
        ...

    def free(self) -> int:
        """How many workers could take a job now."""
        ...

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        """Give a job, with the keys of the worker's protocol, to a free worker."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """Wait for at most so long; returns what happened meanwhile."""
        ...

    def drop(self, identifier: str) -> None:
        """End the worker that has this job; a LOST event follows."""
        ...

    def close(self) -> None:
        """Cancel what runs, and end all workers."""
        ...
