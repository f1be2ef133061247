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
        raise Cancelled("Installing the Python packages was declined; nothing was installed.")
    before = bundledVersions()
    messages: list[str] = []
    if plan.torch is not None and folder is None:
        _installTorch(plan.torch)
    elif plan.torch is not None:
        messages.append(
            "PyTorch is not installed and is not taken from the folder; run this in a terminal: PythonSlicer -m pip "
            f'install --no-index --find-links "{folder}" "{plan.torch}"'
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
        messages.append(f"{name} was {before[name]} as Slicer brought it and now is {version}; reinstall Slicer.")
    missing = installPlan().all()
    if missing:
        messages.append(f"Still missing: {', '.join(missing)}; restart Slicer and try again.")
    return InstallReport(tuple(part for part in plan.all() if part not in missing), missing, tuple(messages))


def _checkBundled(plan: InstallPlan) -> None:
    for package in plan.tooOld:
        raise LMISError(
            f"This 3D Slicer brings {package.name} {package.installed}, but {package.requirement} is needed and "
            "Slicer's own packages are not replaced; use a newer 3D Slicer."
        )


def _wheelFolder(folder: Path) -> Path:
    if not folder.is_dir() or not any(folder.glob("*.whl")):
        raise InputError(f"The folder {folder} holds no wheels; give one filled by pip download on another computer.")
    return folder.resolve()


def _question(plan: InstallPlan, folder: Path | None) -> tuple[str, str]:
    parts = [*plan.packages, *filter(None, [plan.encoder])]
    count = len(parts) + (plan.torch is not None and folder is None)
    source = "downloaded" if folder is None else f"taken from {folder}"
    question = (
        f"To segment a report, {count} Python {'package' if count == 1 else 'packages'} and what they depend on are "
        f"{source} and installed into Slicer's Python. Nothing that Slicer brings is replaced. Continue?"
    )
    lines = [f"{plan.torch} (through the PyTorch extension)"] if plan.torch is not None and folder is None else []
    return question, "\n".join([*lines, *parts])


def _askInSlicer(question: str, details: str) -> bool:
    return bool(slicer.util.confirmOkCancelDisplay(question, REQUESTER, detailedText=details))


def _installTorch(requirement: str) -> None:
    try:
        PyTorchUtils = importlib.import_module("PyTorchUtils")
    except ImportError as error:
        raise MissingDependencyError(
            "PyTorch is needed and the extension PyTorch is not installed; install it with the Extensions Manager and "
            "restart Slicer."
        ) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    try:
        torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=requirement.removeprefix("torch"))
    except (CalledProcessError, ImportError) as error:
        raise LMISError("PyTorch could not be installed; see the module PyTorch Utils, and restart Slicer.") from error
    if torch is None:
        raise Cancelled("Installing PyTorch was declined; nothing was installed.")


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
            f"pip could not install {names} (exit code {error.returncode}); the Python console shows why. Without a "
            "network, give a folder of wheels."
        ) from error
