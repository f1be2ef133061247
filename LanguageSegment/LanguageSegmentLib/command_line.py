"""The panel's run as a command for a terminal."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_PLACEHOLDER = "VOLUME"


@dataclass(frozen=True)
class CommandChoices:
    """What was chosen.

    Attributes:
        volume: path of the volume's file, "" for one that was never saved.
        report: the report's text.
        checkpoint: folder or file, "" for the bundled weights.
        device, intensity: "auto" is left out.
        threshold: None takes the checkpoint's.
        force: ids of sentences that get a mask whatever their state.
    """

    volume: str
    report: str
    checkpoint: str = ""
    device: str = "auto"
    intensity: str = "auto"
    threshold: float | None = None
    force: Sequence[str] = ()


def commandLine(choices: CommandChoices, windows: bool = sys.platform == "win32") -> str:
    """Return the command, quoted for a POSIX shell, or PowerShell on Windows.

    A volume without a file stands as the word VOLUME, to be replaced by its path.
    """
    parts = ["lmis", "segment", choices.volume or _PLACEHOLDER]
    # Joined, so that a report that begins with a dash is no option.
    parts.append(f"--text={choices.report}")
    for option, value in (("--checkpoint", choices.checkpoint), ("--device", choices.device),
                          ("--intensity", choices.intensity)):  # fmt: skip
        if value and value != "auto":
            parts += [option, value]
    if choices.threshold is not None:
        parts += ["--threshold", f"{choices.threshold:g}"]
    for name in choices.force:
        parts += ["--force", name]
    return " ".join(map(_powershell, parts)) if windows else shlex.join(parts)


def _powershell(part: str) -> str:
    """One argument for PowerShell, which unlike cmd.exe takes line ends inside quotes."""
    return part if re.fullmatch(r"[\w./:\\=-]+", part) else "'" + part.replace("'", "''") + "'"
