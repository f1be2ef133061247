"""Translation of what the user reads: Slicer's own ``tr``, or the English text where there is no application."""

from __future__ import annotations

from collections.abc import Callable

try:
    from slicer.i18n import tr as _found
except ImportError:

    def _found(text: str) -> str:
        return text


# Slicer's own function looks at the file that calls it, so it must not be wrapped.
tr: Callable[[str], str] = _found
