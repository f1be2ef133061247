"""Stand-ins for what installs packages in Slicer, with the signatures of Slicer's sources; nothing is installed.

``pip_ensure``, ``pip_install``: Base/Python/slicer/packaging.py of Slicer 5.12.3; ``slicer.util.pip_install``: 5.10.0;
``installTorch``: PyTorchUtils.py of SlicerPyTorch. Each call is recorded as the function's name and its arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError
from types import ModuleType
from typing import Any

import pytest
import slicer
import slicer.util
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from LanguageSegmentLib import packages

# What a fresh Slicer 5.12 has of the packages that matter.
FRESH = {
    "numpy": "2.4.6",
    "scipy": "1.17.1",
    "simpleitk": "2.5.5",
    "pillow": "12.2.0",
    "requests": "2.34.2",
    "packaging": "26.2",
}


class PretendedSlicer:
    """A Python environment on paper.

    Attributes:
        installed: version by canonical name.
        calls: (function, arguments) in order.
        constraints: lines of each constraints file that pip was given.
        questions: what the user was asked.
        agrees: what the user answers.
        torchAgrees: what the user answers PyTorchUtils.
        exitCode: of pip.
    """

    def __init__(self, patch: pytest.MonkeyPatch, installed: dict[str, str], version: str) -> None:
        self.installed = dict(installed)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.constraints: list[list[str]] = []
        self.questions: list[tuple[str, str]] = []
        self.agrees = self.torchAgrees = True
        self.exitCode = 0
        patch.setattr(packages, "installedVersion", lambda name: self.installed.get(canonicalize_name(name)))
        patch.setattr(slicer.util, "confirmOkCancelDisplay", self._confirm, raising=False)
        packaging = self._packaging() if version == "5.12" else None
        patch.setitem(sys.modules, "slicer.packaging", packaging)  # None blocks the import
        patch.setattr(slicer, "packaging", packaging, raising=False)
        patch.setattr(slicer.util, "pip_install", self._pip_install_510)
        self._torch = ModuleType("PyTorchUtils")
        self._torch.PyTorchUtilsLogic = self._torch_logic()  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "PyTorchUtils", self._torch)
        self._patch = patch

    def without_torch_extension(self) -> None:
        self._patch.setitem(sys.modules, "PyTorchUtils", None)  # None blocks the import

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def _confirm(self, text: str, windowTitle: Any = None, parent: Any = None, **kwargs: Any) -> bool:
        assert set(kwargs) <= {"detailedText"}
        self.questions.append((text, kwargs.get("detailedText", "")))
        return self.agrees

    def _packaging(self) -> ModuleType:
        module = ModuleType("slicer.packaging")

        def pip_ensure(
            requirements: Any,
            constraints: Any = None,
            skip_packages: Any = None,
            prompt_install: bool = True,
            prompt_restart: bool = True,
            requester: Any = None,
            skip_in_testing: bool = True,
            show_progress: bool = True,
        ) -> None:
            self.calls.append(("pip_ensure", {"requirements": requirements, "prompt_install": prompt_install}))
            assert requester == "LanguageSegment"
            self._install(requirements, Path(constraints))

        def pip_install(
            requirements: Any,
            constraints: Any = None,
            no_deps_requirements: Any = None,
            skip_packages: Any = None,
            blocking: bool = True,
            show_progress: bool = True,
            requester: Any = None,
            parent: Any = None,
            logCallback: Callable[[str], None] | None = None,
            completedCallback: Callable[[int], None] | None = None,
        ) -> None:
            self.calls.append(("pip_install", {"requirements": requirements}))
            self._install(requirements, Path(constraints))

        module.pip_ensure, module.pip_install = pip_ensure, pip_install  # type: ignore[attr-defined]
        return module

    def _pip_install_510(self, requirements: Any) -> None:
        assert type(requirements) is list
        self.calls.append(("util.pip_install", {"requirements": requirements}))
        place = requirements.index("-c")
        self._install(requirements[:place], Path(requirements[place + 1]))

    def _torch_logic(self) -> type:
        pretended = self

        class PyTorchUtilsLogic:
            def installTorch(
                self,
                askConfirmation: bool = False,
                forceComputationBackend: Any = None,
                torchVersionRequirement: Any = None,
                torchvisionVersionRequirement: Any = None,
            ) -> Any:
                pretended.calls.append(("installTorch", {"asks": askConfirmation, "version": torchVersionRequirement}))
                if not pretended.torchAgrees:
                    return None
                pretended.installed["torch"] = "2.13.0+cu126"
                return object()

        return PyTorchUtilsLogic

    def _install(self, arguments: list[str], constraints: Path) -> None:
        lines = constraints.read_text(encoding="utf-8").splitlines()
        self.constraints.append(lines)
        if self.exitCode:
            raise CalledProcessError(self.exitCode, ["pip", "install", *arguments])
        pins = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
        wanted = [each for each in arguments if each[0].isalpha()]
        for requirement in map(Requirement, wanted):
            name = canonicalize_name(requirement.name)
            self.installed[name] = pins.get(name, next(iter(requirement.specifier)).version)
