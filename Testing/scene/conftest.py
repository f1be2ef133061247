"""What scene tests share: a Slicer session without the application, and the module's library on Python's path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from logic_makers import Material

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


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Files for runs, made anew for each file of tests."""
    # Imported late: most tests of scenes need no torch.
    from logic_makers import make_material

    return make_material(tmp_path_factory.mktemp("material"))
