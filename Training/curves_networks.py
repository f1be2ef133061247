"""Draw the curves of RESULTS_networks.md from the logs beside it: segmentation loss and mean Dice on Val.

python Training/curves_networks.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.evaluation.plots import BLUE, GREEN, GREY, ORANGE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "curves_networks.png"
TICKS = (150, 300, 600, 1500, 3000)
LOGS = {
    "tirnet-chest-ct": ("TIRNet", BLUE),
    "image-only": ("image-only TIRNet", GREY),
    "reclmis-chest-ct": ("RecLMIS", ORANGE),
    "tmca-chest-ct": ("TMCA (our reading)", GREEN),
}


def read_log(name: str) -> list[dict[str, Any]]:
    """The lines of one run's committed log."""
    return [json.loads(line) for line in (HERE / f"log_{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def draw() -> Figure:
    """Both panels over the steps, on a logarithmic axis because the runs have different lengths."""
    figure = new_figure(9, 3.6)
    loss, dice = figure.subplots(1, 2)
    for name, (title, colour) in LOGS.items():
        lines = read_log(name)
        steps = [line["step"] for line in lines]
        loss.plot(steps, [line["segmentation"] for line in lines], ".-", color=colour, label=title)
        dice.plot(steps, [line["val_mean_dice"] for line in lines], ".-", color=colour, label=title)
        best = max(lines, key=lambda line: float(line["val_mean_dice"]))
        dice.plot(best["step"], best["val_mean_dice"], "o", color=colour, markersize=8, fillstyle="none")
    loss.set_title("Segmentation loss of the validated step (one batch)", fontsize=9)
    dice.set_title("Mean Dice on Val, one scan; circle: the checkpoint kept", fontsize=9)
    for panel in (loss, dice):
        panel.set_xscale("log")
        panel.set_xticks(TICKS, [str(step) for step in TICKS])
        panel.minorticks_off()
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
    dice.legend(fontsize="small", frameon=False)
    return figure


if __name__ == "__main__":
    save(draw(), PICTURE)
    print(f"{PICTURE.name} written")
