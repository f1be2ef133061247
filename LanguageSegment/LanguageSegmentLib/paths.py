"""Where LMISCore lies: beside the module in an installation, two folders up in an unbuilt checkout."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def reach_core() -> None:
    """Make ``import LMISCore`` work.

    An installation puts LMISCore beside ``LanguageSegment.py``, on Python's path already. Slicer puts only the module's
    own folder of a checkout there, so the checkout's root is appended: last, so that it hides nothing.

    Raises:
        ImportError: if LMISCore is in neither place.
    """
    if importlib.util.find_spec("LMISCore") is not None:
        return
    if not (ROOT / "LMISCore" / "__init__.py").is_file():
        raise ImportError(f"LMISCore was found neither on Python's path nor in {ROOT}; install the extension again")
    sys.path.append(str(ROOT))
    importlib.invalidate_caches()
