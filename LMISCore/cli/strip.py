"""``lmis strip``: a checkpoint without the parts that only training needs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LMISCore.checkpoints.strip import Stripped


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "strip",
        help="write a checkpoint without the parts that only training needs",
        description="Write a checkpoint without the parts that only training needs. It segments exactly alike; "
        "training cannot be continued from it.",
    )
    parser.add_argument("source", metavar="CHECKPOINT", help="folder or .safetensors file")
    parser.add_argument("out", metavar="OUT", help="folder, or name ending in .safetensors, to write")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Strip, and say what that saved."""
    from LMISCore.checkpoints.strip import strip_checkpoint

    print(describe(strip_checkpoint(args.source, args.out)))
    return 0


def describe(stripped: Stripped) -> str:
    """What was written, in lines for a terminal."""
    checkpoint = stripped.checkpoint
    lines = [
        checkpoint.card.summary(),
        f"weights: {checkpoint.path}, {stripped.after:,} parameters of {stripped.before:,}, sha256 {checkpoint.hash}",
    ]
    companion = checkpoint.companion
    if companion is not None:
        lines.append(f"text tower: {companion}")
    return "\n".join(lines)
