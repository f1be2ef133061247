"""Options that several subcommands share: which network, where it computes, and how its masks are cut."""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path
from typing import Any

# Values of a case that its command line gives under their own names; `segment_settings` adds those that it does not.
_PLAIN = (
    "checkpoint",
    "device",
    "precision",
    "backend",
    "intensity",
    "threshold",
    "presence",
    "batch_size",
    "text_encoder",
    "cache",
    "probabilities",
    "language",
    "scrub",
)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the network to run, for commands that may run the bundled one."""
    parser.add_argument(
        "--checkpoint", metavar="PATH", help="folder or .safetensors file (default: the bundled weights)"
    )


def add_measured_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the network to measure, which :func:`checkpoint_path` reads."""
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help='folder or .safetensors file; "bundled" for our own')


def checkpoint_path(given: str) -> Path:
    """The path that is meant, "bundled" being our own weights."""
    from LMISCore.checkpoints.files import bundled_checkpoint

    return bundled_checkpoint() if given == "bundled" else Path(given)


def add_encoder(parser: argparse.ArgumentParser) -> None:
    """Add the text encoder of commands that measure."""
    parser.add_argument("--encoder", metavar="NAME|FOLDER", help="text encoder, where the card's name does not find it")


def add_device(parser: argparse.ArgumentParser, names: str = "auto, cpu, cuda, cuda:N or mps (default: auto)") -> None:
    """Add where the network computes; ``names`` are those that the command takes."""
    parser.add_argument("--device", default="auto", help=names)


def add_seed(parser: argparse.ArgumentParser, help_text: str, default: int | None = None) -> None:
    """Add the seed of what a command draws; NumPy takes none below 0."""
    parser.add_argument("--seed", type=_from_zero, default=default, help=help_text)


def _from_zero(text: str) -> int:
    with suppress(ValueError):
        if (number := int(text)) >= 0:
            return number
    raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number from 0 on")


def add_arithmetic(
    parser: argparse.ArgumentParser,
    precision: str = "fp32, bf16 or auto (default: fp32)",
    intensity: str = "auto, hu or picture (default: auto)",
) -> None:
    """Add how the network computes and how it reads a volume's values; the texts are the options' helps."""
    parser.add_argument("--precision", default="fp32", help=precision)
    parser.add_argument("--intensity", default="auto", help=intensity)


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """Add what is used instead of the card's thresholds."""
    parser.add_argument("--threshold", type=float, metavar="P", help="probability from which a voxel belongs to a mask")
    parser.add_argument("--presence", type=float, metavar="P", help="presence score under which a finding is absent")


def add_cleanup_and_running(parser: argparse.ArgumentParser) -> None:
    """Add which pieces of a mask are dropped, and what a run needs beside its network."""
    parser.add_argument("--min-volume", type=float, metavar="ML", default=0.0, help="drop pieces smaller than ML mL")
    parser.add_argument("--largest", type=int, metavar="N", default=0, help="keep only the N largest pieces of a mask")
    parser.add_argument("--batch-size", type=int, metavar="N", help="slices at a time (default: what fits)")
    parser.add_argument("--text-encoder", metavar="PATH", help="folder of the text encoder, if the card's is not found")
    parser.add_argument(
        "--return-memory",
        action="store_true",
        help="give freed memory back to the system at once: slower, but the process shrinks between large maps",
    )
    parser.add_argument(
        "--backend",
        default="auto",
        help="torch, openvino (the extra openvino), or auto for the one that costs less time (default: auto)",
    )
    parser.add_argument("--cache", metavar="DIR", help="keep text embeddings and compiled graphs there between runs")


def segment_settings(args: argparse.Namespace) -> dict[str, Any]:
    """What ``SegmentJob`` and ``BatchJob`` are both told, by their names."""
    given = vars(args)
    return {
        **{name: given[name] for name in _PLAIN},
        "min_volume_ml": args.min_volume,
        "largest_components": args.largest,
        "overlay": not args.no_overlay,
        "agreement": not args.no_agreement,
        "skip_air": not args.ask_air,
        "keep_memory": not args.return_memory,
    }
