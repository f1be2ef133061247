"""Runs on the screen: the timer that polls them, the progress bar, and the line that says how it went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer.util

from LanguageSegmentLib.device_probe import DeviceProbe
from LanguageSegmentLib.failures import isCancelled, sentenceFor
from LanguageSegmentLib.progress_text import ProgressClock, stageWords
from LanguageSegmentLib.qt_turns import onceAfter
from LanguageSegmentLib.run_queue import Request, RunQueue
from LanguageSegmentLib.serving import ServingWorker
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.worker_messages import Progress
from LMISCore.errors import LMISError

_POLL_MILLISECONDS = 50
# A network that nobody asks any more gives its memory back.
_IDLE_MILLISECONDS = 15 * 60 * 1000


class PanelRuns:
    """Polls a queue of runs and the device probe, and shows how the runs get on.

    Args:
        ui: with progressBar and statusLabel.
        worker: that runs them.
        onChange: called when runs began or ended, or the probe has an answer.
    """

    def __init__(self, ui: Any, worker: ServingWorker, onChange: Callable[[], None]) -> None:
        self._ui = ui
        self._worker = worker
        self._onChange = onChange
        self._clock = ProgressClock()
        self.queue = RunQueue(self._onProgress)
        self.probe = DeviceProbe(worker)
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._timer.connect("timeout()", self._onTimer)
        self._idle = onceAfter(_IDLE_MILLISECONDS, self._onIdle)
        ui.progressBar.visible = False

    @property
    def isBusy(self) -> bool:
        """Whether something runs or waits, the probe left aside."""
        return self.queue.isBusy

    def add(self, make: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
        """Ask for a run; an error is shown here."""
        waits = self.queue.isBusy
        self.queue.add(Request(make, done, self.failed))
        if waits:
            # The run that is going on soon tells again how far it is.
            self._ui.statusLabel.text = stageWords("waiting") + " ..."
        else:
            self._clock = ProgressClock()
            self._onProgress(0, 0, "reading" if self._worker.isWarm else "starting")
        self._wake()
        self._onChange()

    def ask(self, device: str) -> None:
        """Have a device tried in the background."""
        self.probe.ask(device)
        self._wake()

    def cancel(self) -> None:
        """Stop what runs."""
        self.queue.cancel()
        if self.queue.isCancelling:
            self._ui.statusLabel.text = _("Cancelling ...")
        else:
            # What had not begun is gone at once, and no poll will see it end.
            self._onChange()

    def failed(self, error: BaseException) -> None:
        """Show an error in one sentence; a cancel is no error."""
        sentence = sentenceFor(error)
        self._ui.statusLabel.text = sentence
        if isCancelled(error):
            return
        notes = "\n".join([*getattr(error, "__notes__", ())])
        slicer.util.errorDisplay(sentence, **({"detailedText": notes} if notes else {}))
        if not isinstance(error, LMISError | OSError | MemoryError):
            # Not raised here: PythonQt would only print it and the panel would be left half-way.
            import logging

            logging.getLogger("LanguageSegment").error("A defect of the module", exc_info=error)

    def close(self) -> None:
        """Give up all that runs, and the worker."""
        self._timer.stop()
        self._idle.stop()
        self.queue.close()
        self.probe.close()
        self._worker.close()
        self._ui.progressBar.visible = False

    def giveUp(self) -> None:
        """Give up what runs, without a word; the worker stays."""
        self.queue.close()
        self._ui.progressBar.visible = False
        self._ui.statusLabel.text = ""

    def _wake(self) -> None:
        self._idle.stop()
        if not self._timer.isActive():
            self._timer.start()

    def _onTimer(self) -> None:
        wasBusy, wasProbing = self.queue.isBusy, self.probe.isRunning
        self.queue.poll()
        self.probe.poll()
        busy, probing = self.queue.isBusy, self.probe.isRunning
        if not busy:
            self._ui.progressBar.visible = False
        if not busy and not probing:
            self._timer.stop()
            self._idle.start()
        if (wasBusy, wasProbing) != (busy, probing):
            self._onChange()

    def _onIdle(self) -> None:
        self._worker.close()

    def _onProgress(self, done: int, total: int, stage: str) -> bool:
        if self.queue.isCancelling:
            return True
        line = self._clock.line(done, total, stage)
        bar = self._ui.progressBar
        bar.visible = True
        # A bar without an end is Qt's way of saying that nobody knows how long.
        bar.setRange(0, 0 if line.percent is None else 100)
        if line.percent is not None:
            bar.value = line.percent
        waiting = self.queue.waiting
        text = line.text
        if waiting:
            text = _("{stage}; {count} more waiting").format(stage=line.text, count=waiting)
        self._ui.statusLabel.text = text
        return True
