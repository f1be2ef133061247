"""A recipe's YAML as nodes that know file and line: its bases joined in, its variant chosen, its overrides applied.

    base: parts/tirnet          what it builds on: a file beside it, or a bundled one; a list where there are several
    variants:                   parts of a recipe by name, of which ``variant`` names the one that is taken
      small: {network: {options: {width: 8}}}
    variant: small

What is said later counts: a variant's bases, then the recipe's own bases, then the recipe, then the variant, then
``key=value``. Sections are joined key by key; any other value, a list of options say, is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from LMISCore.errors import InputError

TEXT = "tag:yaml.org,2002:str"
COMMAND_LINE = "the command line"

Finder = Callable[[str, Path], Path]


class RecipeFiles:
    """Reads recipes and what they build on.

    Args:
        sections: top-level keys that are joined key by key.
        find: turns a base's name into a path; called with the name and the folder of the file that gives it.
    """

    def __init__(self, sections: frozenset[str], find: Finder) -> None:
        self.sections = sections
        self.find = find

    def read(self, path: Path, overrides: Sequence[str] = ()) -> yaml.MappingNode:
        """Return one mapping with neither base nor variants.

        Raises:
            InputError: naming file and line, or the override.
        """
        node = self._with_bases(compose(path), path, (path,))
        split = [_split(override) for override in overrides]
        for keys, value in split:
            if keys == ["variant"]:
                override(node, keys, value)
        node = self._with_variant(node, path)
        for keys, value in split:
            if keys != ["variant"]:
                override(node, keys, value)
        return node

    def _with_bases(self, node: yaml.MappingNode, path: Path, above: tuple[Path, ...]) -> yaml.MappingNode:
        base, node = _take(node, "base")
        joined: yaml.MappingNode | None = None
        for name_node in _names(base, path.name):
            found = self.find(str(name_node.value), path.parent)
            if not found.is_file():
                raise InputError(f"{where(name_node, path.name)}: there is no recipe {name_node.value} to build on.")
            if found in above:
                raise InputError(f"{where(name_node, path.name)}: {name_node.value} builds on itself; leave it out.")
            part = self._with_bases(compose(found), found, (*above, found))
            joined = part if joined is None else self._join(joined, part)
        return node if joined is None else self._join(joined, node)

    def _with_variant(self, node: yaml.MappingNode, path: Path) -> yaml.MappingNode:
        variants, node = _take(node, "variants")
        wanted, node = _take(node, "variant")
        if variants is None:
            if wanted is not None:
                raise InputError(f"{where(wanted, path.name)}: {path.name} has no variants; leave variant out.")
            return node
        if not isinstance(variants, yaml.MappingNode):
            raise InputError(f"{where(variants, path.name)}: variants must hold names, each with its keys.")
        named = {str(key.value): value for key, value in variants.value}
        chosen = str(wanted.value) if wanted is not None else ""
        variant = named.get(chosen)
        if variant is None:
            place = path.name if wanted is None else where(wanted, path.name)
            raise InputError(f"{place}: variant is {chosen or 'not given'}, expected one of {', '.join(named)}.")
        if not isinstance(variant, yaml.MappingNode):
            raise InputError(f"{where(variant, path.name)}: the variant {chosen} must hold keys, one to a line.")
        base, own = _take(variant, "base")
        only_base = yaml.MappingNode(
            variant.tag, [] if base is None else [(_key("base"), base)], variant.start_mark, variant.end_mark
        )
        beneath = self._with_bases(only_base, path, (path,))
        joined = self._join(self._join(beneath, node), own)
        if not any(key.value == "name" for key, _ in own.value):
            name = next((value for key, value in joined.value if key.value == "name"), None)
            if isinstance(name, yaml.ScalarNode):
                name = yaml.ScalarNode(TEXT, f"{name.value}-{chosen}", name.start_mark, name.end_mark)
                joined = self._join(joined, yaml.MappingNode(joined.tag, [(_key("name"), name)]))
        return joined

    def _join(self, base: yaml.MappingNode, over: yaml.MappingNode, depth: int = 0) -> yaml.MappingNode:
        """``over`` on top of ``base``; keys given twice in one file stay so, to be complained of later."""
        old, new = _by_name(base), _by_name(over)
        kept = [(key, value) for key, value in base.value if _name(key) not in new]
        added = []
        for key, value in over.value:
            name = _name(key)
            below = old.get(name) if depth == 0 and name in self.sections else None
            if isinstance(below, yaml.MappingNode) and isinstance(value, yaml.MappingNode):
                value = self._join(below, value, depth + 1)
            added.append((key, value))
        return yaml.MappingNode(over.tag, kept + added, over.start_mark, over.end_mark)


def compose(path: Path) -> yaml.MappingNode:
    """Read a file into nodes whose marks carry its name.

    Raises:
        InputError: if it cannot be read, is not YAML, or holds no keys.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        loader.name = path.name
        node = loader.get_single_node()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"{path.name}{line} is not YAML: {problem(error)}; mend the line.") from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path.name} holds no keys; expected a recipe that begins with 'name:'.")
    return node


