"""What scene tests share: a Slicer session without the application, and the module's library on Python's path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Slicer puts the module's own folder there.
MODULE = Path(__file__).resolve().parents[2] / "LanguageSegment"
if str(MODULE) not in sys.path:
    sys.path.insert(0, str(MODULE))

from session import SlicerSession  # noqa: E402


@pytest.fixture
def slicer_session(tmp_path: Path) -> Iterator[SlicerSession]:
    """A scene with its logics, ``slicer.mrmlScene`` and ``slicer.modules`` set; closed afterwards."""
    session = SlicerSession(tmp_path)
    yield session
    session.close()
