"""Every name of qt, ctk and slicer that the module uses is listed with the place where it was looked up."""

from __future__ import annotations

import ast
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from python_qt import NAMES_FILE
from translations import MODULE

LISTED = json.loads(NAMES_FILE.read_text(encoding="utf-8"))
ROOTS = ("qt", "ctk", "slicer")
SCRIPTS = sorted(MODULE.rglob("*.py"))


def names_in(text: str) -> set[str]:
    """The dotted names below qt, ctk and slicer in a source: imported, written out, or asked for by getattr."""
    found: set[str] = set()
    inner: set[ast.AST] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOTS and not node.level:
            found |= {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Attribute) and node not in inner:
            if isinstance(node.value, ast.Attribute):
                inner.add(node.value)
            found |= _dotted(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            where, name = node.args[0], node.args[1]
            if ast.unparse(where).split(".")[0] in ROOTS:
                assert isinstance(name, ast.Constant), f"line {node.lineno}: a name that nobody can look up"
                found.add(f"{ast.unparse(where)}.{name.value!s}")
    return found


def _dotted(node: ast.Attribute) -> set[str]:
    words = ast.unparse(node)
    plain = all(part.isidentifier() for part in words.split("."))
    return {words} if plain and words.split(".")[0] in ROOTS else set()


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_only_listed_names_are_used(path: Path) -> None:
    unlisted = names_in(path.read_text(encoding="utf-8")) - LISTED["names"].keys()
    assert not unlisted, f"look these up and list them in {NAMES_FILE.name}: {sorted(unlisted)}"


def test_only_listed_widgets_stand_in_the_ui_file() -> None:
    for path in MODULE.rglob("*.ui"):
        kinds = {each.get("class", "") for each in ElementTree.parse(path).getroot().iter("widget")}
        assert kinds <= LISTED["widgets"].keys(), kinds - LISTED["widgets"].keys()
        assert LISTED["widgets"].keys() <= kinds, LISTED["widgets"].keys() - kinds


def test_the_list_holds_nothing_that_is_not_used() -> None:
    used = set().union(*(names_in(path.read_text(encoding="utf-8")) for path in SCRIPTS))
    called = {
        node.attr
        for path in SCRIPTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert LISTED["names"].keys() - used == set()
    assert {each for each in LISTED["methods"] if each.split(".")[1] not in called} == set()


def test_each_listed_name_tells_where_it_was_looked_up() -> None:
    for part in ("names", "methods", "widgets"):
        for name, place in LISTED[part].items():
            repository, _, path = place.partition(" ")
            assert repository in ("PythonQt", "Slicer", "CTK", "Qt") and path, f"{name}: {place}"


def test_names_are_found_in_every_way_of_writing_them() -> None:
    text = (
        "import qt, slicer\nfrom slicer.util import loadUI\nx = qt.QTimer()\nqt.Qt.Checked | qt.QLabel.Box\n"
        'getattr(slicer.modules, "markups", None)\nslicer.util.pickle().dump(ctk.ctkThing)\n'
    )
    assert names_in(text) == {
        "slicer.util.loadUI", "qt.QTimer", "qt.Qt.Checked", "qt.QLabel.Box", "slicer.modules.markups",
        "slicer.modules", "slicer.util.pickle", "ctk.ctkThing",
    }  # fmt: skip
