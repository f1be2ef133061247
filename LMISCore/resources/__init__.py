"""Everything the package reads at run time lies in this folder and is opened through ``resource``."""

from __future__ import annotations

from pathlib import Path

from LMISCore.errors import InputError

_ROOT = Path(__file__).resolve().parent


def resource(*parts: str) -> Path:
    """Return the path of a bundled file or folder, such as ``resource("rules", "fields.json")``.

    Raises:
        InputError: if the installation lacks it.
    """
    path = _ROOT.joinpath(*parts)
    if not path.exists():
        raise InputError(
            f"The installed LMISCore lacks its resource {'/'.join(parts)}; expected at {path}; reinstall the package."
        )
    return path
