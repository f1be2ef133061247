"""``lmis train``: a recipe and a data set in, a checkpoint with its card out."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="train a network by a recipe",
        description=(
            "Train by a recipe (a .yaml file or a bundled name). "
            "Run the same command again to go on after an interruption."
        ),
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a .yaml file, or the name of a bundled recipe")
    parser.add_argument(
        "overrides", metavar="KEY=VALUE", nargs="*", help="such as data.source=FOLDER training.steps=200"
    )
    parser.add_argument("--out", default="run", metavar="FOLDER", help="where checkpoint and log go (default: run)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--restart", action="store_true", help="begin anew even if the folder holds an unfinished run")
    parser.add_argument("--check", action="store_true", help="check the recipe, print it whole and stop")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, showing progress on stderr, and print where the checkpoint lies."""
    from LMISCore.training.recipe import load_recipe

    recipe = load_recipe(args.recipe, args.overrides)
    if args.check:
        import yaml

        print(yaml.safe_dump(recipe.as_dict(), sort_keys=False, allow_unicode=True), end="")
        return 0
    from LMISCore.training.trainer import train

    with ProgressLine() as progress:
        result = train(recipe, args.out, args.device, progress, resume=not args.restart)
    print(
        f"{result.stopped}: best mean Dice on Val {result.best_dice:.4f} at step {result.best_step} of {result.steps}"
    )
    print(f"checkpoint: {result.checkpoint}")
    return 0


class ProgressLine:
    """A progress bar by tqdm where it is installed, else one line on stderr every ten seconds."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""
        self._said = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, stage: str) -> None:
        """Show ``done`` of ``total``; the words before the first comma name the stage."""
        name, _, detail = stage.partition(", ")
        try:
            from tqdm import tqdm
        except ImportError:
            self._line(done, total, stage)
            return
        if name != self._stage:
            if self._bar is not None:
                self._bar.close()
            self._bar, self._stage = tqdm(total=total, initial=min(done, total) - 1, desc=name, file=sys.stderr), name
        self._bar.set_postfix_str(detail, refresh=False)
        self._bar.update(done - self._bar.n)

    def _line(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        if now - self._said >= 10 or done == total:
            print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)
            self._said = now
