"""The module's words for translators: ``LanguageSegment/Resources/Translations/LanguageSegment_<language>.ts``.

``python Testing/widget/translations.py`` brings the files up to date with the sources: new words are added unfinished,
words that are gone are dropped. Contexts are those of Slicer's ``tr`` (Base/Python/slicer/i18n.py: package and file)
and, in a ``.ui`` file, its class, so that Slicer's extension LanguagePacks can install the file from this folder.
"""

from __future__ import annotations

import ast
import re
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "LanguageSegment"
FOLDER = MODULE / "Resources" / "Translations"
LANGUAGES = ("de",)


@dataclass(frozen=True, order=True)
class Words:
    """One text that a user sees.

    Attributes:
        context: as Qt calls the part of a program.
        source: in English.
    """

    context: str
    source: str


def context_of(path: Path) -> str:
    """Return the context of a Python file, as Slicer's ``getContext`` does."""
    return f"{path.parent.name}.{path.stem}" if (path.parent / "__init__.py").is_file() else path.stem


def python_words(path: Path) -> list[Words]:
    """Return what a Python file passes to ``_``.

    Raises:
        ValueError: if that is not a plain text, which Qt's tools cannot find.
    """
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            if len(node.args) != 1 or not isinstance(node.args[0], ast.Constant):
                raise ValueError(f"{path.name}:{node.lineno}: only a plain text can be translated")
            found.append(Words(context_of(path), str(node.args[0].value)))
    return found


def ui_words(path: Path) -> list[Words]:
    """Return the texts of a ``.ui`` file that are for people."""
    root = ElementTree.parse(path).getroot()
    context = root.findtext("class", "")
    texts = [each.text for each in root.iter("string") if each.get("notr") != "true"]
    return [Words(context, text) for text in texts if text]


def all_words() -> list[Words]:
    """Return all texts of the module, sorted, each once."""
    found = {words for path in sorted(MODULE.rglob("*.py")) for words in python_words(path)}
    found |= {words for path in sorted(MODULE.rglob("*.ui")) for words in ui_words(path)}
    return sorted(found)


def file_of(language: str) -> Path:
    """Return the file of a language."""
    return FOLDER / f"LanguageSegment_{language}.ts"


def read(path: Path) -> dict[Words, str]:
    """Return the finished translations of a file."""
    found = {}
    if path.is_file():
        for context in ElementTree.parse(path).getroot().iterfind("context"):
            for message in context.iterfind("message"):
                text = message.find("translation")
                if text is not None and text.text and text.get("type") is None:
                    words = Words(context.findtext("name", ""), message.findtext("source", ""))
                    found[words] = text.text
    return found


def text_of(language: str, words: list[Words], known: dict[Words, str]) -> str:
    """Return the text of a ``.ts`` file."""
    root = ElementTree.Element("TS", version="2.1", language=language, sourcelanguage="en")
    contexts: dict[str, ElementTree.Element] = {}
    for each in words:
        if each.context not in contexts:
            contexts[each.context] = ElementTree.SubElement(root, "context")
            ElementTree.SubElement(contexts[each.context], "name").text = each.context
        message = ElementTree.SubElement(contexts[each.context], "message")
        ElementTree.SubElement(message, "source").text = each.source
        translation = ElementTree.SubElement(message, "translation")
        if each in known:
            translation.text = known[each]
        else:
            translation.set("type", "unfinished")
    ElementTree.indent(root, " ")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n{body}\n'


def placeholders(text: str) -> set[str]:
    """Return the names in braces; Slicer drops a translation that has others."""
    return set(re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", text))


def main() -> int:
    """Bring the files up to date; 1 if a text is not translated yet."""
    sys.path.insert(0, str(ROOT))
    from LMISCore.atomic import write_text

    words, missing = all_words(), 0
    for language in LANGUAGES:
        path = file_of(language)
        known = read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text_of(language, words, known))
        unfinished = [each for each in words if each not in known]
        missing += len(unfinished)
        for each in unfinished:
            print(f"{path.name}: {each.context}: {each.source!r} is not translated yet")
    print(f"{len(words)} texts, {missing} not translated")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