def override(node: yaml.MappingNode, keys: list[str], value: yaml.Node) -> None:
    """Put a value from the command line in its place, making the sections above it where they are missing."""
    for number, key in enumerate(keys):
        found = next((i for i, (k, _) in enumerate(node.value) if k.value == key), None)
        if number == len(keys) - 1:
            node.value = [pair for i, pair in enumerate(node.value) if i != found] + [(_key(key), value)]
            return
        if found is None or not isinstance(node.value[found][1], yaml.MappingNode):
            child = yaml.MappingNode("tag:yaml.org,2002:map", [])
            node.value = [pair for i, pair in enumerate(node.value) if i != found]
            node.value.append((_key(key), child))
            node = child
        else:
            node = node.value[found][1]


def where(node: yaml.Node, file: str) -> str:
    """File and line of a node, or that it came from the command line."""
    mark = node.start_mark
    return f"{mark.name or file} line {mark.line + 1}" if mark is not None else COMMAND_LINE


def problem(error: Exception) -> str:
    """What the YAML reader found, on one line."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return " ".join(str(getattr(error, "problem", None) or error).split())


def _split(override: str) -> tuple[list[str], yaml.Node]:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise InputError(f"Got {override!r} after the recipe; expected key=value, such as training.steps=200.")
    try:
        value = yaml.compose(text or "''", Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"The value in {key}={text} is not YAML: {problem(error)}; mend it, or put it in quotes."
        ) from error
    if value is None:
        value = yaml.ScalarNode(TEXT, "")
    _unmark(value)
    return key.split("."), value


def _unmark(node: yaml.Node) -> None:
    """Take the lines from a node and all in it: no line marks a value from the command line."""
    if node.start_mark is None:
        return
    node.start_mark = None
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for part in pair:
                _unmark(part)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _unmark(item)


def _key(name: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(TEXT, name)


def _take(node: yaml.MappingNode, name: str) -> tuple[yaml.Node | None, yaml.MappingNode]:
    """One key's value, and the mapping without the key; a second one of the same name stays and is complained of."""
    found = next((i for i, (key, _) in enumerate(node.value) if key.value == name), None)
    rest = [pair for i, pair in enumerate(node.value) if i != found]
    return (
        None if found is None else node.value[found][1],
        yaml.MappingNode(node.tag, rest, node.start_mark, node.end_mark),
    )


def _by_name(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {name: value for key, value in node.value if (name := _name(key))}


def _name(key: yaml.Node) -> str:
    """A key as a word; empty for one that is none."""
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""


def _names(node: yaml.Node | None, file: str) -> list[yaml.ScalarNode]:
    """The recipes that ``base`` names, one or a list."""
    items = [] if node is None else node.value if isinstance(node, yaml.SequenceNode) else [node]
    for item in items:
        if not isinstance(item, yaml.ScalarNode):
            raise InputError(f"{where(item, file)}: base must be a recipe's name, or a list of names.")
    return list(items)
