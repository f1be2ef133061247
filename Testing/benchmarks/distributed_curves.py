"""Does training in two processes follow the curve of one? Loss step by step of a shipped recipe on real data.

    python Testing/benchmarks/distributed_curves.py DATA [--recipe NAME] [--steps N] [--out TABLE.md] [KEY=VALUE ...]

DATA is a set in LViT layout, such as covid_ct_20cases. Each recipe runs as it is (network, size, batch, AdamW, dropout,
hidden tokens) in float32 on the CPU for the first N steps of its own schedule: with one process, with two (torchrun,
gloo), and with one process and two other seeds. The distance of two curves is the mean over the steps of the absolute
difference of their losses. Two processes follow the curve of one when they are nearer to it than both other seeds are;
else the exit status is 1. Each picture is prepared once (``image.variants=1``), to save the time of its variants.
Losses have three decimals, as ``lmis train`` says them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __package__ in (None, ""):
    sys.path.insert(0, str(ROOT))

RECIPES = ("tirnet-chest-ct", "reclmis-chest-ct", "tmca-chest-ct")
SEEDS = (1, 2, 3)


def losses(recipe: str, overrides: list[str], steps: int, out: Path) -> None:
    """Train the first ``steps`` steps in this process, or in this one of several, and write their losses."""
    from LMISCore.errors import Cancelled
    from LMISCore.training.distributed import SaidElsewhere
    from LMISCore.training.recipe import load_recipe
    from LMISCore.training.trainer import train

    found: list[float] = []

    def progress(done: int, total: int, stage: str) -> bool:
        if stage.startswith("training"):
            found.append(float(stage.rsplit(" ", 1)[1]))
        return len(found) < steps

    with contextlib.suppress(Cancelled, SaidElsewhere):
        train(load_recipe(recipe, overrides), out / "run", "cpu", progress, resume=False)
    if os.environ.get("RANK", "0") == "0":
        (out / "losses.json").write_text(json.dumps(found), encoding="utf-8")


def curve(recipe: str, overrides: list[str], steps: int, seed: int, processes: int) -> tuple[list[float], float]:
    """Losses of a run in processes of its own, and its seconds."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *(launcher if processes > 1 else []), str(Path(__file__).resolve()), "--one", folder]
        command += ["--recipe", recipe, "--steps", str(steps), *overrides, f"training.seed={seed}"]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
        if done.returncode:
            raise SystemExit(f"{recipe}, {processes} process(es), ended with {done.returncode}:\n{done.stderr[-2000:]}")
        found: list[float] = json.loads((Path(folder) / "losses.json").read_text(encoding="utf-8"))
    return found, time.perf_counter() - started


def distance(first: list[float], second: list[float]) -> float:
    """Mean absolute difference of two curves."""
    return sum(abs(a - b) for a, b in zip(first, second, strict=True)) / len(first)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recipe", action="append", choices=RECIPES)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--out", type=Path, help="Markdown table")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("given", nargs="*", metavar="DATA KEY=VALUE", help="the data set, then changes to the recipes")
    options = parser.parse_args(arguments)
    if options.one:
        losses(options.recipe[0], options.given, options.steps, options.one)
        return 0
    if not options.given:
        parser.error("the data set is missing: distributed_curves.py DATA")
    overrides = [f"data.source={options.given[0]}", "training.precision=fp32", "image.variants=1", *options.given[1:]]
    lines = [
        "| recipe | loss, first to last step | two processes | seed 2 | seed 3 |",
        "| --- | --- | --- | --- | --- |",
    ]
    apart = False
    for recipe in options.recipe or RECIPES:
        own, seconds = curve(recipe, overrides, options.steps, SEEDS[0], 1)
        both, seconds_both = curve(recipe, overrides, options.steps, SEEDS[0], 2)
        two = distance(both, own)
        others = [distance(curve(recipe, overrides, options.steps, seed, 1)[0], own) for seed in SEEDS[1:]]
        apart |= two >= min(others)
        cells = " | ".join(f"{value:.4f}" for value in (two, *others))
        lines.append(f"| {recipe} | {own[0]:.3f} to {own[-1]:.3f} | {cells} |")
        print(f"{recipe}: {seconds:.0f} s with one process, {seconds_both:.0f} s with two", flush=True)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        from LMISCore.atomic import write_text

        write_text(options.out, text)
    return int(apart)


if __name__ == "__main__":
    sys.exit(main())
