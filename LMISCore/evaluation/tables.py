"""An evaluation's result as a page in Markdown."""

from __future__ import annotations

from typing import Any

from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.figures import SCORES
from LMISCore.evaluation.listening import listening
from LMISCore.evaluation.markdown import interval, number, table
from LMISCore.evaluation.quality import NATIVE, NETWORK

_SCORES = {"mean_dice": "mean Dice", "mean_iou": "mean IoU", "pooled_dice": "pooled Dice", "pooled_iou": "pooled IoU"}


def markdown(result: dict[str, Any]) -> str:
    """The whole result, all but the single slices, as Markdown."""
    data, settings = result["data"], result["settings"]
    patients = ", ".join(f"{name} ({count})" for name, count in data["patients"].items())
    if len(data["patients"]) > 20:
        patients = f"{len(data['patients'])} patients"
    facts = [
        ("Checkpoint", f"{result['checkpoint']['name']} ({result['checkpoint']['network']}), "
         f"sha256 `{result['checkpoint']['hash'][:16]}`"),
        ("Data", f"{data['name']}, split {data['split']}, sha256 `{data['hash'][:16]}`"),
        ("Slices", f"{data['n']} of {len(data['patients'])} patient(s)"),
        ("Slices by patient", patients),
        ("Earlier runs on this Test split", str(result["earlier_test_runs"])) if data["split"] == "Test" else None,
        ("Resolution", f"{settings['resolution']}, probability cut at {settings['mask_threshold']:g}"),
        ("Intervals", f"95 %, {settings['draws']} resamples of {settings['blocks']} blocks of up to "
         f"{settings['block_size']} neighbouring slices of a scan; they say nothing of other patients"),
        ("Empty truths", result["policy"]),
        ("Date, version, device", f"{result['date']}, {result['version']}, {settings['device']}"),
    ]  # fmt: skip
    parts = [
        f"# {result['checkpoint']['name']} on {data['name']}, {data['split']}",
        table(("", ""), [fact for fact in facts if fact is not None]),
        "## Overlap",
        _overlap(result),
    ]
    parts += ["## The right sentence at both resolutions", _resolutions(result)]
    parts += ["## Calibration", _calibration(result)]
    parts += ["## By patient", _by_patient(result)]
    if result["volumes"] is not None:
        parts += ["## By scan", _by_volume(result)]
    parts += ["## Does it listen?", listening(result)]
    if result["robustness"]:
        parts += ["## Changes of the input picture", _robustness(result)]
    if result["warnings"]:
        parts += ["## Warnings", "\n".join(f"- {warning}" for warning in result["warnings"])]
    return "\n\n".join(parts) + "\n"


def _overlap(result: dict[str, Any]) -> str:
    header = ("asked with", "n", "in mean", "empty truths", *_SCORES.values())
    rows = [
        (
            name,
            figures["n"],
            figures["images_in_mean"],
            figures["empty_truths"],
            *(interval(figures[key]) for key in _SCORES),
        )
        for name, figures in result["conditions"].items()
    ]
    notes = [f"- {name}: {figures['meaning']}." for name, figures in result["conditions"].items()]
    return table(header, rows) + "\n\n" + "\n".join(notes)


def _resolutions(result: dict[str, Any]) -> str:
    """Precision, recall and outlines, which the table of conditions leaves out, with Dice and IoU beside them."""
    right, network = result["conditions"][RIGHT], result["resolutions"][NETWORK]
    rows: list[tuple[Any, ...]] = [
        (f"{kind} {SCORES[name]}", interval(right[f"{kind}_{name}"]), interval(network[f"{kind}_{name}"]))
        for name in SCORES
        for kind in ("mean", "pooled")
    ]
    outlines = [result["resolutions"][at]["surface"] for at in (NATIVE, NETWORK)]
    notes = [
        f"Mean precision leaves out {right['unmarked']} of the {right['images_in_mean']} slices in the mean: nothing "
        "was marked on them (at native resolution)."
    ]
    if all(outline is not None for outline in outlines):
        unit, tolerance = outlines[0]["unit"], result["settings"]["surface_tolerance"]
        rows += [
            (f"mean HD95, {unit}", *(f"{interval(o['hd95'], 1)} (n {o['hd95_images']})" for o in outlines)),
            (
                f"mean surface Dice at {tolerance:g} {unit}",
                *(f"{interval(o['surface_dice'])} (n {o['surface_dice_images']})" for o in outlines),
            ),
            ("slices with one mask empty (no HD95)", *(o["one_mask_empty"] for o in outlines)),
        ]
        if unit == "pixels":
            notes.append("The pictures state no size of a pixel: distances are in pixels of the native picture.")
    height, width = network["size"]
    return table(("", "native", f"network's, {height}x{width}"), rows) + "\n\n" + "\n".join(notes)


def _calibration(result: dict[str, Any]) -> str:
    found = result["calibration"]
    pixels, presence = found["pixels"], found["presence"]
    rows = [
        (f"pixels, {pixels[at]['region']}, {at} resolution", interval(pixels[at]["error"]), pixels[at]["n"])
        for at in (NATIVE, NETWORK)
    ]
    before = found.get("before")
    if before is not None:
        name = f"pixels, {before['region']}, {NETWORK} resolution, before the card's calibration"
        rows.append((name, interval(before["error"]), before["n"]))
    if presence is not None:
        rows.append(("presence score, affected or unaffected lungs", interval(presence["error"]), presence["n"]))
    note = f"{result['settings']['calibration_bins']} bins of equal width, pooled over slices."
    return table(("", "expected calibration error", "n"), rows) + f"\n\n{note}"


def _by_volume(result: dict[str, Any]) -> str:
    volumes = result["volumes"]
    text = (
        f"Mean Dice over {volumes['n']} scan(s), each scan's slices taken together: {interval(volumes['mean_dice'])}."
    )
    if len(volumes["per_volume"]) > 20:
        return f"{text} Those of each scan are in the JSON file."
    rows = [
        (name, f["n"], *(number(f[f"pooled_{score}"]) for score in SCORES)) for name, f in volumes["per_volume"].items()
    ]
    return text + "\n\n" + table(("scan", "slices", *SCORES.values()), rows)


def _by_patient(result: dict[str, Any]) -> str:
    per_patient = result["conditions"][RIGHT]["per_patient"]
    if len(per_patient) > 20:
        return f"{len(per_patient)} patients: their figures are in the JSON file."
    rows = [
        (patient, f["n"], f["empty_truths"], *(number(f[key]) for key in _SCORES)) for patient, f in per_patient.items()
    ]
    return table(("patient", "n", "empty truths", *_SCORES.values()), rows)


def _robustness(result: dict[str, Any]) -> str:
    rows = [
        (name, f["difference"]["n"], interval(f["mean_dice"]), interval(f["difference"]["mean_dice"]))
        for name, f in result["robustness"].items()
    ]
    return table(("change", "n", "mean Dice", "difference to the unchanged picture"), rows)
