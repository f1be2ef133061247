"""Which files of the module's library may know Qt, and what importing the others loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "LanguageSegment"
FILES = sorted((MODULE / "LanguageSegmentLib").glob("*.py"))
HEAVY = ("torch", "transformers", "scipy", "SimpleITK", "slicerio")


def _mayKnowQt(path: Path) -> bool:
    return path.name.startswith(("panel", "qt_")) and path.name != "panel_state.py"


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_only_the_panel_and_its_process_know_qt(path: Path) -> None:
    names = {name.split(".")[0] for name in _imported(path)}
    assert not names & {"ctk", "PythonQt", "PySide6", "PyQt5"}
    assert "qt" not in names or _mayKnowQt(path)
    assert _mayKnowQt(path) or not any(name.startswith("LanguageSegmentLib.panel") for name in _imported(path))


def test_the_library_without_the_panel_loads_no_qt_and_no_heavy_package() -> None:
    names = [f"LanguageSegmentLib.{path.stem}" for path in FILES if not _mayKnowQt(path)]
    program = (
        f"import sys; sys.path.insert(0, {str(MODULE)!r})\n"
        f"import importlib\nfor name in {names!r}: importlib.import_module(name)\n"
        f"print(sorted({{'qt', *{HEAVY!r}}} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8")
    assert result.stdout.strip() == "[]", result.stderr
