"""The import statements of a source file, read from it and not run."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Import:
    """One import statement: what, where, and whether it runs at file scope or for type checkers alone."""

    target: str
    line: int
    at_file_scope: bool
    typing_only: bool


def imports_in(tree: ast.AST, module: str, in_function: bool = False, typing_only: bool = False) -> list[Import]:
    """All import statements of a file, by :func:`importlib.import_module` as well.

    Args:
        tree: of the file, or a part of it.
        module: its name, for complaints.
        in_function, typing_only: what holds for this part of it.
    """
    found = []
    for node in ast.iter_child_nodes(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} uses a relative import; write it in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names = [str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)]
        found += [Import(name, getattr(node, "lineno", 0), not in_function, typing_only) for name in names]
        deeper = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        guarded = typing_only or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        found += imports_in(node, module, deeper, guarded)
    return found
