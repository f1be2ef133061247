"""Kill a training with SIGKILL again and again, at random moments, and let it go on each time until it is done.

    python kill_often.py RECIPE FOLDER KILLS SEED

One process imports everything and forks: each child is a whole ``train`` of its own, without the seconds that starting
an interpreter takes. A run that gets through is left in ``FOLDER/<number>`` and the next one begins. Prints one JSON
line: kills, runs and how many kills came before the first step, between steps and while a file was being written.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from LMISCore.training.curves import write_curves
from LMISCore.training.parts import build_encoder
from LMISCore.training.recipe import Recipe, load_recipe
from LMISCore.training.trainer import train

BEFORE_TRAINING = 0.15


def child(recipe: Recipe, folder: Path, talk: int) -> None:
    """Train, telling the parent of the first step."""

    def progress(done: int, total: int, stage: str) -> None:
        if stage.startswith("training"):
            os.write(talk, b".")

    train(recipe, folder, "cpu", progress)


def attempt(recipe: Recipe, folder: Path, rng: random.Random, span: float, kill: bool) -> str:
    """One child: returns "done", or where it was killed."""
    read, write = os.pipe()
    number = os.fork()
    if number == 0:
        code = 1
        try:
            os.close(read)
            child(recipe, folder, write)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    if kill:
        early = rng.random() < BEFORE_TRAINING
        if not early:
            select.select([read], [], [], 120)
        time.sleep(rng.uniform(0, span))
        os.kill(number, signal.SIGKILL)
    status = os.waitpid(number, 0)[1]
    os.close(read)
    if os.WIFSIGNALED(status):
        writing = any(path.name.startswith(".") for path in folder.iterdir()) if folder.is_dir() else False
        return "writing" if writing else "between" if (folder / "resume.pt").is_file() else "before"
    if os.WEXITSTATUS(status) != 0:
        sys.exit("a training ended with an error of its own")
    return "done"


def main(recipe_file: str, root: str, kills: int, seed: int) -> None:
    """Kill until there were ``kills``, then let the last run finish."""
    recipe, rng = load_recipe(recipe_file), random.Random(seed)
    # What would else be imported anew in every child.
    build_encoder(recipe, "cpu").encode(["lung"])
    write_curves(Path(root), [{"step": 1, "loss": 1.0, "val_mean_dice": 0.5}], "warm")
    start = time.perf_counter()
    attempt(recipe, Path(root) / "whole", rng, 0, kill=False)
    span = 0.12 * (time.perf_counter() - start)
    places: dict[str, int] = {}
    runs = 0
    while True:
        place = attempt(recipe, Path(root) / str(runs), rng, span, kill=sum(places.values()) < kills)
        if place != "done":
            places[place] = places.get(place, 0) + 1
            continue
        runs += 1
        if sum(places.values()) >= kills:
            break
    print(json.dumps({"kills": sum(places.values()), "runs": runs, "places": places}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
