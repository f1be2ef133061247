"""``lmis explain``: a volume and one sentence in, the network's explanation maps out."""

from __future__ import annotations

import argparse
from typing import Any

from LMISCore.cli.network_arguments import add_arithmetic, add_device


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "explain",
        help="write the network's explanation maps of one sentence",
        description="Write CASE.MAP.nrrd for each map, on the volume's grid, and CASE.maps.json with their meanings.",
    )
    parser.add_argument("volume", metavar="VOLUME", nargs="?", help="as for lmis segment")
    parser.add_argument("--sample", action="store_true", help="use the chest CT that comes with the package")
    parser.add_argument("--text", required=True, metavar="SENTENCE", help="sent to the network as it is")
    parser.add_argument(
        "--map", metavar="NAME", action="append", default=[], help="one map only; may be repeated (default: all)"
    )
    parser.add_argument("--out", default="lmis_maps", metavar="FOLDER", help="where maps go (default: lmis_maps)")
    parser.add_argument("--checkpoint", metavar="PATH", help="folder or file (default: the bundled weights)")
    parser.add_argument("--text-encoder", metavar="NAME|FOLDER", help="as for lmis segment")
    add_device(parser)
    add_arithmetic(parser)
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Write the maps and print what each of them shows."""
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.inference.explain_job import ExplainJob, run_explain_job

    job = ExplainJob(
        volume=args.volume,
        sample=args.sample,
        # Bytes that are no text reach Python as half a surrogate pair, which no file can hold.
        text=args.text.encode("utf-8", "replace").decode("utf-8"),
        maps=tuple(args.map),
        out=args.out,
        checkpoint=args.checkpoint,
        device=args.device,
        precision=args.precision,
        intensity=args.intensity,
        text_encoder=args.text_encoder,
    )
    with ProgressLine() as progress:
        found = run_explain_job(job, progress)
    for row in found["maps"]:
        low, high = row["range"]
        print(f"{row['path']}\n    {row['meaning']}; values {low:.3g} to {high:.3g}")
    return 0
