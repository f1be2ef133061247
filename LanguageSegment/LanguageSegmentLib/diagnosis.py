"""A text that says what an installation consists of, to be copied into a question to others. No report text in it."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import slicer

from LanguageSegmentLib.packages import packages
from LanguageSegmentLib.runner import CORE_FOLDER, workerPython
from LMISCore import __version__
from LMISCore.errors import LMISError
from LMISCore.resources import resource

_PROBE_SECONDS = 120
_PROBE = (
    "import json, torch; mps = getattr(torch.backends, 'mps', None); cuda = torch.cuda.is_available(); "
    "print(json.dumps({'version': torch.__version__, 'built for CUDA': torch.version.cuda, "
    "'GPU': torch.cuda.get_device_name(0) if cuda else None, 'mps': bool(mps and mps.is_available())}))"
)


def diagnosis(probe: bool = False) -> str:
    """Return lines about this computer, Slicer, the packages and the weights.

    Args:
        probe: also ask PyTorch which devices it can use, in a process of its own; takes some seconds.
    """
    lines = [
        f"LanguageSegment {__version__}",
        f"Slicer: {_slicerVersion()}",
        f"Python: {platform.python_version()}",
        f"Computer: {platform.platform()}, {platform.machine()}, {os.cpu_count()} processors",
        f"Worker: {_worker()}",
        f"Module: {_short(CORE_FOLDER)}",
        f"PyTorch extension: {'found' if _hasModule('PyTorchUtils') else 'not found'}",
        *(_packageLine(package) for package in packages()),
        *_weights(),
    ]
    if probe:
        lines.append(f"PyTorch says: {_probe()}")
    return "\n".join(lines) + "\n"


def _slicerVersion() -> str:
    app = getattr(slicer, "app", None)
    if app is None:
        return "its libraries without the application"
    return f"{app.applicationVersion} revision {app.revision}"


def _worker() -> str:
    try:
        return _short(Path(workerPython()))
    except LMISError as error:
        return str(error)


def _packageLine(package: Any) -> str:
    if package.satisfied:
        return f"{package.requirement}: {package.installed}"
    return f"{package.requirement}: {package.installed or 'not installed'} (MISSING)"


def _weights() -> list[str]:
    try:
        files = sorted(resource("weights").glob("*.safetensors"))
    except LMISError as error:
        return [str(error)]
    return [f"Weights: {file.name}, {file.stat().st_size} bytes" for file in files] or ["Weights: none (MISSING)"]


def _probe() -> str:
    try:
        run = subprocess.run(
            [workerPython(), "-c", _PROBE],
            capture_output=True,
            timeout=_PROBE_SECONDS,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired, LMISError) as error:
        return f"nothing ({type(error).__name__})"
    try:
        found = json.loads(run.stdout.strip().splitlines()[-1])
        return ", ".join(f"{key} {value}" for key, value in found.items())
    except (ValueError, LookupError, AttributeError):
        last = run.stderr.strip().splitlines()[-1:] or [f"exit code {run.returncode}"]
        return f"nothing ({last[0]})"


def _hasModule(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _short(path: Path) -> str:
    """A path without the user's name, which the home folder often holds."""
    home = Path.home()
    return str(Path("~") / path.relative_to(home)) if path.is_relative_to(home) else str(path)
