"""What went wrong, in one plain sentence with the next step, whatever raised it."""

from __future__ import annotations

import errno

from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import Cancelled, LMISError, MissingDependencyError, OutOfMemoryError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}


def sentenceFor(error: BaseException) -> str:
    """Return what to tell the user.

    Errors of ours say it themselves; where they do not name the next step in this panel, it is added.
    """
    if isinstance(error, LMISError):
        return _withStep(error)
    if isinstance(error, MemoryError):
        return _("Memory ran out; close other programs or choose a smaller volume, then press Apply again.")
    if isinstance(error, OSError):
        return _ofSystem(error)
    return _("This is a defect of the module ({kind}); the Python console shows more, please report it.").format(
        kind=type(error).__name__
    )


def isCancelled(error: BaseException) -> bool:
    """Whether the user asked for the end, so that no message is due."""
    return isinstance(error, Cancelled)


def _withStep(error: LMISError) -> str:
    text = str(error).strip()
    if isinstance(error, OutOfMemoryError):
        return _joined(text, _("choose the processor (CPU) as device, or a smaller volume"))
    if isinstance(error, MissingDependencyError):
        return _joined(text, _("press Install packages in the section Settings"))
    return text


def _joined(text: str, step: str) -> str:
    """One sentence: a step is put behind what has none yet."""
    body = text.rstrip(".")
    return f"{body}." if ";" in body else f"{body}; {step}."


def _ofSystem(error: OSError) -> str:
    place = str(error.filename or _("the folder"))
    if error.errno in _NO_SPACE:
        return _("The disk is full at {place}; free some space and try again.").format(place=place)
    if error.errno in _NO_RIGHT:
        return _("There is no right to write {place}; choose another folder.").format(place=place)
    return _("{place} could not be used ({why}); choose another file or folder.").format(
        place=place, why=error.strerror or error
    )
