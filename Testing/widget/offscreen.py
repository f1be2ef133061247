"""The panel outside of pytest, for commands that draw or measure it: Qt, a Slicer session, and a window."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for _folder in (ROOT / "Testing" / "core", ROOT / "Testing" / "scene", ROOT / "LanguageSegment", ROOT):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_STYLE_OVERRIDE", "Fusion")


@contextlib.contextmanager
def panel_window(
    folder: Path, translated: Callable[[str, str], str] | None = None, **options: Any
) -> Iterator[tuple[Any, Any]]:
    """A window with the panel and its own worker process, and the session; faults are raised at the end.

    Args:
        folder: for temporary files and the settings.
        translated: gives a text of a context in another language.
        options: of ``Window``.
    """
    import pytest
    from faults import Faults
    from PySide6 import QtCore, QtWidgets
    from python_qt import Names, PythonQt
    from session import SlicerSession
    from slicer_window import WindowApplication
    from ui_translator import Translator
    from window import Window

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    application.setOrganizationName("LanguageSegmentPictures")
    application.setApplicationName("LanguageSegmentPictures")
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.Format.IniFormat)
    scope = QtCore.QSettings.Scope.UserScope
    QtCore.QSettings.setPath(QtCore.QSettings.Format.IniFormat, scope, str(folder / "settings"))
    python_qt = PythonQt(Faults(), Names())
    session = SlicerSession(folder / "session")
    translator = Translator(translated) if translated is not None else None
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "qt", python_qt.module())
            around = WindowApplication(patch, session, python_qt)
            if translator is not None and translated is not None:
                around.translate(translated)
                QtCore.QCoreApplication.installTranslator(translator)
            python_qt.faults.watch()
            window = Window(around, python_qt, **options)
            try:
                yield window, session
            finally:
                window.close()
                python_qt.faults.stop()
            python_qt.faults.check()
    finally:
        if translator is not None:
            QtCore.QCoreApplication.removeTranslator(translator)
        session.close()
