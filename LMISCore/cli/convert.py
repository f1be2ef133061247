"""``lmis convert``: the authors' released files into checkpoints of this package."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LMISCore.checkpoints.released import Conversion


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "convert",
        help="convert weights released by a network's authors",
        description="Convert an authors' .pth.tar file into a checkpoint. Nothing in the file is run.",
    )
    parser.add_argument("source", metavar="FILE", help="the authors' .pth.tar file")
    parser.add_argument("out", metavar="OUT", help="folder, or name ending in .safetensors, to write")
    parser.add_argument(
        "--from", dest="kind", required=True, metavar="NETWORK", help="whose file it is: reclmis or tirnet"
    )
    parser.add_argument(
        "--trained-on",
        metavar="DATA",
        help="data set these weights were trained on, if you know it: qata (chest X-ray), mosmed (CT) or monuseg "
        "(histology)",
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was kept and what was dropped."""
    from LMISCore.checkpoints.released import convert_released

    print(describe(convert_released(args.kind, args.source, args.out, args.trained_on)))
    return 0


def describe(conversion: Conversion) -> str:
    """What was written, in lines for a terminal."""
    from LMISCore.networks.blocks import count_parameters

    checkpoint = conversion.checkpoint
    encoder = checkpoint.card.text_encoder
    lines = [
        checkpoint.card.summary(),
        f"weights: {checkpoint.path}, {count_parameters(checkpoint.network):,} trainable parameters, "
        f"sha256 {checkpoint.hash}",
        f"text tower: {conversion.text_tower}, {encoder['name']}, sha256 {encoder['hash']}",
    ]
    for reason, names in conversion.dropped.items():
        lines.append(f"dropped {len(names)} tensor{'s' * (len(names) > 1)}, {reason}: {', '.join(names)}")
    if conversion.ignored:
        lines.append(f"left behind: {', '.join(conversion.ignored)}")
    return "\n".join(lines)
