"""``lmis batch``: a table of volumes and reports in, segmentations and one table over all of them out."""

from __future__ import annotations

import argparse
import json
from typing import Any

from LMISCore.cli.network_arguments import (
    add_arithmetic,
    add_checkpoint,
    add_cleanup_and_running,
    add_device,
    add_thresholds,
    segment_settings,
)

SOME_FAILED = 3


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "batch",
        help="segment all volume-report pairs of a table, on one machine or a cluster",
        description="Segment every pair of a table. Each case gets a folder OUT/cases/ID with what lmis segment "
        "writes; results.csv has a row per finding, cases.csv a row per case, errors.csv a sentence for each case that "
        "failed. Start the same command again after an interruption: finished cases are kept. Exit codes: 0 all cases "
        "are done, 3 some failed and the others are done, 2 the run could not start or go on, 130 interrupted.",
    )
    parser.add_argument(
        "table",
        metavar="TABLE",
        help=".csv, .jsonl or .xlsx with the columns volume (or image) and report (a file) or text; optional: id, "
        "organ, checkpoint, intensity, language, force, spacing; paths are relative to it",
    )
    parser.add_argument("--out", metavar="FOLDER", default="lmis_batch", help="results (default: lmis_batch)")
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="cases at a time, each with a network (default: 1)"
    )
    parser.add_argument(
        "--engine",
        default="local",
        help="local (processes of this machine), ray (a cluster) or here (this process; default: local)",
    )
    parser.add_argument("--address", metavar="HOST:PORT", help="Ray cluster to join, or auto (default: start one)")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="cores of each worker (default: divided; 1 with --address)"
    )
    parser.add_argument("--shard", metavar="I/N", default="", help="run the I-th of N parts; then --collect once")
    parser.add_argument("--collect", action="store_true", help="run nothing, write the tables of the results there are")
    parser.add_argument("--redo", action="store_true", help="replace results made with other settings or weights")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare the contents of all inputs, even where size and time are unchanged",
    )
    parser.add_argument(
        "--attempts", type=int, default=3, metavar="N", help="tries for a case whose worker ends (default: 3)"
    )
    parser.add_argument(
        "--case-seconds", type=float, default=0.0, metavar="S", help="most time for one case (default: no limit)"
    )
    add_checkpoint(parser)
    add_device(parser, "auto, cpu, cuda, mps, or several: cuda:0,cuda:1")
    add_arithmetic(parser, intensity="hu, picture or auto (default: auto)")
    add_thresholds(parser)
    add_cleanup_and_running(parser)
    parser.add_argument("--probabilities", action="store_true", help="also write each sentence's probabilities")
    parser.add_argument("--no-overlay", action="store_true", help="do not draw ID.png")
    parser.add_argument("--no-agreement", action="store_true", help="do not compare masks with the words' places")
    parser.add_argument("--ask-air", action="store_true", help="ask slices in HU too that show nothing but air")
    parser.add_argument("--language", metavar="CODE", help="language of the reports (default: told by their words)")
    parser.add_argument(
        "--scrub",
        choices=("shared", "all", "none"),
        default="shared",
        help="hide dates, names and numbers in the files to be passed on and in the tables, in all files, or in none "
        "(default: shared; the tables are plain with none only)",
    )
    parser.add_argument("--json", action="store_true", help="print what came of the run as JSON")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the table, showing progress on stderr."""
    import sys

    from LMISCore.cli.progress import ProgressLine
    from LMISCore.cli.signals import StopSignals
    from LMISCore.cohorts.batch_job import BatchJob, run_batch_job

    given = vars(args)
    own = "table out workers engine address threads shard collect redo verify attempts case_seconds"
    job = BatchJob(**{name: given[name] for name in own.split()}, **segment_settings(args))
    shown = -1
    with ProgressLine() as line, StopSignals() as signals:

        def progress(done: int, total: int, stage: str) -> bool | None:
            nonlocal shown
            # The schedule asks twice a second whether to go on; only a finished case is news.
            if total and done and done != shown:
                shown = done
                line(done, total, stage)
            return signals.go_on(can_stop=True)

        def log(message: str) -> None:
            print(message, file=sys.stderr, flush=True)

        result = run_batch_job(job, progress, log)
    print(json.dumps(result, indent=2, ensure_ascii=False) if args.json else describe(result))
    return SOME_FAILED if result["failed"] else 0


def describe(result: dict[str, Any]) -> str:
    """What came of the run, for people."""
    lines = [f"{result['message']} ({result['seconds']:.0f} s)"]
    if result["retried"]:
        lines.append(f"A case was given to a fresh worker {result['retried']} times, because its own had ended.")
    lines += [f"  {name:<9}{path}" for name, path in result["tables"].items()]
    if not result["tables"]:
        lines.append("Write the tables with --collect when all parts have run.")
    lines.append("For research only; not a medical device.")
    return "\n".join(lines)
