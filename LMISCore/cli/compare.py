"""``lmis compare``: two results on the same images, or two checkpoints measured first, compared image by image."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    from LMISCore.cli.evaluate import add_measuring_arguments

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "compare",
        help="compare two evaluations image by image",
        description='Pair two results of lmis evaluate image by image: "B minus A" with intervals from resampled '
        "blocks of neighbouring slices, and patient by patient. Writes comparison.json, .md, .csv and .png. A "
        "checkpoint in the place of a result is measured on --data first.",
    )
    for name in ("A", "B"):
        help_text = "evaluation.json, a folder that holds one, a checkpoint, or bundled"
        parser.add_argument(name.lower(), metavar=name, help=help_text)
    parser.add_argument("--data", metavar="DATA", help="data set to measure checkpoints on")
    parser.add_argument("--split", default="Val", help="of --data: Train, Val or Test (default: Val)")
    parser.add_argument("--out", metavar="DIR", default="comparison", help="folder for the files (default: comparison)")
    add_measuring_arguments(parser)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Read or measure both, compare, write the files, print the page."""
    from LMISCore.cli.evaluate import wants_plots
    from LMISCore.errors import InputError
    from LMISCore.evaluation.compare import compare
    from LMISCore.evaluation.comparison_page import comparison_page, find_result, read_result
    from LMISCore.evaluation.evaluate import SEED
    from LMISCore.evaluation.outputs import write_comparison
    from LMISCore.inference.outputs import check_writable

    results = [find_result(side) for side in (args.a, args.b)]
    checkpoints = [given for given, found in zip((args.a, args.b), results, strict=True) if found is None]
    if checkpoints and args.data is None:
        raise InputError(
            f"{checkpoints[0]} is no result of lmis evaluate; give its evaluation.json, or say with --data what to "
            "measure the checkpoint on."
        )
    if args.data is not None and not checkpoints:
        raise InputError("--data measures checkpoints, but A and B are both results; leave out --data.")
    plots, out = wants_plots(args), Path(args.out)
    check_writable(out)
    # Results are read before anything is measured: a mistyped one must not cost an evaluation.
    read = [None if found is None else read_result(found) for found in results]
    first, second = (
        found if found is not None else _measure(args, given, out / name, out, plots)
        for found, given, name in zip(read, (args.a, args.b), ("a", "b"), strict=True)
    )
    comparison = compare(first, second, seed=SEED if args.seed is None else args.seed)
    write_comparison(out, comparison, plots)
    print(comparison_page(comparison), end="")
    return 0


def _measure(args: argparse.Namespace, checkpoint: str, folder: Path, out: Path, plots: bool) -> dict[str, Any]:
    """Evaluate a checkpoint and leave its result in ``folder``, to be compared again without measuring."""
    from LMISCore.cli.evaluate import measuring_options
    from LMISCore.cli.network_arguments import checkpoint_path
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.evaluation.evaluate import Kept, evaluate
    from LMISCore.evaluation.outputs import write_evaluation

    kept = Kept()
    with ProgressLine() as progress:
        result = evaluate(
            checkpoint_path(checkpoint),
            args.data,
            args.split,
            robustness=False,
            progress=None if args.quiet else progress,
            kept=kept,
            **measuring_options(args, out),
        )
    write_evaluation(folder, result, kept, plots)
    return result
