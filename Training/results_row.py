"""Train one row of RESULTS.md by its recipe, measure it on Test and write its record.

    python Training/results_row.py ROW --data FOLDER

FOLDER holds covid_ct_20cases, covid_cxr_opacity and monuseg_512. The row's record goes to Training/results/rows/, its
checkpoint to runs/results/ROW, where an interrupted run goes on. Each look at Test adds a line to
Training/results/test_runs.jsonl, a log of its own: these are not the bundled weights.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from LMISCore.errors import LMISError
from Training.results_table import RESULTS, Row, find_row, record_path

RANDOM_ENCODERS = {"random-bert": 6, "random-words": 0}


def run_row(row: Row, data: Path, work: Path, again: bool = False, results: Path = RESULTS) -> dict[str, Any]:
    """Train, evaluate and write the record.

    Args:
        row: what to run.
        data: the folder of data sets.
        work: where checkpoints go.
        again: run it a second time from scratch, beside the first record.
        results: folder of rows, recipes and records.
    """
    from LMISCore.checkpoints.store import load_checkpoint
    from LMISCore.data.manifest import read_pairs
    from LMISCore.evaluation.evaluate import evaluate
    from LMISCore.networks.blocks import count_parameters
    from LMISCore.training.recipe import load_recipe
    from LMISCore.training.run_log import RunLog
    from LMISCore.training.trainer import train
    from Training.results_measure import ceiling, record_of, write_record

    folder = work / (f"{row.id}-again" if again else row.id)
    if again:
        shutil.rmtree(folder, ignore_errors=True)
    overrides, encoder = _with_encoder(row.overrides, work)
    recipe = load_recipe(
        results / "recipes" / f"{row.data}.yaml",
        [f"variant={row.network}", f"data.source={data / row.data}", *overrides],
    )
    trained = train(recipe, folder)
    checkpoint = load_checkpoint(trained.checkpoint)
    result = evaluate(
        checkpoint,
        data / row.data,
        "Test",
        encoder=encoder,
        robustness=False,
        surface=None,
        log=results / "test_runs.jsonl",
    )
    height, width = recipe.image.size
    highest = ceiling(read_pairs(data / row.data, "Test"), (height, width))
    log = RunLog(folder).lines()
    record = record_of(row, checkpoint.card, count_parameters(checkpoint.network), log, result, highest)
    write_record(record_path(row.id, again, results), record)
    return record


def _with_encoder(overrides: tuple[str, ...], work: Path) -> tuple[list[str], Path | None]:
    """The overrides, and the folder of their text encoder where they name one that is no encoder's own name.

    A random encoder's name is turned into its folder, which is made where it is not there yet.
    """
    from Training.results_encoder import random_encoder

    found: Path | None = None
    changed = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key == "text.encoder":
            if value in RANDOM_ENCODERS:
                value = str(random_encoder(work / value, RANDOM_ENCODERS[value]))
            found = Path(value) if Path(value).is_dir() else None
            override = f"{key}={value}"
        changed.append(override)
    return changed, found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("row", metavar="ROW", help="an id of Training/results/rows.yaml")
    parser.add_argument("--data", metavar="FOLDER", type=Path, required=True, help="holds the three data sets")
    parser.add_argument("--work", metavar="FOLDER", type=Path, default=Path("runs/results"), help="for the checkpoints")
    parser.add_argument("--again", action="store_true", help="run it a second time from scratch, to compare")
    options = parser.parse_args(arguments)
    try:
        record = run_row(find_row(options.row), options.data, options.work, options.again)
    except LMISError as error:
        print(f"{options.row}: {error}", file=sys.stderr)
        return 2
    dice, low, high = record["test"]["conditions"]["right sentence"]["mean_dice"]
    print(f"{options.row}: mean Dice on Test {dice:.3f} [{low:.3f}, {high:.3f}], n {record['test']['n']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
