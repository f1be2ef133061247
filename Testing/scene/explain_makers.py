"""A worker without a process for the tests of explanation maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from LMISCore.errors import LMISError
from LMISCore.inference.explain_job import ExplainJob, run_explain_job

SENTENCE = "Infection in the left lung."


class ExplainingRunner:
    """Runs the worker's job in this process, in the call of ``poll``."""

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self._during = during
        self._waiting: Any = None
        self.stopped = False

    def start(self, job: dict[str, Any], onMessage: Callable[[dict[str, Any]], None]) -> None:
        self._waiting = (job, onMessage)

    def poll(self) -> bool:
        (job, onMessage), self._waiting = self._waiting, None

        def progress(done: int, total: int, stage: str) -> bool:
            self._during()
            onMessage({"type": "progress", "done": done, "total": total, "stage": stage})
            return not self.stopped

        assert job.pop("task") == "explain"
        try:
            onMessage({"type": "result", **run_explain_job(ExplainJob.from_dict(job), progress)})
        except LMISError as error:
            onMessage({"type": "error", "kind": error.kind, "message": str(error)})
        return False

    def cancel(self) -> None:
        self.stopped = True

    def close(self) -> None:
        pass
