"""Put an evaluation's figures into the card of the checkpoint they were measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from LMISCore.checkpoints.store import read_card, update_card
from LMISCore.errors import InputError
from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.quality import NATIVE, NETWORK

_SCORES = {
    "mean_dice": "mean Dice",
    "mean_iou": "mean IoU",
    "pooled_dice": "pooled Dice",
    "pooled_iou": "pooled IoU",
    "mean_precision": "mean precision",
    "mean_recall": "mean recall",
}


def store_figures(checkpoint: str | Path, result: dict[str, Any]) -> None:
    """Replace the card's figures of this data set and split; its weights and their hash stay as they are.

    The card also gets the number of runs on the Test split that came before the one measured.

    Args:
        checkpoint: folder or ``.safetensors`` file.
        result: of ``evaluate`` on exactly these weights.

    Raises:
        InputError: if the result was measured on other weights, or on some cases of the split only.
    """
    card = read_card(checkpoint)
    measured = result["checkpoint"]["hash"]
    if card.weights_hash != measured:
        raise InputError(
            f"The figures were measured on weights with sha256 {measured[:12]}, but {checkpoint} has "
            f"{card.weights_hash[:12]}; evaluate this checkpoint itself."
        )
    if result["data"]["cases_pattern"] != ["*"]:
        raise InputError("A card takes figures of a whole split only; run the evaluation again without --cases.")
    data, split = result["data"]["name"], result["data"]["split"]
    kept = [m for m in card.metrics if (m.get("data"), m.get("split")) != (data, split)]
    looks = result["earlier_test_runs"] if split == "Test" else card.test_runs_before
    update_card(checkpoint, replace(card, metrics=card_metrics(result) + kept, test_runs_before=looks))


def card_metrics(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures that a card keeps, each with its n, interval, data, split and policy."""
    data = result["data"]
    common = {"data": data["name"], "split": data["split"], "patients": len(data["patients"])}
    metrics: list[dict[str, Any]] = []

    def add(name: str, figure: dict[str, Any], n: int, **more: Any) -> None:
        interval = [figure["low"], figure["high"]]
        metrics.append({"name": name, "value": figure["estimate"], "n": n, "interval": interval, **common, **more})

    for condition, figures in result["conditions"].items():
        for key, name in _SCORES.items():
            if condition != RIGHT and key != "mean_dice":
                continue
            n = figures["images_in_mean"] if key.startswith("mean") else figures["n"]
            n -= figures["unmarked"] if key == "mean_precision" else 0
            policy = f"{figures['empty_truths']} empty truths left out of the mean"
            add(name if condition == RIGHT else f"{name}, {condition}", figures[key], n, policy=policy)
    volumes, surface = result["volumes"], result["resolutions"][NATIVE]["surface"]
    if volumes is not None:
        add("mean Dice over scans", volumes["mean_dice"], volumes["n"])
    if surface is not None:
        unit, tolerance = surface["unit"], result["settings"]["surface_tolerance"]
        add(f"mean HD95, {unit}", surface["hd95"], surface["hd95_images"],
            policy=f"{surface['one_mask_empty']} slice(s) with one mask empty left out")  # fmt: skip
        add(f"mean surface Dice at {tolerance:g} {unit}", surface["surface_dice"], surface["surface_dice_images"])
    calibration = result["calibration"]
    pixels = calibration["pixels"][NATIVE]
    add(f"expected calibration error, pixels {pixels['region']}", pixels["error"], pixels["n"])
    if calibration["before"] is not None:
        before, after = calibration["before"], calibration["pixels"][NETWORK]
        where = f"pixels {before['region']}, at the network's resolution"
        add(f"expected calibration error, {where}", after["error"], after["n"])
        add(f"expected calibration error before calibration, {where}", before["error"], before["n"])
    if calibration["presence"] is not None:
        presence = calibration["presence"]
        add("expected calibration error, presence score", presence["error"], presence["n"])
    for condition, figures in result["differences"].items():
        add(f"mean Dice, {condition} minus {RIGHT}", figures["mean_dice"], figures["images_in_mean"])
    obedience = result["obedience"]
    if obedience is not None:
        side, cut, silent = (
            obedience[key] for key in ("foreground_on_named_side", "side_cut_dice", "affected_lungs_without_answer")
        )
        add("foreground on the named side", side["all_lungs"], side["n"])
        add("side-cut Dice over whole-slice Dice", cut["share_of_whole_slice"], cut["n"])
        add("affected lungs without answer", silent["share"], silent["n"])
        presence = obedience["presence_auroc"]
        add(
            "presence AUROC, affected against unaffected lungs",
            presence,
            presence["n_affected"] + presence["n_unaffected"],
            affected=presence["n_affected"],
            unaffected=presence["n_unaffected"],
        )
    for change, figures in result["robustness"].items():
        add(f"mean Dice, {change}, minus unchanged", figures["difference"]["mean_dice"],
            figures["difference"]["images_in_mean"])  # fmt: skip
    return metrics
