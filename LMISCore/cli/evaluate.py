"""``lmis evaluate``: measure a checkpoint on a split of a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="measure a checkpoint on a data set",
        description="Measure Dice, IoU, what the text does, obedience and robustness; write evaluation.json and "
        "evaluation.md. Every run on the split Test is added to the test log.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help='folder or .safetensors file; "bundled" for our own')
    parser.add_argument("data", metavar="DATA", help="folder in the LViT layout, or a .csv manifest")
    parser.add_argument("--split", default="Test", help="Train, Val or Test (default: Test)")
    parser.add_argument(
        "--out", metavar="DIR", default="evaluation", help="folder for the two files (default: evaluation)"
    )
    parser.add_argument(
        "--image-only", metavar="CHECKPOINT", help="checkpoint of the same recipe trained without text, to compare with"
    )
    parser.add_argument("--cases", metavar="PATTERN", nargs="+", default=["*"], help="only cases matching a pattern")
    parser.add_argument("--encoder", metavar="NAME|FOLDER", help="text encoder, where the card's name does not find it")
    parser.add_argument("--no-robustness", action="store_true", help="leave out the five changes of the picture")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--seed", type=int, help="of drawn sentences, noise and intervals")
    parser.add_argument(
        "--log",
        metavar="FILE",
        help="test log (default: Training/test_runs.jsonl if there is a folder Training, else test_runs.jsonl in DIR)",
    )
    parser.add_argument(
        "--write-card",
        action="store_true",
        help="store the figures in the checkpoint's card; its weights stay as they are",
    )
    parser.add_argument("--quiet", action="store_true", help="print the figures only, no progress")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, write both files, print the page."""
    from LMISCore.atomic import write_json, write_text
    from LMISCore.checkpoints.files import bundled_checkpoint
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.errors import InputError
    from LMISCore.evaluation.card import store_figures
    from LMISCore.evaluation.evaluate import SEED, evaluate
    from LMISCore.evaluation.tables import markdown
    from LMISCore.evaluation.test_log import default_log_path

    out = Path(args.out)
    if args.write_card and args.cases != ["*"]:
        raise InputError("A card takes figures of a whole split only; leave out --cases or --write-card.")
    checkpoint = bundled_checkpoint() if args.checkpoint == "bundled" else Path(args.checkpoint)
    with ProgressLine() as progress:
        result = evaluate(
            checkpoint,
            args.data,
            args.split,
            image_only=args.image_only,
            cases=args.cases,
            device=args.device,
            encoder=args.encoder,
            robustness=not args.no_robustness,
            seed=SEED if args.seed is None else args.seed,
            log=args.log or default_log_path(out),
            progress=None if args.quiet else progress,
        )
    page = markdown(result)
    write_json(out / "evaluation.json", result)
    write_text(out / "evaluation.md", page)
    if args.write_card:
        store_figures(checkpoint, result)
    print(page, end="")
    return 0
