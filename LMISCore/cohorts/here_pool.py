"""One worker that is this process itself: for a worker that serves a window, and has its network loaded already."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from LMISCore.cohorts.case_job import CaseJob, run_case_job
from LMISCore.cohorts.memory_job import MemoryJob, run_memory_job
from LMISCore.cohorts.pool import DONE, FAILED, Event
from LMISCore.errors import LMISError, is_out_of_memory

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors


def answer(job: dict[str, Any], predictors: Predictors, goes_on: Callable[[], bool] = lambda: True) -> dict[str, Any]:
    """Run a task "case" or "memory" and return its result, or {"error": kind, "message": ...} of what went wrong.

    Args:
        job: with the keys of the worker's protocol.
        predictors: keep the network between jobs.
        goes_on: asked at each batch of slices; False stops with the error "cancelled".
    """

    def progress(done: int, total: int, stage: str) -> bool:
        return goes_on()

    values = {key: value for key, value in job.items() if key != "task"}
    try:
        if job["task"] == "memory":
            return run_memory_job(MemoryJob.from_dict(values), progress, predictors)
        return run_case_job(CaseJob.from_dict(values), progress, predictors)
    except LMISError as error:
        return {"error": error.kind, "message": str(error)}
    except Exception as error:  # a defect with one case must not end the run of the others
        if is_out_of_memory(error):
            words = "Memory ran out; ask for fewer workers, or give a smaller volume."
            return {"error": "out_of_memory", "message": words}
        traceback.print_exc()
        return {"error": "internal", "message": f"A defect of LMISCore: {type(error).__name__}: {error}"}


class HerePool:
    """Runs each job when it is given.

    Args:
        goes_on: asked at each batch of slices whether the run goes on.
        predictors: with the network that is loaded already; None loads one.
    """

    def __init__(self, goes_on: Callable[[], bool] = lambda: True, predictors: Predictors | None = None) -> None:
        from LMISCore.inference.warm import Predictors

        self._goes_on = goes_on
        self._predictors = predictors or Predictors()
        self._events: list[Event] = []

    def resize(self, workers: int, memory: int = 0) -> None: ...

    def free(self) -> int:
        return 0 if self._events else 1

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        found = answer(job, self._predictors, self._goes_on)
        if "error" in found:
            self._events.append(Event(FAILED, identifier, {"kind": found["error"], "message": found["message"]}))
        else:
            self._events.append(Event(DONE, identifier, found))

    def wait(self, seconds: float) -> list[Event]:
        events, self._events = self._events, []
        return events

    def drop(self, identifier: str) -> None: ...

    def close(self) -> None: ...
