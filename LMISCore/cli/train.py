"""``lmis train``: a recipe and a data set in, a checkpoint with its card out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.cli.network_arguments import add_device
from LMISCore.errors import Cancelled, InputError

if TYPE_CHECKING:
    from LMISCore.training.recipe import Recipe

MENDABLE = 2
INTERRUPTED = 130
# Sentences of a large set that are looked at, spread evenly.
_LOOKED_AT = 500


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="train a network by a recipe",
        description=(
            "Train by a recipe (a .yaml file or a bundled name). "
            "Run the same command again to go on after an interruption. "
            "On several GPUs: torchrun --nproc-per-node N -m LMISCore.cli.main train ..."
        ),
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a .yaml file, or the name of a bundled recipe")
    parser.add_argument(
        "overrides", metavar="KEY=VALUE", nargs="*", help="such as data.source=FOLDER variant=tmca training.steps=200"
    )
    parser.add_argument("--out", default="run", metavar="FOLDER", help="where checkpoint and log go (default: run)")
    add_device(parser)
    parser.add_argument("--restart", action="store_true", help="begin anew even if the folder holds an unfinished run")
    parser.add_argument(
        "--check",
        action="store_true",
        help="check the recipe, its network and loss, and the data where it names some, print it whole and stop",
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, showing progress on stderr, and print where the checkpoint lies."""
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.cli.signals import StopSignals
    from LMISCore.training.distributed import SaidElsewhere, is_first
    from LMISCore.training.recipe import load_recipe

    recipe = load_recipe(args.recipe, args.overrides)
    if args.check and not is_first():
        return 0
    if args.check:
        import yaml

        from LMISCore.training.parts import check_parts

        check_parts(recipe)
        print(yaml.safe_dump(recipe.as_dict(), sort_keys=False, allow_unicode=True), end="")
        if recipe.data.source:
            from LMISCore.training.data_check import describe_data

            print("\n".join(f"# {line}" for line in describe_data(recipe)))
            _warn_of_unknown_findings(recipe)
        return 0
    from LMISCore.inference.allocator import keep_freed_memory
    from LMISCore.training.trainer import train

    keep_freed_memory()
    if is_first():
        _warn_of_unknown_findings(recipe)
    with ProgressLine() as line, StopSignals() as signals:

        def progress(done: int, total: int, stage: str) -> bool | None:
            if is_first():
                line(done, total, stage)
            return signals.go_on(stage.startswith("training"))

        try:
            with _alone(Path(args.out)) if is_first() else nullcontext():
                result = train(recipe, args.out, args.device, progress, resume=not args.restart)
        except SaidElsewhere as error:
            return INTERRUPTED if isinstance(error.__cause__, Cancelled) else MENDABLE
    if not is_first():
        return 0
    print(
        f"{result.stopped}: best mean Dice on Val {result.best_dice:.4f} at step {result.best_step} of {result.steps}"
    )
    print(f"checkpoint: {result.checkpoint}")
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Refuse to train into a folder that another run trains into; a folder that was made for it and left empty goes."""
    from LMISCore.cohorts.lock import FolderLock

    made = not folder.exists()
    try:
        with FolderLock(folder, kind="train"):
            yield
    finally:
        if made:
            with suppress(OSError):
                folder.rmdir()


def _warn_of_unknown_findings(recipe: Recipe) -> None:
    """Say on stderr where the checkpoint would call most sentences it is trained on "not covered" in use."""
    from LMISCore.text.findings import Vocabulary
    from LMISCore.text.report import parse_report
    from LMISCore.training.data_check import read_split

    known = recipe.card.findings or {recipe.pairs.names[0]: list(recipe.pairs.names)}
    vocabulary = Vocabulary.from_card({"findings": known})
    texts: list[str] = []
    # What is wrong with the data is said where they are read for the training itself.
    with suppress(InputError):
        texts = sorted({pair.text for pair in read_split(recipe, "Train") if pair.text.strip()})
    texts = texts[:: max(1, len(texts) // _LOOKED_AT)]
    reports = [parse_report(text, vocabulary) for text in texts]
    unknown = sum(not any(finding.name for line in each.sentences for finding in line.findings) for each in reports)
    if not recipe.text.ignore and unknown * 2 > len(texts):
        print(
            f"Note: the checkpoint will know {', '.join(known)}, which {unknown} of {len(texts)} sentences of Train do "
            "not name; lmis segment would call such sentences not covered. Name the words of your finding, such as "
            "pairs.names='[oedema, bone oedema]'.",
            file=sys.stderr,
        )
