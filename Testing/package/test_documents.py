"""What the documents tell a reader to open or to type is there: files, headings, commands, scripts and options."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from checkout import ROOT, tracked_files

from LMISCore.cli.main import COMMANDS, build_parser

# The parts of Training/RESULTS.md, whose links lead on from there.
PARTS = {"Training/results/texts.md"}
DOCUMENTS = sorted(path for path in tracked_files() if path.endswith(".md") and path not in PARTS)
_LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")


def _text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def _headings(path: Path) -> frozenset[str]:
    """Names that GitHub gives a document's headings."""
    titles = re.findall(r"^#+ (.+)$", _without_code(path.read_text(encoding="utf-8")), re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings_of_the_repository(document: str) -> None:
    kept = set(tracked_files())
    for link in (first or second for first, second in _LINK.findall(_text(document))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        path = target.resolve().relative_to(ROOT).as_posix()
        there = path in kept or any(file.startswith(f"{path}/") for file in kept)
        assert there, f"{document} links to {link}, which is not in the repository"
        assert not heading or heading in _headings(target), f"{document} links to {link}, a heading that is not there"


def _options(parser: argparse.ArgumentParser) -> set[str]:
    found = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                found |= _options(below)
    return found


@cache
def _options_of(command: str) -> frozenset[str]:
    """Options of one subcommand of ``lmis``, and of the actions below it."""
    (commands,) = (a for a in build_parser(command)._actions if isinstance(a, argparse._SubParsersAction))
    return frozenset(_options(commands.choices[command]))


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each ``lmis COMMAND ...`` of a code block or in quotes, with its options."""
    code = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    for line in "\n".join(code).splitlines():
        for command, rest in re.findall(r"(?:^|/|\s)lmis ([a-z]+)([^#|]*)", line):
            yield command, _OPTION.findall(rest)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_of_lmis_in_the_documents_exist_with_their_options(document: str) -> None:
    for command, options in _commands(_text(document)):
        assert command in COMMANDS, f"{document} names lmis {command}"
        unknown = set(options) - _options_of(command)
        assert not unknown, f"{document} gives lmis {command} the unknown options {unknown}"


def test_the_commands_of_the_readme_are_looked_at() -> None:
    found = list(_commands(_text("README.md")))
    assert {"segment", "batch", "train", "evaluate", "data"} <= {command for command, _ in found}
    assert any("--report" in options for command, options in found if command == "segment")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_scripts_that_the_documents_run_exist_with_their_options(document: str) -> None:
    for script, rest in re.findall(r"python3? ((?:Testing|Training)/[\w/.]+\.py)([^`\n]*)", _text(document)):
        assert (ROOT / script).is_file(), f"{document} runs {script}, which does not exist"
        # A script may take options from a file beside it.
        source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / script).parent.glob("*.py"))
        for option in _OPTION.findall(rest):
            assert f'"{option}"' in source, f"{document} gives {script} the unknown option {option}"
