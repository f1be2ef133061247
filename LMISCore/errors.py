"""Errors meant for the user: one sentence that says what was got, what was expected and what to do.

Command line and worker print these messages as they are (exit code 2); anything else is a defect of ours and
keeps its traceback.
"""

from __future__ import annotations


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
