"""What a job's messages amount to: its result, or the error to raise, and what was logged on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import Cancelled, InputError, LMISError, MissingDependencyError, OutOfMemoryError

Progress = Callable[[int, int, str], "bool | None"]

_ERRORS: dict[str, type[LMISError]] = {
    kind.kind: kind for kind in (InputError, MissingDependencyError, OutOfMemoryError, Cancelled)
}


@dataclass
class JobMessages:
    """Gathers the messages of one job.

    Attributes:
        progress: called with (done, total, stage); False asks to stop.
        result: the last message, if it was a result.
        error: what to raise, if it was an error.
        log: sentences for the user.
        refused: whether ``progress`` said False.
    """

    progress: Progress | None = None
    result: dict[str, Any] | None = None
    error: LMISError | None = None
    log: list[str] = field(default_factory=list)
    refused: bool = False

    def take(self, message: dict[str, Any]) -> None:
        """Take one message."""
        kind = message["type"]
        if kind == "result":
            self.result = message
        elif kind == "error":
            self.error = errorOf(message)
        elif kind == "log":
            self.log.append(message["message"])
        elif kind == "progress" and self.progress is not None:
            going = self.progress(message["done"], message["total"], message["stage"])
            self.refused = self.refused or going is False

    def outcome(self) -> dict[str, Any]:
        """Return the result.

        Raises:
            LMISError: the error that was sent, or one for a job that ended without a word.
        """
        if self.error is not None:
            raise self.error
        if self.result is None:
            raise LMISError(_("The worker ended without a result; run it again."))
        return self.result


def errorOf(message: dict[str, Any]) -> LMISError:
    """The error that a worker's error message stands for, with the last lines of its stderr as notes."""
    error = _ERRORS.get(message["kind"], LMISError)(message["message"])
    for line in message.get("stderr", ()):
        error.add_note(line)
    return error
