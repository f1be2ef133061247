"""What the Slicer module and its library may import: no torch, Qt only where it is said, nothing Slicer lacks."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, shipped_files
from reading_imports import Import, imports_in

MODULE = "LanguageSegment"
LIBRARY = "LanguageSegmentLib"

# Of LMISCore only what loads no torch.
TORCH_FREE = {
    "errors",
    "atomic",
    "resources",
    "spreadsheet",
    "volumes",
    "text",
    "inference.reading",
    "cohorts.folder",
} | {f"checkpoints.{name}" for name in ("card", "card_text", "files")}
WITH_TORCH = {"text.cache", "text.clip_text", "text.encoders", "text.minilm", "text.states", "text.transformers_folder"}

# At file scope, so that the module loads in a fresh Slicer; the index's reviewers ask for no more than these.
SLICERS_OWN = {"slicer", "vtk", "numpy"}
# Inside functions: what Slicer brings, what the worker's packages bring, and other modules.
IN_FUNCTIONS = {"packaging", "slicerio", "SampleData", "PyTorchUtils", "qt"}
QT = {"qt", "ctk", "PythonQt", "PySide6", "PyQt5", "PyQt6"}


def _imports_of(path: str) -> list[Import]:
    return imports_in(ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=path), path)


SCRIPTS = [path for path in shipped_files(MODULE) if path.endswith(".py")]
IMPORTS = [(path, each) for path in SCRIPTS for each in _imports_of(path)]


def _is_torch_free(target: str) -> bool:
    name = target.removeprefix("LMISCore.")
    if any(name == part or name.startswith(f"{part}.") for part in WITH_TORCH):
        return False
    # The package's own front door gives its version and place and nothing else here.
    return target in ("LMISCore", "LMISCore.__version__") or any(
        name == part or name.startswith(f"{part}.") for part in TORCH_FREE
    )


def test_there_is_something_to_look_at() -> None:
    assert f"{MODULE}/{MODULE}.py" in SCRIPTS and len(SCRIPTS) > 10
    assert any(each.target.startswith("LMISCore.") for _, each in IMPORTS)


def test_the_module_and_its_library_import_only_the_torch_free_parts_of_the_package() -> None:
    wrong = [
        f"{path}:{each.line} imports {each.target}"
        for path, each in IMPORTS
        if each.target.split(".")[0] == "LMISCore" and not _is_torch_free(each.target)
    ]
    assert not wrong


def _is_of_the_window(name: str) -> bool:
    """Whether a file of the library is one of those that need Qt, which their names say."""
    return name.startswith(("qt_", "panel"))


def test_only_files_named_for_it_know_qt() -> None:
    # All else runs in a script, a test or a process without a window.
    known = {path for path, each in IMPORTS if each.target.split(".")[0] in QT}
    assert not {path for path in known if f"/{LIBRARY}/" in path and not _is_of_the_window(Path(path).name)}


def test_no_other_file_of_the_library_needs_those_that_know_qt() -> None:
    wrong = [
        f"{path}:{each.line} imports {each.target}"
        for path, each in IMPORTS
        if f"/{LIBRARY}/" in path and not _is_of_the_window(Path(path).name)
        if each.target.startswith(f"{LIBRARY}.") and _is_of_the_window(each.target.split(".")[1])
        if each.at_file_scope and not each.typing_only
    ]
    assert not wrong


def test_at_file_scope_only_slicers_own_packages_are_imported() -> None:
    ours = {"LMISCore", LIBRARY, "__future__"}
    wrong = []
    for path, each in IMPORTS:
        name = each.target.split(".")[0]
        allowed = SLICERS_OWN | ours | set(sys.stdlib_module_names)
        if _is_of_the_window(Path(path).name):
            allowed |= {"qt", "ctk"}
        if each.typing_only or not each.at_file_scope:
            allowed |= IN_FUNCTIONS | {"PIL", "SimpleITK"}
        if name not in allowed:
            wrong.append(f"{path}:{each.line} imports {each.target}")
    assert not wrong


def test_imp_which_python_no_longer_has_is_not_used() -> None:
    assert not [path for path, each in IMPORTS if each.target.split(".")[0] == "imp"]


def test_nothing_installs_torch_or_calls_pip_but_through_slicer() -> None:
    for path in SCRIPTS:
        text = (ROOT / path).read_text(encoding="utf-8")
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        names = {ast.unparse(call.func) for call in calls}
        assert not {name for name in names if name.startswith(("pip.", "os.system", "ensurepip."))}, path
        if not path.endswith("installer.py"):
            assert not {name for name in names if name.rsplit(".", 1)[-1] in ("pip_install", "installTorch")}, path


@pytest.mark.parametrize("script", [path for path in SCRIPTS if f"/{LIBRARY}/" in path])
def test_each_file_of_the_library_is_typed_and_of_readable_length(script: str) -> None:
    lines = (ROOT / script).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 350
    assert lines[0].startswith('"""')


def test_importing_the_whole_library_loads_no_heavy_package() -> None:
    modules = [
        ".".join(Path(path).with_suffix("").parts[1:]).removesuffix(".__init__")
        for path in SCRIPTS
        if f"/{LIBRARY}/" in path and not _is_of_the_window(Path(path).name)
    ]
    heavy = ["torch", "transformers", "scipy", "SimpleITK", "slicerio", "PIL", "pydicom", "packaging"]
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / MODULE)!r})\n"
        "import slicer.util; before = set(sys.modules)\n"
        f"import {', '.join(modules)}\n"
        f"print([name for name in {heavy!r} if name in set(sys.modules) - before])"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert result.stdout.strip().splitlines()[-1:] == ["[]"], result.stderr
