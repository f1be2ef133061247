"""``lmis info``: what a checkpoint is, what it reaches, and where it ends."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LMISCore.checkpoints.store import Checkpoint


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "info",
        help="show what a checkpoint is and what was measured with it",
        description="Load a checkpoint strictly and show its card, number of parameters, hash, metrics and limits.",
    )
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", nargs="?", help="folder or .safetensors file (default: the bundled weights)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--markdown", action="store_true", help="print the whole card as Markdown")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Load, so that what is shown is known to be usable, and print."""
    from LMISCore.checkpoints.store import load_checkpoint

    checkpoint = load_checkpoint(args.checkpoint)
    if args.json:
        print(json.dumps(as_dict(checkpoint), indent=2, ensure_ascii=False))
    elif args.markdown:
        print(checkpoint.card.to_markdown(), end="")
    else:
        print(describe(checkpoint))
    return 0


def as_dict(checkpoint: Checkpoint) -> dict[str, Any]:
    """Path, hash, number of parameters and the card as plain values."""
    from LMISCore.networks.blocks import count_parameters

    return {
        "path": str(checkpoint.path),
        "hash": checkpoint.hash,
        "network": checkpoint.network.title,
        "parameters": count_parameters(checkpoint.network),
        "card": checkpoint.card.to_dict(),
    }


def describe(checkpoint: Checkpoint) -> str:
    """The card's summary and what else a user asks first, in lines for a terminal."""
    from LMISCore.checkpoints.card_text import metric_sentence

    card = checkpoint.card
    encoder = card.text_encoder
    lines = [
        card.summary(),
        "",
        f"network     {checkpoint.network.title}",
        f"path        {checkpoint.path}",
        f"sha256      {checkpoint.hash}",
        f"parameters  {_parameters(checkpoint)}",
        f"text        {encoder['name']}, {encoder['length']} tokens of width {encoder['width']}, "
        f"sha256 {encoder['hash'][:12]}",
        f"intensity   {card.image['convention']}",
        f"findings    {', '.join(card.vocabulary['findings']) or 'none named'}",
        f"thresholds  mask {card.thresholds['mask']}, presence {card.thresholds['presence']}",
    ]
    if card.metrics:
        lines += ["", f"metrics (the test split was looked at {card.test_runs_before} times before)"]
        lines += [f"  {metric_sentence(metric)}" for metric in card.metrics]
    note = getattr(checkpoint.network, "NOTE", "")
    limits = [note] * bool(note and note not in card.limits) + card.limits
    if limits:
        lines += ["", "limits", *(f"  {limit}" for limit in limits)]
    return "\n".join(lines)


def _parameters(checkpoint: Checkpoint) -> str:
    """Number of parameters, and how many of them inference needs."""
    from LMISCore.networks import without_training_parts
    from LMISCore.networks.blocks import count_parameters

    whole = count_parameters(checkpoint.network)
    needed = count_parameters(without_training_parts(checkpoint.network))
    rest = f", {needed:,} of them needed for inference (lmis strip leaves out the others)" if needed < whole else ""
    return f"{whole:,} trainable{rest}"
