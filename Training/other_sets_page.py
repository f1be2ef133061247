"""The page of ``other_sets.py``: a small table and a plot of each set, from the figures that were kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import write_text
from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.markdown import interval, table

if TYPE_CHECKING:
    from LMISCore.training.trainer import TrainingResult

FOLDER = Path(__file__).parent / "sets"
PAGE = Path(__file__).parent / "RESULTS_other_sets.md"
TITLES = {"chest_xray": "Chest X-rays", "brain_flair": "Brain volumes", "chest_ct_volume": "A chest CT volume"}
UNITS = {
    "chest_xray": "pictures, each taken for a patient, as their names tell none",
    "brain_flair": "slices of {patients} patient(s)",
    "chest_ct_volume": "slices of {patients} patient, who is also in the Test split of the bundled weights' set; "
    "the size of a voxel is nominal",
}
NOTES = {
    "brain_flair": "The training patient has 49,769 voxels of lesion, the other 1,300: a few minutes on the one do not "
    "find the other's, and one sentence a patient does not steer. These figures show the way, not what can be reached.",
}
SCORES = {
    "mean_dice": "mean Dice over pictures",
    "mean_iou": "mean IoU over pictures",
    "pooled_dice": "pooled Dice",
    "mean_precision": "mean precision",
    "mean_recall": "mean recall",
}


def figures_of(result: dict[str, Any], trained: TrainingResult | None) -> dict[str, Any]:
    """What the page shows of an evaluation, as plain JSON values; ``trained`` is None for the bundled weights."""
    right, data = result["conditions"][RIGHT], result["data"]
    n = right["images_in_mean"]
    rows = [[name, interval(right[key]), n] for key, name in SCORES.items()]
    volumes, surface = result["volumes"], result["resolutions"]["native"]["surface"]
    if volumes is not None and len(volumes["per_volume"]) < data["n"]:
        for name, figures in volumes["per_volume"].items():
            rows.append([f"Dice of the volume {name}", f"{figures['pooled_dice']:.3f}", figures["n"]])
    if surface is not None:
        unit, tolerance = surface["unit"], result["settings"]["surface_tolerance"]
        rows.append([f"mean HD95, {unit}", interval(surface["hd95"]), surface["hd95_images"]])
        rows.append([f"mean surface Dice at {tolerance:g} {unit}", interval(surface["surface_dice"]),
                     surface["surface_dice_images"]])  # fmt: skip
    pixels = result["calibration"]["pixels"]["native"]
    rows.append([f"expected calibration error, {pixels['region']}", interval(pixels["error"]), pixels["n"]])
    for name, figures in result["differences"].items():
        if not figures["images_in_mean"]:
            continue
        rows.append([f"mean Dice, {name} minus right", interval(figures["mean_dice"]), figures["images_in_mean"]])
    if result["obedience"] is not None:
        side, presence = (result["obedience"][key] for key in ("foreground_on_named_side", "presence_auroc"))
        rows.append(["foreground on the named side", interval(side["all_lungs"]), side["n"]])
        both = f"{presence['n_affected']} / {presence['n_unaffected']}"
        rows.append(["presence AUROC, affected / unaffected lungs", interval(presence), both])
    return {
        "checkpoint": result["checkpoint"],
        "data": {key: data[key] for key in ("name", "split", "hash", "n")} | {"patients": len(data["patients"])},
        "empty_truths": right["empty_truths"],
        "steps": None if trained is None else trained.steps,
        "best_step": None if trained is None else trained.best_step,
        "earlier_test_runs": result["earlier_test_runs"],
        "date": result["date"],
        "rows": rows,
    }


def write_page(names: list[str]) -> None:
    """Write the page of all sets that have figures."""
    parts = [
        "# Other sets",
        "The way from a set's files to figures with intervals, by one command each, with short trainings; nothing was "
        "chosen on the pictures measured. The sentences are derived from the masks by rule, so these figures stand "
        "beside no published number. `python Training/other_sets.py SET --data FOLDER` trains by "
        "`Training/sets/SET.yaml` where there is one, or takes the bundled weights, measures and writes this page.",
    ]
    for name in names:
        found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        data, checkpoint = found["data"], found["checkpoint"]
        measured = f"{data['n']} {UNITS[name].format(patients=data['patients'])}"
        trained = f"weights of step {found['best_step']} of {found['steps']}"
        text = (
            f"{measured}, split {data['split']}, sha256 `{data['hash'][:16]}`; "
            f"{found['empty_truths']} with an empty truth, left out of means. {checkpoint['network']}, "
            f"{'bundled weights' if found['steps'] is None else trained}, sha256 `{checkpoint['hash'][:16]}`, "
            f"{found['date'][:10]}."
        )
        text = f"{text} {NOTES[name]}" if name in NOTES else text
        rows = [tuple(row) for row in found["rows"]]
        parts += [f"## {TITLES[name]}", text, table(("", "value [95 % interval]", "n"), rows),
                  f"![Dice under other sentences](sets/{name}.png)"]  # fmt: skip
    write_text(PAGE, "\n\n".join(parts) + "\n")
