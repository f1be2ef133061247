"""``lmis segment``: a volume and a report in, one segment per affirmed and present sentence out."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from LMISCore.cli.network_arguments import (
    add_arithmetic,
    add_checkpoint,
    add_cleanup_and_running,
    add_device,
    add_thresholds,
    segment_settings,
)
from LMISCore.inference.outputs import DEFAULT_FOLDER

_BAR = 30
# What a report holds is shown, never obeyed: an escape sequence in it would act on the terminal.
_CONTROLS = {code: "?" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "segment",
        help="segment a volume from its report: one segment per affirmed sentence",
        description="Read a report, ask each affirmed sentence of the volume, and write one segment for each that is "
        "found present: CASE.seg.nrrd, CASE.csv, CASE.png and CASE.json. For research only.",
    )
    parser.add_argument(
        "volume", metavar="VOLUME", nargs="?", help="NRRD, NIfTI, MHA, PNG, JPEG, TIFF, or a folder with a DICOM series"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--report", metavar="FILE", help="report as text, JSON or DICOM SR; - reads text from stdin")
    source.add_argument("--text", metavar="TEXT", help="the report itself, or one sentence")
    parser.add_argument("--sample", action="store_true", help="use the chest CT and report that come with the package")
    parser.add_argument(
        "--out",
        metavar="PATH",
        default=DEFAULT_FOLDER,
        help=f"folder, or name ending in .seg.nrrd (default: {DEFAULT_FOLDER})",
    )
    add_checkpoint(parser)
    add_device(parser)
    add_arithmetic(
        parser,
        "fp32, bf16, or auto for bf16 where the hardware multiplies in it (default: fp32)",
        "hu (Hounsfield units), picture, or auto to decide by the values (default: auto)",
    )
    parser.add_argument(
        "--force",
        metavar="ID",
        action="append",
        default=[],
        help="give this sentence a mask whatever its state; may be repeated; ids stand in CASE.csv, such as findings-1",
    )
    parser.add_argument(
        "--only",
        metavar="ID",
        action="append",
        default=[],
        help="run this sentence only; may be repeated; its mask is the one that it gets in a run of all",
    )
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="also write CASE.SENTENCE.probability.nrrd in thousandths, to cut masks at other thresholds later",
    )
    add_thresholds(parser)
    parser.add_argument(
        "--organ", metavar="FILE", help="organ mask; upper, mid and lower then mean thirds of its extent"
    )
    add_cleanup_and_running(parser)
    parser.add_argument("--no-overlay", action="store_true", help="do not draw CASE.png")
    parser.add_argument(
        "--no-agreement",
        action="store_true",
        help="do not ask for each finding without its place to compare side, place, number and size with the words",
    )
    parser.add_argument(
        "--scrub",
        choices=("shared", "all", "none"),
        default="shared",
        help="hide dates, names after titles, phone and accession numbers in the files to be passed on (.seg.nrrd, "
        ".csv, .png), in all files, or in none (default: shared)",
    )
    parser.add_argument(
        "--language", metavar="CODE", help="language of the report, such as en or de (default: told by its words)"
    )
    parser.add_argument(
        "--ask-air", action="store_true", help="ask slices in HU too that show nothing but air (they are skipped else)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of the table")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Run the job and print what came of it."""
    from LMISCore.inference.jobs import SegmentJob, run_segment_job
    from LMISCore.inference.reading import report_text

    text = args.text
    report = args.report
    if report == "-":
        text, report = report_text(sys.stdin.buffer.read(), "from stdin"), None
    job = SegmentJob(
        volume=args.volume,
        report=report,
        text=text,
        sample=args.sample,
        out=args.out,
        force=tuple(args.force),
        only=tuple(args.only),
        organ=args.organ,
        **segment_settings(args),
    )
    bar = _Bar(sys.stderr.isatty())

    def log(message: str) -> None:
        bar.clear()
        print(message, flush=True)

    try:
        result = run_segment_job(job, bar, None if args.json else log)
    finally:
        bar.clear()
    if args.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        print(describe(result))
    return 0


def describe(result: dict[str, Any]) -> str:
    """What came of the run, for people: the table and where the files are."""
    from LMISCore.inference.summary import summary_line
    from LMISCore.inference.tables import contradictions, terminal_table

    parts = [*(f"Note: {warning}" for warning in result["warnings"]), "", terminal_table(result), ""]
    parts.append(f"{result['message']} ({result['seconds']:.0f} s)")
    parts.append(f"Report: {summary_line(result['summary'])}.")
    parts += [f"  contradicted, {line}" for line in contradictions(result)]
    if not result["geometry"]["spacing_known"]:
        parts.append("Volumes are nominal: the spacing of this image is not known.")
    parts += [f"  {kind:<13}{path}" for kind, path in result["outputs"].items() if path is not None]
    parts.append("For research only; not a medical device.")
    return "\n".join(parts).translate(_CONTROLS)


class _Bar:
    """Progress on one line of a terminal; silent elsewhere."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._width = 0

    def __call__(self, done: int, total: int, stage: str) -> None:
        if not self._shown:
            return
        filled = _BAR * done // total if total else 0
        line = f"{stage} [{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}" if total else f"{stage} ..."
        print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def clear(self) -> None:
        """Take the line away."""
        if self._shown and self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
