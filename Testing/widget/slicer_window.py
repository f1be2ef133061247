"""Stand-ins for what the panel takes of the Slicer application's window: a module's place, slice views, dialogs.

Names and signatures are those of Slicer's sources (Base/Python/slicer/util.py, ScriptedLoadableModule.py,
Base/QTGUI/qSlicerAbstractModuleWidget.h, qSlicerLayoutManager.h). ``loadUI``, ``childWidgetVariables`` and
``setSliceViewerLayers`` are Slicer's own.
"""

from __future__ import annotations

import importlib
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer
import slicer.util
import vtk
from faults import Faults
from PySide6 import QtCore, QtUiTools, QtWidgets
from python_qt import PythonQt
from slicer_application import MODULE_FILE, Application
from stand_in_selector import qMRMLNodeComboBox
from stand_in_widgets import ctkCollapsibleButton, ctkPathLineEdit, ctkSliderWidget, qMRMLWidget

CUSTOM_WIDGETS = {
    each.__name__: each
    for each in (ctkCollapsibleButton, ctkPathLineEdit, ctkSliderWidget, qMRMLNodeComboBox, qMRMLWidget)
}
VIEWS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


class ModulePlace(qMRMLWidget):
    """Where Slicer puts a module's panel."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = False
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)

    isEntered = QtCore.Property(bool, lambda self: self.entered)


class Dialogs:
    """What would have been shown over the window, and what a user answers.

    Attributes:
        errors: texts of error messages.
        details: the detailed text of each, "" without one.
        questions: texts of questions.
        agrees: the answer to questions.
        paths: answers to file dialogs, one for each; "" is Cancel.
        asked: (title, suggested path, kinds of files) of the file dialogs.
        exported: items that the DICOM dialog was opened on.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.errors: list[str] = []
        self.details: list[str] = []
        self.questions: list[str] = []
        self.agrees = True
        self.paths: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.exported: list[int] = []

    def error(
        self, text: str, windowTitle: Any = None, parent: Any = None, standardButtons: Any = None, **more: Any
    ) -> None:
        assert set(more) <= {"detailedText"}
        self.errors.append(text)
        self.details.append(more.get("detailedText", ""))

    def confirm(self, text: str, windowTitle: Any = None, parent: Any = None, **more: Any) -> bool:
        self.questions.append(text)
        return self.agrees

    def file(self, parent: Any = None, caption: str = "", folder: str = "", kinds: str = "") -> str:
        """As PythonQt's getOpenFileName: one text, not Qt's pair."""
        self.asked.append((caption, folder, kinds))
        if not self.paths:
            self._faults.add(f"a file dialog was opened that no test answers: {caption}")
            return ""
        return self.paths.pop(0)


class UiLoader:
    """Loads a ``.ui`` file with stand-ins for Slicer's widgets; its connections name VTK types and are made here."""

    def __init__(self, python_qt: PythonQt) -> None:
        self._python_qt = python_qt

    def load(self, file: Any) -> Any:
        path = Path(self._python_qt.unwrap(file).fileName())
        tree = ElementTree.parse(path)
        loader = QtUiTools.QUiLoader()
        for each in tree.iterfind("customwidgets/customwidget"):
            loader.registerCustomWidget(CUSTOM_WIDGETS[each.findtext("class", "")])
        connections = tree.find("connections")
        text = path.read_bytes()
        if connections is not None:
            tree.getroot().remove(connections)
            text = ElementTree.tostring(tree.getroot(), encoding="utf-8")
        buffer = QtCore.QBuffer()
        buffer.setData(text)
        widget = loader.load(buffer)
        for each in connections if connections is not None else ():
            self._connect(widget, each)
        return self._python_qt.wrap(widget)

    @staticmethod
    def _connect(widget: Any, connection: ElementTree.Element) -> None:
        part = {each.tag: each.text or "" for each in connection}
        sender, receiver = (
            widget if part[end] == widget.objectName() else widget.findChild(QtWidgets.QWidget, part[end])
            for end in ("sender", "receiver")
        )
        signal = getattr(sender, type(sender).SIGNALS[part["signal"]])
        signal.connect(getattr(receiver, part["slot"].partition("(")[0]))


