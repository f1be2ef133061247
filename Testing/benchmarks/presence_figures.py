"""How well ways to score a finding's presence tell affected lungs from unaffected ones, on slices of Train and Val.

    python Testing/benchmarks/presence_figures.py DATA [--checkpoint CHECKPOINT] [--held-out-train PATTERN ...]

Each lung in view is asked for with the plainest sentence. The rows are read from Val and from those cases of Train that
the weights were not trained on; Test is not opened. Printed is the AUROC of each way with its 95 % interval from blocks
of neighbouring slices, and the difference to the first way.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.data.context import neighbours
from LMISCore.data.lungs import SMALLEST_PIECE, Side
from LMISCore.data.manifest import Pair, read_pairs
from LMISCore.data.slices import case_geometries, case_normalisers, read_slice
from LMISCore.evaluation.asking import Asker
from LMISCore.evaluation.markdown import interval, table
from LMISCore.evaluation.obedience import lungs_in_view
from LMISCore.evaluation.pictures import Pictures
from LMISCore.inference.presence import TOP_SHARE, with_neighbours
from LMISCore.metrics.auroc import auroc, weighted_aurocs
from LMISCore.metrics.bootstrap import block_weights, neighbour_blocks, percentile_interval
from LMISCore.training.pairs import side_cut, side_sentence

SHARES = (1e-9, 0.0002, TOP_SHARE, 0.002, 0.004, 0.016)
FIRST = f"brightest {TOP_SHARE:.2%}, the slice alone"
Scores = dict[tuple[int, Side], float]


@dataclass
class Asked:
    """Scores of every way by slice and lung, and the lesion's pixels there."""

    scores: dict[str, Scores] = field(default_factory=dict)
    lesion: dict[tuple[int, Side], int] = field(default_factory=dict)

    def add(self, way: str, place: tuple[int, Side], score: float) -> None:
        self.scores.setdefault(way, {})[place] = score


def brightest(probability: Tensor, share: float) -> float:
    """Mean of the highest values of ``(h, w)``, at least one."""
    pixels = probability.flatten()
    return float(pixels.topk(max(1, round(share * pixels.numel()))).values.mean())


def ask_all(asker: Asker, pairs: list[Pair], progress: Callable[[int], None]) -> Asked:
    """Ask for both lungs of each slice, and once more with the picture mirrored and the sides exchanged."""
    found = Asked()
    pictures = Pictures(asker, pairs, case_normalisers(pairs, asker.card.image["convention"]))
    geometries = case_geometries(pairs)
    finding = next(iter(asker.card.vocabulary["findings"]))
    for row, pair in enumerate(pairs):
        item, geometry = read_slice(pair), geometries[pair.case]
        if geometry is None or item.lungs is None:
            continue
        picture = pictures.picture(row, item.volume).picture(0)
        features = asker.engine.features(np.stack([picture, picture[:, :, ::-1]]))
        sides = lungs_in_view(item.lungs, geometry)
        plain = asker.ask(features, [(0, side_sentence(finding, side)) for side in sides])
        other = {"left": "right", "right": "left"}
        turned = asker.ask(features, [(1, side_sentence(finding, other[side])) for side in sides])
        for side, probability, mirror in zip(sides, plain, turned, strict=True):
            place = (row, side)
            found.lesion[place] = int(np.count_nonzero(side_cut(item.truth, geometry, side)))
            for share in SHARES:
                name = "brightest pixel" if share < 1e-6 else f"brightest {share:.2%}"
                found.add(f"{name}, the slice alone", place, brightest(probability, share))
            found.add("soft area, the slice alone", place, float(probability.sum()))
            both = brightest((probability + mirror.flip(-1)) / 2, TOP_SHARE)
            found.add(f"brightest {TOP_SHARE:.2%}, averaged with the mirrored picture's", place, both)
        progress(row + 1)
    return found


def near(scores: Scores, beside: list[tuple[int, int]]) -> Scores:
    """Each score taken with its neighbours', as inference takes it."""
    return {
        (row, side): with_neighbours(own, (scores.get((other, side)) for other in beside[row] if other != row))
        for (row, side), own in scores.items()
    }


def figures(found: Asked, pairs: list[Pair], chosen: Iterable[int], draws: int = 2000) -> list[tuple[str, str, str]]:
    """Name, AUROC and difference to the first way, over some slices."""
    rows = set(chosen)
    places = [p for p, n in found.lesion.items() if p[0] in rows and (n == 0 or n >= SMALLEST_PIECE)]
    affected = [found.lesion[place] > 0 for place in places]
    blocks = neighbour_blocks([(pair.patient, pair.case) for pair in pairs])
    slices = np.array([row for row, _ in places])
    weights = block_weights(blocks, draws, np.random.default_rng(3407))[:, slices]

    def both(way: str) -> tuple[float, np.ndarray]:
        values = [found.scores[way][place] for place in places]
        return auroc(values, affected), weighted_aurocs(values, affected, weights)

    estimate, drawn = both(FIRST)
    lines = []
    for way in found.scores:
        value, these = both(way)
        difference = percentile_interval(value - estimate, these - drawn)
        lines.append((way, interval(percentile_interval(value, these).as_dict()), interval(difference.as_dict())))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--checkpoint", metavar="CHECKPOINT", help="default: the bundled weights")
    parser.add_argument("--held-out-train", metavar="PATTERN", nargs="*", default=["radiopaedia_*"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    pairs = read_pairs(options.data, "Val")
    count = len(pairs)
    if options.held_out_train:
        pairs += read_pairs(options.data, "Train", options.held_out_train)
    asker = Asker(load_checkpoint(options.checkpoint), "cpu")
    found = ask_all(asker, pairs, lambda row: print(f"\r{row} of {len(pairs)}", end="", file=sys.stderr))
    beside = neighbours(pairs)
    once = near(found.scores[FIRST], beside)
    found.scores[f"brightest {TOP_SHARE:.2%}, with both neighbours"] = once
    found.scores[f"brightest {TOP_SHARE:.2%}, neighbours of neighbours too"] = near(once, beside)
    sections = {"Val": range(count), **({"Val and held-out Train": range(len(pairs))} if len(pairs) > count else {})}
    for title, rows in sections.items():
        judged = [n for (row, _), n in found.lesion.items() if row in rows and (n == 0 or n >= SMALLEST_PIECE)]
        patients = len({pairs[row].patient for row in rows})
        affected, unaffected = sum(n > 0 for n in judged), judged.count(0)
        print(f"\n{title}: {patients} patients, {affected} affected and {unaffected} unaffected lungs\n")
        print(table(("score", "AUROC", "minus the first"), figures(found, pairs, rows)))


if __name__ == "__main__":
    main()
