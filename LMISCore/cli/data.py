"""``lmis data``: one manifest from what there is, checked, described and split by patient."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from LMISCore.cli.network_arguments import add_seed

SHOWN = 5


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> argparse.ArgumentParser:
    """Add the subcommand's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "data",
        help="prepare a data set: import, check, describe, split",
        description="Make one manifest of a data set and see what is wrong with it before training.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _import_parser(actions)
    check = actions.add_parser("check", help="read everything and say all that is wrong, with row and file")
    check.add_argument("source", metavar="FOLDER|MANIFEST", help="LViT or LanGuideMedSeg folder, or a manifest")
    check.add_argument("--all", action="store_true", help=f"show every complaint (else {SHOWN} of each kind)")
    describe = actions.add_parser("describe", help="make location sentences from masks by rule, marked derived")
    describe.add_argument("source", metavar="MANIFEST")
    describe.add_argument("--out", required=True, metavar="MANIFEST", help=".csv or .jsonl to write")
    describe.add_argument("--finding", required=True, metavar="NAME", help='such as "pulmonary infection"')
    describe.add_argument(
        "--zones",
        default="axial",
        choices=("axial", "frontal", "none"),
        help="thirds of a lung: anterior to posterior, upper to lower, or lungs alone (default: axial)",
    )
    describe.add_argument("--replace", action="store_true", help="also for rows that have a sentence")
    split = actions.add_parser("split", help="give rows a split by patient and write it into the manifest")
    split.add_argument("source", metavar="MANIFEST")
    split.add_argument("--out", metavar="MANIFEST", help="write here instead of into MANIFEST itself")
    split.add_argument(
        "--shares",
        nargs=3,
        type=float,
        default=(0.7, 0.15, 0.15),
        metavar=("TRAIN", "VAL", "TEST"),
        help="of the rows (default: 0.7 0.15 0.15)",
    )
    add_seed(split, "of the draw (default: 3407)", 3407)
    split.add_argument("--again", action="store_true", help="draw all rows anew, also those that have a split")
    for action in actions.choices.values():
        action.add_argument(
            "--case-pattern",
            metavar="REGEX",
            help="groups case, patient, slice of a picture's name, where a manifest does not tell them",
        )
    parser.set_defaults(run=run)
    return parser


def _import_parser(actions: argparse._SubParsersAction[Any]) -> None:
    parser = actions.add_parser(
        "import",
        help="make a manifest",
        description="From an LViT or LanGuideMedSeg folder: a manifest that points into it. From a folder of volumes "
        "with .seg.nrrd files of the Slicer module, or with masks and reports: a folder of slices with their manifest.",
    )
    parser.add_argument("source", metavar="FOLDER")
    parser.add_argument("out", metavar="OUT", help="manifest (.csv or .jsonl) to write, or a folder for volumes")
    parser.add_argument(
        "--plane", default="axial", choices=("axial", "coronal", "sagittal"), help="of the slices (default: axial)"
    )
    parser.add_argument(
        "--empty",
        type=float,
        default=0.25,
        metavar="SHARE",
        help="slices without the finding for each slice with it (default: 0.25)",
    )
    parser.add_argument(
        "--findings",
        nargs="+",
        metavar="NAME=WORD,WORD",
        help="take only sentences that affirm one of these (default: all that affirm something)",
    )
    parser.add_argument("--edited-only", action="store_true", help="only masks that a person drew or corrected")


def run(args: argparse.Namespace) -> int:
    """Do one of the four actions."""
    from LMISCore.data.pair import CASE_PATTERN

    pattern = args.case_pattern or CASE_PATTERN
    actions = {"import": _import, "check": _check, "describe": _describe, "split": _split}
    return actions[args.action](args, pattern)


def _import(args: argparse.Namespace, pattern: str) -> int:
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.data.table_import import import_tables, is_table_layout
    from LMISCore.data.volume_import import import_volumes

    if is_table_layout(Path(args.source)):
        tally = import_tables(args.source, args.out, pattern)
        print(f"manifest: {args.out}; " + ", ".join(f"{name} {count} rows" for name, count in tally.items()))
        return 0
    with ProgressLine() as line:
        found = import_volumes(
            args.source, args.out, args.plane, args.empty, _vocabulary(args.findings), args.edited_only, line
        )
    for note in found.notes:
        print(f"note: {note}")
    origins = ", ".join(f"{count} {name}" for name, count in sorted(found.origins.items()))
    print(f"manifest: {found.manifest}; {found.rows} rows of {found.cases} scans ({origins})")
    print(f"next: lmis data split {found.manifest}")
    return 0


def _vocabulary(findings: list[str] | None) -> Any:
    from LMISCore.text.findings import Vocabulary

    if not findings:
        return None
    named = (entry.partition("=") for entry in findings)
    return Vocabulary({name.strip(): tuple(word.strip() for word in words.split(",")) for name, _, words in named})


def _check(args: argparse.Namespace, pattern: str) -> int:
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.data.check import LOOK, STOPS, check_data
    from LMISCore.errors import InputError

    with ProgressLine() as line:
        report = check_data(args.source, pattern, line)
    for name, split in report.splits.items():
        print(split.line(name))
    for stops, title in ((True, STOPS), (False, LOOK)):
        chosen = [each for each in report.complaints if each.stops == stops]
        for kind, count in Counter(each.kind for each in chosen).items():
            print(f"{title}: {kind} ({count})")
            mine = [each.sentence for each in chosen if each.kind == kind]
            shown = mine if args.all else mine[:SHOWN]
            print("\n".join(f"  {sentence}" for sentence in shown))
            if len(shown) < count:
                print(f"  ... and {count - len(shown)} more; --all shows them")
    if report.stopping:
        raise InputError(
            f"{len(report.stopping)} complaint(s) about {args.source} would stop a training; mend them, the first: "
            f"{report.stopping[0].sentence}"
        )
    print("nothing would stop a training")
    return 0


def _describe(args: argparse.Namespace, pattern: str) -> int:
    from LMISCore.cli.progress import ProgressLine
    from LMISCore.data.lungs import ZONES
    from LMISCore.training.describe import describe

    with ProgressLine() as line:
        found = describe(args.source, args.out, args.finding, ZONES[args.zones], args.replace, pattern, line)
    print(f"manifest: {args.out}; {found.rows} rows got a sentence made from their mask, marked derived")
    if found.placeless:
        print(f"note: {found.placeless} of them name no place, because their scan has no lung mask")
    return 0


def _split(args: argparse.Namespace, pattern: str) -> int:
    from LMISCore.data.split import split_manifest

    tally = split_manifest(args.source, args.out, args.shares, args.seed, args.again, pattern)
    print(f"manifest: {args.out or args.source}; " + ", ".join(f"{name} {count} rows" for name, count in tally.items()))
    return 0
