"""Which device will compute, asked of the worker, which tries it; the worker is warm afterwards."""

from __future__ import annotations

from typing import Any

from LanguageSegmentLib.failures import sentenceFor
from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.worker_messages import JobMessages
from LMISCore.errors import Cancelled, LMISError


class DeviceProbe:
    """Asks once for each device name, since the answer stays the same while Slicer runs.

    Args:
        worker: that will segment, too.
    """

    def __init__(self, worker: ServingWorker) -> None:
        self._worker = worker
        self._runner = worker.runner()
        self._messages = JobMessages()
        self._asked = ""
        self._answers: dict[str, str] = {}

    @property
    def isRunning(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._asked)

    def line(self, device: str) -> str:
        """Return what is known about a device: the worker's words, or that it is being tried."""
        known = self._answers.get(device)
        if known is not None:
            return known
        return _("Trying the device ...") if self._asked == device else _("Not tried yet.")

    def ask(self, device: str) -> None:
        """Have a device tried, unless that was done; another one that is being tried is given up."""
        if device == self._asked or device in self._answers:
            return
        self.close()
        self._messages = JobMessages()
        self._asked = device
        try:
            self._runner.start({"task": "probe", "device": device}, self._messages.take)
        except LMISError as error:
            self._asked = ""
            self._answers[device] = sentenceFor(error)

    def poll(self) -> bool:
        """Take what came; whether an answer is still awaited."""
        if not self._asked or self._runner.poll():
            return self.isRunning
        device, self._asked = self._asked, ""
        try:
            self._answers[device] = _words(self._messages.outcome())
        except Cancelled:
            # Nothing is known, as the worker was ended; it may be asked again.
            return False
        except LMISError as error:
            self._answers[device] = sentenceFor(error)
        return False

    def forget(self) -> None:
        """Forget the answers, such as after packages were installed."""
        self.close()
        self._answers.clear()

    def close(self) -> None:
        """Give up the answer that is awaited."""
        self._runner.close()
        self._asked = ""


def _words(result: dict[str, Any]) -> str:
    return _("Will use {reason}").format(reason=str(result["device"]["reason"]))
