"""How far a run is, for a progress bar and a line beside it: stage, percent, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from LanguageSegmentLib.translation import tr as _

_LEAST_SECONDS = 1.0
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class ProgressLine:
    """What to show.

    Attributes:
        percent: 0 to 100, None where it is not known.
        text: the stage, and the time left where it can be told.
    """

    percent: int | None
    text: str


class ProgressClock:
    """Tells the time left from the pace of the stage so far.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._began = 0.0
        self._first = 0

    def line(self, done: int, total: int, stage: str) -> ProgressLine:
        """Return what to show for a message of the worker: ``done`` of ``total`` steps of a stage; 0 if unknown."""
        now = self._clock()
        if stage != self._stage:
            self._stage, self._began, self._first = stage, now, done
        words = stageWords(stage)
        if not total:
            return ProgressLine(None, words + " ...")
        percent = min(100, int(100 * done / total))
        left = self._left(done, total, now)
        return ProgressLine(percent, words if left is None else f"{words}, {timeWords(left)}")

    def _left(self, done: int, total: int, now: float) -> float | None:
        made, passed = done - self._first, now - self._began
        # A first guess from hardly any steps jumps about and helps nobody.
        if passed < _LEAST_SECONDS or made < max(1, _LEAST_SHARE * total) or done >= total:
            return None
        return passed / made * (total - done)


def stageWords(stage: str) -> str:
    """Return a stage of the worker as people say it."""
    words = {
        "starting": _("Starting the worker"),
        "waiting": _("Waiting for the run before"),
        "reading": _("Reading the volume"),
        "loading the network": _("Loading the network"),
        "reading the text": _("Reading the text"),
        "segmenting": _("Segmenting"),
        "explaining": _("Explaining"),
        "restoring": _("Bringing the masks onto the volume"),
        "writing": _("Writing"),
        "landing": _("Putting the segments into the scene"),
        "trying the device": _("Trying the device"),
    }
    return words.get(stage, stage[:1].upper() + stage[1:])


def timeWords(seconds: float) -> str:
    """Return a time that is left, rounded to what can be known."""
    if seconds < 5:
        return _("a few seconds left")
    if seconds < 60:
        return _("about {seconds} s left").format(seconds=5 * round(seconds / 5))
    minutes = seconds / 60
    if minutes < 10:
        return _("about {minutes} min left").format(minutes=f"{minutes:.0f}")
    return _("about {minutes} min left").format(minutes=5 * round(minutes / 5))