class WindowApplication(Application):
    """The application as the panel sees it.

    Attributes:
        dialogs: what was shown.
    """

    def __init__(self, patch: pytest.MonkeyPatch, session: Any, python_qt: PythonQt) -> None:
        self._python_qt = python_qt
        self._session = session
        self.dialogs = Dialogs(python_qt.faults)
        python_qt.replaced = {
            "QUiLoader": lambda: UiLoader(python_qt),
            "QFileDialog": SimpleNamespace(getOpenFileName=self.dialogs.file, getSaveFileName=self.dialogs.file),
        }
        self.sliceLogics = [self._view(name) for name in VIEWS]
        super().__init__(patch)
        self._patch = patch
        self.translate(lambda context, text: text)
        self.app.layoutManager = lambda: self  # type: ignore[attr-defined]
        self.app.clipboard = lambda: python_qt.wrap(QtWidgets.QApplication.clipboard())  # type: ignore[attr-defined]
        self.app.applicationVersion, self.app.revision = "5.12.0", "33000"  # type: ignore[attr-defined]
        patch.setattr(slicer.util, "errorDisplay", self.dialogs.error)
        patch.setattr(slicer.util, "confirmOkCancelDisplay", self.dialogs.confirm)

    def _modules(self, patch: pytest.MonkeyPatch) -> None:
        super()._modules(patch)
        python_qt = self._python_qt

        class ScriptedLoadableModuleWidget:
            """Slicer's base class: a parent to fill, with a layout."""

            def __init__(self, parent: Any = None) -> None:
                self.moduleName = type(self).__name__.removesuffix("Widget")
                self.parent = parent if parent is not None else python_qt.wrap(ModulePlace())
                self.layout = self.parent.layout()

            def setup(self) -> None:
                pass

            def resourcePath(self, name: str) -> str:
                return str(MODULE_FILE.parent / "Resources" / name)

            def onReload(self) -> None:
                pass

        bases: ModuleType = sys.modules["slicer.ScriptedLoadableModule"]
        bases.ScriptedLoadableModuleWidget = ScriptedLoadableModuleWidget  # type: ignore[attr-defined]

    def translate(self, translated: Callable[[str, str], str]) -> None:
        """Let the module speak by a function of context and text; the context is that of Slicer's ``tr``."""
        for name in ("LanguageSegmentLib.panel", "LanguageSegmentLib.qt_process"):
            importlib.import_module(name)
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] in ("LanguageSegmentLib", "LanguageSegment") and hasattr(module, "_"):
                self._patch.setattr(module, "_", lambda text, name=name: translated(name, text))

    def _view(self, name: str) -> Any:
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self._session.application)
        logic.SetMRMLScene(self._session.scene)
        getattr(logic.AddSliceNode(name), f"SetOrientationTo{VIEWS[name]}")()
        return logic

    def mrmlSliceLogics(self) -> Any:
        """The views' logics, as the layout manager gives them."""
        collection = vtk.vtkCollection()
        for logic in self.sliceLogics:
            collection.AddItem(logic)
        return collection

    def sliceCentres(self) -> list[tuple[float, float, float]]:
        """The middle of each slice view in RAS, mm."""
        matrices = [logic.GetSliceNode().GetSliceToRAS() for logic in self.sliceLogics]
        return [(each.GetElement(0, 3), each.GetElement(1, 3), each.GetElement(2, 3)) for each in matrices]

    def offer_dicom(self, patch: pytest.MonkeyPatch) -> None:
        """As with the extension QuantitativeReporting installed."""
        dialogs = self.dialogs

        class qSlicerDICOMExportDialog:
            def setMRMLScene(self, scene: Any) -> None:
                assert scene is slicer.mrmlScene

            def execDialog(self, item: int) -> None:
                dialogs.exported.append(item)

        patch.setattr(slicer, "qSlicerDICOMExportDialog", qSlicerDICOMExportDialog, raising=False)
        patch.setattr(slicer.modules, "dicomPlugins", {"DICOMSegmentationPlugin": object}, raising=False)
