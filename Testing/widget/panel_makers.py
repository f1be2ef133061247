"""What the panel's tests share: weights that mark part of a volume at once, and workers that outlive a test."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from logic_makers import Material

from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.worker_process import WorkerProcess
from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint


def save_panel_checkpoint(material: Material, path: Path) -> Path:
    """The tiny weights of a material with its threshold in their card, so that they mark about half of a volume."""
    tiny = load_checkpoint(material.checkpoint)
    thresholds = {**tiny.card.thresholds, "mask": material.threshold}
    save_checkpoint(path, tiny.network, dataclasses.replace(tiny.card, name="tiny", thresholds=thresholds))
    return path


class KeptWorker(ServingWorker):
    """A serving worker that several panels use one after another, since starting it takes seconds.

    Attributes:
        textEncoder: folder that every job gets, None for that of the card.
        jobs: all jobs so far.
    """

    def __init__(self, process: Any, textEncoder: Path | None) -> None:
        super().__init__(process)
        self.textEncoder = textEncoder
        self.jobs: list[dict[str, Any]] = []

    def submit(self, values: dict[str, Any], onMessage: Any) -> Any:
        if self.textEncoder is not None and values["task"] != "probe":
            values = {**values, "text_encoder": str(self.textEncoder)}
        self.jobs.append(values)
        return super().submit(values, onMessage)

    def close(self) -> None:
        """Give up the jobs only; the network stays loaded for the next panel."""
        for job in [*([self._running] if self._running is not None else []), *self._waiting]:
            self.abandon(job)

    def end(self) -> None:
        """End the process."""
        super().close()


class ScriptedProcess(WorkerProcess):
    """A worker that answers each job with the lines of a script, without computing anything.

    Args:
        answers: messages for each job in order; None for one that never ends by itself, a number for an exit with it.
        complaints: lines on stderr.
    """

    def __init__(self, answers: list[Any], complaints: list[str] | None = None) -> None:
        self._answers = answers
        self._complaints = complaints or []
        self._code: int | None = None
        self._output = b""
        self.written: list[dict[str, Any]] = []
        self.ended = False

    def start(self, command: Any, folder: Path, variables: Any) -> None:
        self._say({"type": "started", "pid": 0})

    def write(self, data: bytes) -> None:
        import json

        line = json.loads(data)
        self.written.append(line)
        if line["type"] != "job":
            return
        if line["job"]["task"] == "probe":
            device = {"name": "cpu", "reason": "the processor (CPU)"}
            self._say({"type": "result", "id": line["id"], "device": device})
            return
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            self._code = answer
        else:
            for message in answer or ():
                self._say({**message, "id": line["id"]})

    def _say(self, message: dict[str, Any]) -> None:
        import json

        self._output += json.dumps(message).encode() + b"\n"

    def read(self) -> bytes:
        output, self._output = self._output, b""
        return output

    def complaints(self) -> list[str]:
        return self._complaints

    def exitCode(self) -> int | None:
        return self._code

    def end(self, pid: int | None) -> None:
        self.ended = True

    def pid(self) -> int:
        return 0
