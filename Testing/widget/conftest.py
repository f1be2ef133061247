"""What widget tests share: Qt without a display, a Slicer session, and a panel that fails on whatever was swallowed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTING = Path(__file__).resolve().parents[1]
for _folder in (TESTING / "scene", TESTING / "core", TESTING.parent / "LanguageSegment"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
# Before Qt is loaded: no display is needed, and no style of the computer's is taken over.
os.environ.update(QT_QPA_PLATFORM="offscreen", QT_STYLE_OVERRIDE="Fusion", LANG="C.UTF-8")

from faults import Faults  # noqa: E402
from PySide6 import QtCore, QtWidgets  # noqa: E402
from python_qt import Names, PythonQt  # noqa: E402
from session import SlicerSession  # noqa: E402


@pytest.fixture(scope="session")
def python_qt() -> Iterator[PythonQt]:
    """The module ``qt`` of this session, and Qt's application."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    application.setOrganizationName("LanguageSegmentTests")
    application.setApplicationName("LanguageSegmentTests")
    made = PythonQt(Faults(), Names())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "qt", made.module())
        yield made


@pytest.fixture
def faults(python_qt: PythonQt) -> Iterator[Faults]:
    """Fails the test on what was raised, logged or warned of while it ran."""
    found = python_qt.faults
    found.found.clear()
    found.watch()
    yield found
    found.stop()
    found.check()


@pytest.fixture
def slicer_session(tmp_path: Path) -> Iterator[SlicerSession]:
    session = SlicerSession(tmp_path / "session")
    yield session
    session.close()


@pytest.fixture
def application(
    faults: Faults, python_qt: PythonQt, slicer_session: SlicerSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Any]:
    """The application around the panel; the user's settings are a file of this test."""
    from slicer_window import WindowApplication

    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    QtCore.QSettings.setPath(
        QtCore.QSettings.Format.IniFormat, QtCore.QSettings.Scope.UserScope, str(tmp_path / "settings")
    )
    yield WindowApplication(monkeypatch, slicer_session, python_qt)


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from logic_makers import make_material

    return make_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="session")
def weights(material: Any) -> Path:
    """Tiny weights that mark about half of a volume."""
    from panel_makers import save_panel_checkpoint

    return save_panel_checkpoint(material, material.folder / "panel.safetensors")


@pytest.fixture(scope="session")
def worker(python_qt: PythonQt, material: Any) -> Iterator[Any]:
    """The real worker in its own process by QProcess, loaded once for all tests."""
    from panel_makers import KeptWorker

    from LanguageSegmentLib.qt_process import QtProcess

    made = KeptWorker(QtProcess, material.encoder)
    yield made
    made.end()


@pytest.fixture
def open_window(application: Any, python_qt: PythonQt, weights: Path, worker: Any) -> Iterator[Callable[..., Any]]:
    """Opens the panel with the tiny weights as the user's choice, or what the test says."""
    from window import Window

    windows: list[Window] = []

    def make(server: Any = None, checkpoint: Path | None = weights, **options: Any) -> Window:
        if checkpoint is not None:
            QtCore.QSettings().setValue("LanguageSegment/checkpoint", str(checkpoint))
        QtCore.QSettings().setValue("LanguageSegment/device", "cpu")
        application.module.LanguageSegmentWidget.makeWorker = staticmethod(lambda: server or worker)
        windows.append(Window(application, python_qt, **options))
        return windows[-1]

    yield make
    for each in windows:
        each.close()


@pytest.fixture
def window(open_window: Callable[..., Any]) -> Any:
    return open_window()
