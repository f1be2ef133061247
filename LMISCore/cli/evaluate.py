"""``lmis evaluate``: measure a checkpoint on a split of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from LMISCore.cli.network_arguments import add_device, add_encoder, add_measured_checkpoint, add_seed, checkpoint_path


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="measure a checkpoint on a data set",
        description="Measure overlap, outlines, calibration, what the text does, obedience and robustness; write "
        "evaluation.json, .md and .csv (one line an image), plots and a contact sheet. Every run on the split Test is "
        "added to the test log.",
    )
    add_measured_checkpoint(parser)
    parser.add_argument("data", metavar="DATA", help="folder in the LViT layout, or a .csv manifest")
    parser.add_argument("--split", default="Test", help="Train, Val or Test (default: Test)")
    parser.add_argument("--out", metavar="DIR", default="evaluation", help="folder for the files (default: evaluation)")
    parser.add_argument(
        "--image-only", metavar="CHECKPOINT", help="checkpoint of the same recipe trained without text, to compare with"
    )
    parser.add_argument("--no-robustness", action="store_true", help="leave out the five changes of the picture")
    add_measuring_arguments(parser)
    parser.add_argument(
        "--write-card",
        action="store_true",
        help="store the figures in the checkpoint's card; its weights stay as they are",
    )
    parser.set_defaults(run=run)
    return parser


def add_measuring_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that measures takes."""
    parser.add_argument("--cases", metavar="PATTERN", nargs="+", default=["*"], help="only cases matching a pattern")
    add_encoder(parser)
    parser.add_argument("--no-surfaces", action="store_true", help="leave out HD95 and surface Dice")
    parser.add_argument(
        "--tolerance", metavar="MM", type=float, help="of the surface Dice (default: 2 mm, or pixels without a size)"
    )
    parser.add_argument(
        "--spacing",
        metavar="MM",
        type=float,
        nargs=2,
        help="size of a pixel along rows and columns, for pictures whose files state none (default: count in pixels)",
    )
    parser.add_argument("--no-plots", action="store_true", help="draw no plots (they need the extra plots)")
    add_device(parser, "auto, cpu, cuda or mps (default: auto)")
    add_seed(parser, "of drawn sentences, noise and intervals")
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="test log (default: Training/test_runs.jsonl if there is a folder Training, else test_runs.jsonl in DIR)",
    )
    parser.add_argument("--quiet", action="store_true", help="print the figures only, no progress")


def measuring_options(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """What ``evaluate`` is called with for these arguments, but for the progress.

    Raises:
        InputError: for sizes and tolerances that cannot be.
    """
    from LMISCore.errors import InputError
    from LMISCore.evaluation.evaluate import SEED
    from LMISCore.evaluation.quality import SurfaceRule
    from LMISCore.evaluation.test_log import default_log_path
    from LMISCore.metrics.surface import TOLERANCE

    tolerance = TOLERANCE if args.tolerance is None else args.tolerance
    if not 0 <= tolerance < float("inf"):
        raise InputError(f"--tolerance is {tolerance:g}; expected a number of mm from 0 on, such as {TOLERANCE:g}.")
    if args.spacing is not None and not all(0 < size < float("inf") for size in args.spacing):
        given = " ".join(f"{size:g}" for size in args.spacing)
        raise InputError(f"--spacing is {given}; expected two sizes of a pixel in mm above 0, such as 0.7 0.7.")
    spacing = None if args.spacing is None else (args.spacing[0], args.spacing[1])
    return {
        "cases": args.cases,
        "device": args.device,
        "encoder": args.encoder,
        "surface": None if args.no_surfaces else SurfaceRule(tolerance, spacing),
        "seed": SEED if args.seed is None else args.seed,
        "log": args.log or default_log_path(out),
    }


def wants_plots(args: argparse.Namespace) -> bool:
    """Whether plots are drawn; says on stderr why they are not where nobody asked for that."""
    import sys

    from LMISCore.evaluation.outputs import can_plot

    if args.no_plots:
        return False
    if not can_plot():
        print("No plots: matplotlib is not installed; pip install 'LMISCore[plots]' brings it.", file=sys.stderr)
        return False
    return True


def run(args: argparse.Namespace) -> int:
    """Measure, write the files, print the page."""
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.errors import InputError
    from LMISCore.evaluation.card import store_figures
    from LMISCore.evaluation.evaluate import Kept, evaluate
    from LMISCore.evaluation.outputs import write_evaluation
    from LMISCore.evaluation.tables import markdown
    from LMISCore.inference.outputs import check_writable

    out = Path(args.out)
    if args.write_card and args.cases != ["*"]:
        raise InputError("A card takes figures of a whole split only; leave out --cases or --write-card.")
    # A run on Test is counted in the test log, so its files must not fail after it.
    check_writable(out)
    checkpoint = checkpoint_path(args.checkpoint)
    plots, kept = wants_plots(args), Kept()
    with ProgressLine() as progress:
        result = evaluate(
            checkpoint,
            args.data,
            args.split,
            image_only=args.image_only,
            robustness=not args.no_robustness,
            progress=None if args.quiet else progress,
            kept=kept,
            **measuring_options(args, out),
        )
    write_evaluation(out, result, kept, plots)
    if args.write_card:
        store_figures(checkpoint, result)
    print(markdown(result), end="")
    return 0
