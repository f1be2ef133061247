"""Who may import whom: read from the source, and watched in a fresh interpreter."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys

import pytest
from checkout import ROOT, shipped_files
from reading_imports import imports_in

import LMISCore

# Lowest first; a room imports from rooms above it in this table and, without a circle, from its own row.
ROWS = [
    {"errors", "atomic", "resources", "spreadsheet"},
    {"volumes", "text"},
    {"networks", "losses", "metrics"},
    {"checkpoints"},
    {"inference", "training", "data"},
    {"evaluation", "cohorts"},
    {"worker_streams", "worker", "cli"},
]
RANK = {room: rank for rank, row in enumerate(ROWS) for room in row}

SLICER_ONLY = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "mrml", "PythonQt", "PySide6"}

# The Slicer module uses these while no torch is installed.
TORCH_FREE = [
    "LMISCore.errors",
    "LMISCore.atomic",
    "LMISCore.resources",
    "LMISCore.spreadsheet",
    "LMISCore.text.report",
    "LMISCore.text.findings",
    "LMISCore.text.places",
    "LMISCore.text.prompts",
    "LMISCore.text.structured_report",
    "LMISCore.text.terminology",
    "LMISCore.checkpoints.card",
    "LMISCore.checkpoints.card_text",
    "LMISCore.checkpoints.files",
    "LMISCore.inference.reading",
    "LMISCore.cohorts.folder",
]
HEAVY = {"torch", "transformers", "scipy", "SimpleITK", "slicerio"}

# Import name -> the extra that brings it: only inside a function, so that the base installation works without.
EXTRAS = {
    "openpyxl": "train",
    "tqdm": "train",
    "matplotlib": "plots",
    "pydicom": "dicom",
    "ray": "cluster",
    "openvino": "openvino",
}
# Import name -> distribution, where they differ.
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml"}
# Parts of a listed package's own interface.
PART_OF = {"huggingface_hub": "transformers", "tokenizers": "transformers", "nrrd": "slicerio"}


def _module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


SOURCES = {_module_name(path): ROOT / path for path in shipped_files() if path.endswith(".py")}
IMPORTS = {
    module: imports_in(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)), module)
    for module, path in SOURCES.items()
}


def _own_module(target: str) -> str | None:
    """Return the module of this package that ``target`` (a module, or a name in one) comes from."""
    while target and target not in SOURCES:
        target = target.rpartition(".")[0]
    return target or None


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _rooms_imported() -> dict[str, set[str]]:
    rooms: dict[str, set[str]] = {}
    for module, imports in IMPORTS.items():
        targets = {_own_module(each.target) for each in imports}
        rooms.setdefault(_room(module), set()).update(_room(target) for target in targets if target)
    return rooms


def test_every_room_has_its_row() -> None:
    assert {_room(module) for module in SOURCES} - {""} <= RANK.keys()


def test_no_room_imports_from_a_higher_one() -> None:
    wrong = [
        f"{module}:{each.line} imports {each.target}"
        for module, imports in IMPORTS.items()
        if _room(module)
        for each in imports
        if (target := _own_module(each.target)) and _room(target) and RANK[_room(target)] > RANK[_room(module)]
    ]
    assert not wrong


def test_rooms_of_one_row_import_each_other_in_no_circle() -> None:
    graph = {room: targets - {room, ""} for room, targets in _rooms_imported().items() if room}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        module: {target for each in imports if not each.typing_only and (target := _own_module(each.target))} - {module}
        for module, imports in IMPORTS.items()
        if module != "LMISCore"
    }
    list(graphlib.TopologicalSorter(graph).static_order())


def test_inside_the_package_only_the_version_is_taken_from_its_front_door() -> None:
    front = set(LMISCore.__all__) - {"__version__"}
    wrong = [
        f"{module}:{each.line} imports {each.target}"
        for module, imports in IMPORTS.items()
        for each in imports
        if each.target.removeprefix("LMISCore.") in front and module != "LMISCore"
    ]
    for module, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {f"LMISCore.{name}" for name in front}:
                wrong.append(f"{module}:{node.lineno} uses {ast.unparse(node)}")
    assert not wrong


def test_the_package_imports_nothing_of_slicer() -> None:
    wrong = [
        f"{module}:{each.line} imports {each.target}"
        for module, imports in IMPORTS.items()
        for each in imports
        if each.target.split(".")[0] in SLICER_ONLY
    ]
    assert not wrong


def test_the_package_imports_only_what_its_installation_brings() -> None:
    listed = (ROOT / "LMISCore" / "resources" / "requirements.txt").read_text(encoding="utf-8")
    required = {name.lower() for name in re.findall(r"^([A-Za-z][\w.-]*)", listed, re.MULTILINE)}
    wrong = []
    for module, imports in IMPORTS.items():
        for each in imports:
            name = each.target.split(".")[0]
            if name in sys.stdlib_module_names or name in {"LMISCore", "__future__"}:
                continue
            name = PART_OF.get(name, name)
            listed_as_extra = name in EXTRAS and not (each.at_file_scope and not each.typing_only)
            if DISTRIBUTIONS.get(name, name).lower() not in required and not listed_as_extra:
                wrong.append(f"{module}:{each.line} imports {each.target}")
    assert not wrong


def _fresh(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )


def test_importing_the_package_loads_no_other_package() -> None:
    program = (
        "import sys; import LMISCore; names = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(names - set(sys.stdlib_module_names) - {'LMISCore', '__main__'}))"
    )
    # -S -I: no site hooks of the environment; the checkout itself is put on the path by hand.
    result = _fresh(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}", "-I", "-S")
    assert result.stdout.strip() == "[]", result.stderr


def test_importing_the_package_costs_less_than_a_fifth_of_a_second() -> None:
    costs = []
    for _ in range(5):
        result = _fresh("import LMISCore", "-X", "importtime")
        (line,) = [line for line in result.stderr.splitlines() if line.endswith("| LMISCore")]
        costs.append(int(line.split("|")[1]) / 1e6)
    assert min(costs) < 0.2, f"seconds: {costs}"


def test_every_public_name_can_be_loaded() -> None:
    result = _fresh("import LMISCore\nfor name in LMISCore.__all__: getattr(LMISCore, name)")
    assert result.returncode == 0, result.stderr


def _torch_free_modules() -> list[str]:
    return TORCH_FREE + sorted(module for module in SOURCES if _room(module) == "volumes")


@pytest.mark.parametrize("module", _torch_free_modules())
def test_a_torch_free_module_loads_no_heavy_package(module: str) -> None:
    result = _fresh(f"import sys, {module}; print([name for name in {sorted(HEAVY)!r} if name in sys.modules])")
    assert result.stdout.strip() == "[]", result.stderr


def test_the_rules_see_imports_inside_functions_and_by_name() -> None:
    source = "def f():\n    import qt\n    importlib.import_module('vtk')\n"
    assert [each.target for each in imports_in(ast.parse(source), "example")] == ["qt", "vtk"]
    assert not any(each.at_file_scope for each in imports_in(ast.parse(source), "example"))
