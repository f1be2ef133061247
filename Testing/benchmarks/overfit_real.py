"""Does each network learn eight real pairs by heart that only the sentence tells apart, and follow the sentence?

    python Testing/benchmarks/overfit_real.py DATA [--network NAME ...] [--out TABLE.md]

DATA is a set in LViT layout with lung masks, such as covid_ct_20cases. Of each training case the slice is taken whose
less affected lung has the most, and of these slices the four with the most (a mask of eight pixels can hardly be hit).
Each is asked for its left and for its right side; the mask is the slice's own, cut at the midline of the case's lungs.
Then every pair is asked with the other side's sentence. A network has learnt the pairs when the mean Dice with their
own sentences is at least 0.95, and it follows the sentence when no pair has a Dice of 0.3 with the other one; else the
exit status is 1. Asked are the pictures that were trained on: the figures say that a network can learn, not how good it
is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

if __package__ in (None, ""):
    sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1] / "core")]

from overfit_maker import SENTENCES, Answers, Pairs, overfit

from LMISCore.atomic import write_text
from LMISCore.data.lungs import SIDES, SMALLEST_PIECE
from LMISCore.data.manifest import read_pairs
from LMISCore.data.slices import by_case, case_geometries, fit_case, read_slice
from LMISCore.errors import InputError
from LMISCore.networks import NETWORKS
from LMISCore.text.encoders import create_encoder
from LMISCore.training.pairs import side_cut
from LMISCore.volumes.framing import Frame

SLICES = 4
OWN, SWAPPED = 0.95, 0.3


@dataclass(frozen=True)
class Setting:
    """How one network is built and trained here: small enough for one processor core."""

    options: dict[str, Any]
    side: int
    rate: float
    steps: int = 400


SETTINGS = {
    "reclmis": Setting({"width": 8}, 64, 2e-3),
    "tirnet": Setting({"width": 16}, 96, 3e-3),
    "tmca": Setting({"width": 24, "depths": [1, 1, 1, 1], "embedding": 32}, 96, 2e-3),
}


def real_pairs(data: str | Path, side: int) -> tuple[Pairs, list[str]]:
    """Four slices with both lungs affected, ``side`` pixels a side, and the names of their files.

    Raises:
        InputError: if the set has fewer such slices, or lacks lung masks.
    """
    pairs = read_pairs(data, "Train")
    geometries = case_geometries(pairs)
    best: list[tuple[int, int]] = []
    for case, rows in by_case(pairs):
        geometry = geometries[case]
        if geometry is not None:
            lesser = [min(int(side_cut(read_slice(pairs[n]).truth, geometry, s).sum()) for s in SIDES) for n in rows]
            best.append(max(zip(lesser, rows, strict=True)))
    chosen = [row for area, row in sorted(best, reverse=True)[:SLICES] if area >= SMALLEST_PIECE]
    images, masks, names = [], [], []
    for row in sorted(chosen):
        truth, geometry = read_slice(pairs[row]), geometries[pairs[row].case]
        assert geometry is not None
        frame = Frame((truth.picture.shape[0], truth.picture.shape[1]), (side, side), truth.spacing)
        images.append(fit_case([truth.picture], "unit")(truth.picture, frame))
        masks.append([frame.resize_mask(side_cut(truth.truth, geometry, name)) for name in SIDES])
        names.append(pairs[row].image.name)
    if len(names) < SLICES:
        raise InputError(
            f"{data} has {len(names)} training cases with lung masks and a slice with both lungs affected, expected "
            f"at least {SLICES}; give a set such as covid_ct_20cases."
        )
    by_side = torch.from_numpy(np.array(masks)).float().transpose(0, 1)
    return Pairs(torch.from_numpy(np.stack(images)).float(), by_side.flatten(0, 1)), names


def learnt(answers: Answers) -> bool:
    """Whether the pairs are known by heart and the sentence is followed."""
    return bool(answers.own.mean() >= OWN and answers.swapped.max() < SWAPPED)


def table(found: dict[str, Answers], names: Sequence[str], device: str) -> str:
    """The figures as a Markdown page."""
    chosen = "".join(f" --network {name}" for name in found) if set(found) != set(SETTINGS) else ""
    lines = [
        "# Eight real pairs learnt by heart",
        "",
        f"`python Testing/benchmarks/overfit_real.py DATA{chosen}` with `covid_ct_20cases` as DATA, on the "
        f"{'CPU' if device == 'cpu' else device}, MiniLM's text, seed 0.",
        f"Slices: {', '.join(names)}; each with its left and its right sentence, the mask cut at the lungs' midline.",
        "Training stops when the mean Dice is at least 0.96 and the smallest at least 0.95. Asked are the pictures",
        "that were trained on: the figures say that a network can learn and follows the sentence, not how good it is.",
        "",
        "| network | options | side, pixels | rate | steps | Dice, own sentence: mean (smallest) | Dice, other side's: "
        "mean (largest) |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, answers in sorted(found.items()):
        setting = SETTINGS[name]
        options = ", ".join(f"{key} {value}" for key, value in setting.options.items())
        lines.append(
            f"| {name} | {options} | {setting.side} | {setting.rate:g} | {answers.steps} of at most {setting.steps} | "
            f"{answers.own.mean():.3f} ({answers.own.min():.3f}) | "
            f"{answers.swapped.mean():.3f} ({answers.swapped.max():.3f}) |"
        )
    return "\n".join(lines) + "\n"


def main(given: Sequence[str] | None = None) -> int:
    """Train the networks and print the table; 1 when one of them does not learn or does not follow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="a set in LViT layout with lung masks")
    parser.add_argument("--network", action="append", choices=sorted(NETWORKS), help="may be given again; all if not")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", metavar="FILE", help="write the table here, too")
    args = parser.parse_args(given)
    text = create_encoder("minilm").encode(SENTENCES)
    found: dict[str, Answers] = {}
    names: list[str] = []
    for name in args.network or sorted(SETTINGS):
        setting = SETTINGS[name]
        pairs, names = real_pairs(args.data, setting.side)
        found[name] = overfit(name, setting.options, pairs, text, setting.steps, setting.rate, device=args.device)
        print(f"{name}: own {found[name].own.round(3)}, swapped {found[name].swapped.round(3)}", file=sys.stderr)
    page = table(found, names, args.device)
    print(page, end="")
    if args.out:
        write_text(Path(args.out), page)
    return 0 if all(learnt(answers) for answers in found.values()) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(str(error))
