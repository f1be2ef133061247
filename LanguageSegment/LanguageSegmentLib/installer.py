"""Installs what the worker needs into Slicer's Python, after asking, without replacing anything that Slicer brings.

PyTorch comes through the PyTorch extension's PyTorchUtils only, which knows the hardware; the rest through
``slicer.packaging`` (Slicer 5.12) or ``slicer.util.pip_install`` (5.10), under constraints. Nothing is installed, and
neither PyTorch nor pip is touched, before :func:`install` is called.
"""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import slicer
import slicer.util

from LanguageSegmentLib.packages import InstallPlan, bundledVersions, constraintLines, installPlan
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import Cancelled, InputError, LMISError, MissingDependencyError

REQUESTER = "LanguageSegment"
Ask = Callable[[str, str], bool]


@dataclass(frozen=True)
class InstallReport:
    """What :func:`install` did.

    Attributes:
        installed: requirements that are fulfilled now and were not before.
        missing: requirements that still are not.
        messages: sentences for the user.
    """

    installed: tuple[str, ...]
    missing: tuple[str, ...]
    messages: tuple[str, ...]


def install(wheels: str | Path | None = None, ask: Ask | None = None) -> InstallReport:
    """Install what is missing.

    Args:
        wheels: folder of wheels to take everything from, for a computer without network; None takes them from the
            network. PyTorch is never taken from the folder: the messages then say how to.
        ask: called with a question and details; False declines. None shows Slicer's own dialog.

    Raises:
        Cancelled: if the user declined; PyTorch may have been installed already.
        MissingDependencyError: if PyTorch is missing and the PyTorch extension is not installed.
        InputError: if the folder does not exist or holds no wheels.
        LMISError: if a package that Slicer brings is too old, or an installation failed.
    """
    plan = installPlan()
    _checkBundled(plan)
    if plan.isComplete:
        return InstallReport((), (), ())
    folder = None if wheels is None else _wheelFolder(Path(wheels))
    if not (ask or _askInSlicer)(*_question(plan, folder)):
        raise Cancelled(_("Installing the Python packages was declined; nothing was installed."))
    before = bundledVersions()
    messages: list[str] = []
    if plan.torch is not None and folder is None:
        _installTorch(plan.torch)
    elif plan.torch is not None:
        messages.append(
            _("PyTorch is not installed and is not taken from the folder; run this in a terminal: {command}").format(
                command=f'PythonSlicer -m pip install --no-index --find-links "{folder}" "{plan.torch}"'
            )
        )
    with _constraints() as constraints:
        source = [] if folder is None else ["--no-index", "--find-links", str(folder)]
        if plan.encoder is not None:
            _pip([*source, "--no-deps", plan.encoder], constraints)
        # Last, as Slicer may offer a restart after it.
        if plan.packages:
            _ensure(list(plan.packages), source, constraints)
    changed = {name: version for name, version in bundledVersions().items() if before.get(name, version) != version}
    for name, version in changed.items():
        messages.append(
            _("{name} was {before} as Slicer brought it and now is {version}; reinstall Slicer.").format(
                name=name, before=before[name], version=version
            )
        )
    missing = installPlan().all()
    if missing:
        messages.append(
            _("Still missing: {packages}; restart Slicer and try again.").format(packages=", ".join(missing))
        )
    return InstallReport(tuple(part for part in plan.all() if part not in missing), missing, tuple(messages))


def _checkBundled(plan: InstallPlan) -> None:
    for package in plan.tooOld:
        raise LMISError(
            _(
                "This 3D Slicer brings {name} {installed}, but {requirement} is needed and Slicer's own packages are "
                "not replaced; use a newer 3D Slicer."
            ).format(name=package.name, installed=package.installed, requirement=package.requirement)
        )


def _wheelFolder(folder: Path) -> Path:
    if not folder.is_dir() or not any(folder.glob("*.whl")):
        raise InputError(
            _("The folder {folder} holds no wheels; give one filled by pip download on another computer.").format(
                folder=folder
            )
        )
    return folder.resolve()


def _question(plan: InstallPlan, folder: Path | None) -> tuple[str, str]:
    parts = [*plan.packages, *filter(None, [plan.encoder])]
    count = len(parts) + (plan.torch is not None and folder is None)
    if folder is None:
        question = _(
            "To segment a report, Python packages are missing ({count}); they and what they depend on are downloaded "
            "and installed into Slicer's Python. Nothing that Slicer brings is replaced. Continue?"
        ).format(count=count)
    else:
        question = _(
            "To segment a report, Python packages are missing ({count}); they and what they depend on are taken from "
            "{folder} and installed into Slicer's Python. Nothing that Slicer brings is replaced. Continue?"
        ).format(count=count, folder=folder)
    through = _("{package} (through the extension PyTorch)").format(package=plan.torch)
    lines = [through] if plan.torch is not None and folder is None else []
    return question, "\n".join([*lines, *parts])


def _askInSlicer(question: str, details: str) -> bool:
    return bool(slicer.util.confirmOkCancelDisplay(question, REQUESTER, detailedText=details))


def _installTorch(requirement: str) -> None:
    try:
        PyTorchUtils = importlib.import_module("PyTorchUtils")
    except ImportError as error:
        raise MissingDependencyError(
            _(
                "PyTorch is needed and the extension PyTorch is not installed; install it with the Extensions Manager "
                "and restart Slicer."
            )
        ) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    try:
        torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=requirement.removeprefix("torch"))
    except (CalledProcessError, ImportError) as error:
        raise LMISError(
            _("PyTorch could not be installed; see the module PyTorch Utils, and restart Slicer.")
        ) from error
    if torch is None:
        raise Cancelled(_("Installing PyTorch was declined; nothing was installed."))


@contextlib.contextmanager
def _constraints() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lmis-install-") as folder:
        path = Path(folder, "constraints.txt")
        path.write_text("\n".join(constraintLines()) + "\n", encoding="utf-8", newline="\n")
        yield path


def _packaging() -> Any:
    """Slicer's module for installing packages, None before 5.12."""
    try:
        return importlib.import_module("slicer.packaging")
    except ModuleNotFoundError:
        return None


def _ensure(requirements: list[str], source: Sequence[str], constraints: Path) -> None:
    packaging = _packaging()
    if packaging is None or source:
        _pip([*source, *requirements], constraints)
        return
    with _oneSentence(requirements):
        packaging.pip_ensure(requirements, constraints=constraints, prompt_install=False, requester=REQUESTER)


def _pip(arguments: list[str], constraints: Path) -> None:
    packaging = _packaging()
    with _oneSentence(arguments):
        if packaging is not None:
            packaging.pip_install(arguments, constraints=constraints, requester=REQUESTER)
        else:
            slicer.util.pip_install([*arguments, "-c", str(constraints)])


@contextlib.contextmanager
def _oneSentence(arguments: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except CalledProcessError as error:
        names = ", ".join(part for part in arguments if part[0].isalpha())
        raise LMISError(
            _(
                "pip could not install {names} (exit code {code}); the Python console shows why; without a network, "
                "give a folder of wheels."
            ).format(names=names, code=error.returncode)
        ) from error
