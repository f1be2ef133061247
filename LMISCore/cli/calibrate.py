"""``lmis calibrate``: a finished checkpoint with calibration and presence threshold chosen on Val again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from LMISCore.cli.network_arguments import add_device, add_encoder, add_measured_checkpoint, checkpoint_path


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "calibrate",
        help="choose a finished checkpoint's calibration and presence threshold on Val again",
        description="Copy a checkpoint with the calibration and presence threshold that the split Val gives it. Its "
        "weights and masks stay; its card's figures are left out until lmis evaluate --write-card measures them again.",
    )
    add_measured_checkpoint(parser)
    parser.add_argument("data", metavar="DATA", help="folder in the LViT layout, or a manifest, with a split Val")
    parser.add_argument("out", metavar="OUT", help="folder or .safetensors file to write, as CHECKPOINT is")
    parser.add_argument(
        "--cases", metavar="PATTERN", nargs="+", default=[], help="cases of Val to take (default: the recipe's own)"
    )
    add_encoder(parser)
    add_device(parser, "auto, cpu, cuda or mps (default: auto)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Choose, write, and say what was chosen."""
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.inference.outputs import check_writable
    from LMISCore.training.recalibrate import recalibrate

    check_writable(Path(args.out).parent)
    with ProgressLine() as line:
        card = recalibrate(
            checkpoint_path(args.checkpoint), args.data, args.out, args.cases, args.device, args.encoder, line
        )
    found, presence = card.calibration, card.run["presence"]
    if found:
        print(
            f"calibration: logit times {found['scale']:.4f} plus {found['offset']:.4f}; expected calibration error "
            f"{found['error_before']:.4f} before, {found['error_after']:.4f} after ({found['fitted_on']}, "
            f"{found['pixels']:,} pixels of {found['slices']} slices)"
        )
    else:
        print("calibration: none; Val has too little to fit one, or the recipe asks for none")
    print(f"mask threshold: {card.thresholds['mask']:.4f}")
    print(f"presence threshold: {presence['threshold']:.4f} ({presence['rule']})")
    print(f"checkpoint: {args.out}")
    return 0
