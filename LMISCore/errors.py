"""Errors meant for the user: one sentence that says what was got, what was expected and what to do.

Command line and worker print these messages as they are (exit code 2); anything else is a defect of ours and
keeps its traceback.
"""

from __future__ import annotations

_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
    "allocation_failed",
    "invalid buffer size",
)


class LMISError(Exception):
    """Base of all errors a user can mend; ``kind`` is the word the worker protocol reports."""

    kind = "error"


class InputError(LMISError):
    """A file, option or text that cannot be used as it is."""

    kind = "bad_input"


class MissingDependencyError(LMISError):
    """An optional package is not installed; the message names the extra that brings it."""

    kind = "missing_dependency"


class OutOfMemoryError(LMISError):
    """The work does not fit the device even one slice at a time."""

    kind = "out_of_memory"


class Cancelled(LMISError):
    """The caller's progress callback asked to stop; nothing was written."""

    kind = "cancelled"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on any device.

    What PyTorch raises is a RuntimeError, told by its words: its class for accelerators, a plain one for the processor,
    and plain ones for what cuBLAS, cuDNN and Metal ask for themselves.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
