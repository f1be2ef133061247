"""The files of this checkout as git sees them, and what the package tests do with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked_files(*folders: str) -> list[str]:
    """Return the sorted paths below ``folders``, tracked or new and not ignored, with forward slashes from the root.

    Raises:
        RuntimeError: if this is not a git checkout.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *folders]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    if result.returncode != 0:
        raise RuntimeError(f"The package tests ask git for the files; run them in a git clone: {result.stderr.strip()}")
    return sorted(path for path in set(result.stdout.split("\0")) if path and (ROOT / path).is_file())


def shipped_files(folder: str = "LMISCore") -> list[str]:
    """Return what an installation must hold, from ``folder`` downwards: every module and resource, no build file."""
    # The folder's own README is for readers of the repository; those beside resources say where they come from.
    left_out = {f"{folder}/CMakeLists.txt", f"{folder}/README.md"}
    return [path for path in tracked_files(folder) if path not in left_out]
