"""Stand-ins for what the module takes of the Slicer application and what slicer-core lacks; not the application.

Names and signatures are those of Slicer's sources (Base/Python/slicer, Modules/Scripted/SampleData). ``tr`` marks what
it was given, so that a test sees what was not.
"""

from __future__ import annotations

import importlib.util
import sys
import weakref
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import pytest
import slicer
import vtk

MODULE_FILE = Path(__file__).resolve().parents[2] / "LanguageSegment" / "LanguageSegment.py"
MARK = "\u2063"
"""What the pretended translation puts before a text: a sign that nobody types."""


class Signals:
    """An object whose slots are kept by signal, for a test to call."""

    def __init__(self) -> None:
        self.slots: dict[str, list[Any]] = {}

    def connect(self, signal: str, slot: Any) -> None:
        self.slots.setdefault(signal, []).append(slot)


def parameterNodeWrapper(wrapped: type) -> type:
    """Typed attributes kept in a vtkMRMLScriptedModuleNode, as Slicer's decorator of this name does.

    As there, values are remembered until the node is modified; a reference to a node that comes later stays None.
    """
    hints = get_type_hints(wrapped)
    defaults = {name: getattr(wrapped, name, None) for name in hints}

    class Wrapper:
        def __init__(self, parameterNode: Any) -> None:
            object.__setattr__(self, "parameterNode", parameterNode)
            object.__setattr__(self, "values", {})
            this = weakref.ref(self)

            def read(*_: Any) -> None:
                wrapper = this()
                if wrapper is not None:
                    wrapper._read()

            tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, read)
            object.__setattr__(self, "tag", tag)
            self._read()

        def __del__(self) -> None:
            self.parameterNode.RemoveObserver(self.tag)

        def _read(self) -> None:
            self.values.update({name: self._stored(name) for name in hints})

        def __getattr__(self, name: str) -> Any:
            return self.values[name] if name in hints else getattr(self.parameterNode, name)

        def _stored(self, name: str) -> Any:
            if hints[name] not in (str, bool):
                return self.parameterNode.GetNodeReference(name)
            stored = self.parameterNode.GetParameter(name)
            value = stored if stored else defaults[name]
            return value in (True, "True") if hints[name] is bool else value

        def __setattr__(self, name: str, value: Any) -> None:
            if hints[name] in (str, bool):
                self.parameterNode.SetParameter(name, str(value))
            else:
                assert value is None or value.IsA(hints[name].__name__)
                self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    Wrapper.__name__ = wrapped.__name__
    return Wrapper


class ScriptedLoadableModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    """The panel is tested with real widgets; here the module only has to be loaded."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.reloaded = 0

    def onReload(self) -> None:
        self.reloaded += 1


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        return node


class ScriptedLoadableModuleTest:
    def delayDisplay(self, message: str, msec: Any = None) -> None:
        pass

    def assertEqual(self, one: Any, other: Any) -> None:
        assert one == other

    def assertGreater(self, one: Any, other: Any) -> None:
        assert one > other


class Application:
    """Slicer's application as the module sees it.

    Attributes:
        samples: what SampleData was given.
        module: LanguageSegment.py, loaded as Slicer loads it.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.samples: list[dict[str, Any]] = []
        self.app = Signals()
        self.app.layoutManager = lambda: None  # type: ignore[attr-defined]  # no main window
        self._modules(patch)
        patch.setattr(slicer, "app", self.app, raising=False)
        # Not among the session's logics: given a scene it looks for lists that only the application has.
        self.terminologies = slicer.vtkSlicerTerminologiesModuleLogic()
        patch.setattr(slicer.modules, "terminologies", SimpleNamespace(logic=lambda: self.terminologies), raising=False)
        self.module = load_module()
        patch.setitem(sys.modules, "LanguageSegment", self.module)

    def _modules(self, patch: pytest.MonkeyPatch) -> None:
        i18n = ModuleType("slicer.i18n")
        i18n.tr = lambda text: MARK + text  # type: ignore[attr-defined]
        i18n.translate = lambda context, text: MARK + text  # type: ignore[attr-defined]
        wrapper = ModuleType("slicer.parameterNodeWrapper")
        wrapper.parameterNodeWrapper = parameterNodeWrapper  # type: ignore[attr-defined]
        bases = ModuleType("slicer.ScriptedLoadableModule")
        for base in (
            ScriptedLoadableModule,
            ScriptedLoadableModuleWidget,
            ScriptedLoadableModuleLogic,
            ScriptedLoadableModuleTest,
        ):
            setattr(bases, base.__name__, base)
        sample_data = ModuleType("SampleData")
        sample_data.SampleDataLogic = SimpleNamespace(  # type: ignore[attr-defined]
            registerCustomSampleDataSource=self._register
        )
        for module in (i18n, wrapper, bases, sample_data):
            patch.setitem(sys.modules, module.__name__, module)

    def _register(
        self,
        category: str = "Custom",
        sampleName: Any = None,
        uris: Any = None,
        fileNames: Any = None,
        nodeNames: Any = None,
        customDownloader: Any = None,
        thumbnailFileName: Any = None,
        loadFileTypes: Any = None,
        loadFiles: Any = None,
        loadFileProperties: Any = None,
        checksums: Any = None,
    ) -> None:
        self.samples.append({key: value for key, value in locals().items() if key != "self"})


def load_module() -> ModuleType:
    """Run LanguageSegment.py as Slicer does on loading and on reloading."""
    spec = importlib.util.spec_from_file_location("LanguageSegment", MODULE_FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["LanguageSegment"] = module
    spec.loader.exec_module(module)
    return module
