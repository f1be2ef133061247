"""Temporary folders, and one plain sentence where there can be none."""

from __future__ import annotations

import tempfile

from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError


def temporaryFolder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder, which goes when it is cleaned up or forgotten.

    Raises:
        InputError: if the disk is full or nothing may be written there.
    """
    try:
        return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise InputError(
            _(
                "No temporary folder could be made ({why}); free disk space, or set another temporary folder in the "
                "environment variable TMPDIR and start again."
            ).format(why=error.strerror or error)
        ) from error
