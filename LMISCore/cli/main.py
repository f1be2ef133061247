"""The command ``lmis``: one file per subcommand, loaded only when it is called.

Exit codes: 0 done, 2 something the user can mend (one sentence on stderr), 3 some cases of a table failed, 130
interrupted (or its output closed by the reader); anything else is a defect of ours and shows its traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from LMISCore import __version__
from LMISCore.errors import Cancelled, LMISError, is_out_of_memory

# Kept in this file so that `lmis --help` need not load the subcommands.
COMMANDS = {
    "segment": "segment a volume from its report: one segment per affirmed sentence",
    "batch": "segment all volume-report pairs of a table, on one machine or a cluster",
    "data": "prepare a data set: import, check, describe, split",
    "train": "train a network by a recipe",
    "evaluate": "measure a checkpoint on a data set",
    "calibrate": "choose a finished checkpoint's calibration and presence threshold on Val again",
    "compare": "compare two evaluations image by image",
    "explain": "write the network's explanation maps of one sentence",
    "convert": "convert weights released by a network's authors",
    "strip": "write a checkpoint without the parts that only training needs",
    "info": "show what a checkpoint is and what was measured with it",
}
INTERRUPTED = 130
MENDABLE = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as every other error of the command."""

    def error(self, message: str) -> NoReturn:
        self.exit(MENDABLE, f"lmis: {message[:1].upper()}{message[1:]}; see {self.prog} --help\n")


def build_parser(command: str | None) -> argparse.ArgumentParser:
    """The whole parser; only ``command`` gets its own arguments, and only its file is loaded."""
    parser = Parser(
        prog="lmis",
        description="Language-guided segmentation of medical images. For research only.",
    )
    parser.add_argument("--version", action="version", version=f"lmis {__version__}")
    subparsers: argparse._SubParsersAction[Any] = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        if name == command:
            importlib.import_module(f"LMISCore.cli.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``lmis`` with these arguments (default: the process's own) and return the exit code."""
    _tolerant_streams()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        # What is left in the buffer would else fail after the command, with Python's own words.
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        if not isinstance(sys.stdout, io.TextIOWrapper):
            raise
        # Whoever reads the output, such as head, wants no more of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def _run(given: list[str]) -> int:
    """The exit code of the command, its errors told."""
    # Only --help and --version stand before the command, and neither takes a value.
    command = next((word for word in given if not word.startswith("-")), None)
    try:
        parser = build_parser(command if command in COMMANDS else None)
        options, late = parser.parse_known_args(given)
        # argparse takes a command's positional words in one run only; key=value may also stand after an option.
        if late and "overrides" in options and all("=" in word and not word.startswith("-") for word in late):
            options.overrides += late
        elif late:
            parser.error(f"unrecognized arguments: {' '.join(late)}")
        if options.command is None:
            parser.print_help()
            return MENDABLE
        code: int = options.run(options)
        return code
    except Cancelled as error:
        return _say(str(error), INTERRUPTED)
    except LMISError as error:
        return _say(str(error), MENDABLE)
    except OSError as error:
        # A name too long or a folder that may not be entered can come up wherever a path is looked at.
        if not isinstance(error.filename, str):
            raise
        words = f"Cannot use {error.filename}: {error.strerror}; check the name and your rights to it and its folder."
        return _say(words, MENDABLE)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        first = (str(error).strip().splitlines() or ["none could be had"])[0]
        words = f"Memory ran out ({first[:200]}); close other programs, ask for less at a time, or take another device."
        return _say(words, MENDABLE)
    except KeyboardInterrupt:
        return _say("Interrupted; nothing was left half-written.", INTERRUPTED)


def _say(message: str, code: int) -> int:
    # One line whatever a library's message within it held.
    print(f"lmis: {' '.join(message.split())}", file=sys.stderr)
    return code


def _tolerant_streams() -> None:
    """A report's letters that the terminal lacks are shown as "?" instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
