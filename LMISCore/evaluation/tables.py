"""An evaluation's result as a page in Markdown, and as the metrics of a card."""

from __future__ import annotations

from typing import Any

from LMISCore.evaluation.conditions import RIGHT

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
        _table(("", ""), [fact for fact in facts if fact is not None]),
        "## Overlap",
        _overlap(result),
    ]
    if result["differences"]:
        parts += ["## Paired differences to the right sentence", _differences(result)]
    parts += ["## By patient", _by_patient(result)]
    parts += ["## Obedience", _obedience(result)]
    if result["robustness"]:
        parts += ["## Changes of the input picture", _robustness(result)]
    if result["warnings"]:
        parts += ["## Warnings", "\n".join(f"- {warning}" for warning in result["warnings"])]
    return "\n\n".join(parts) + "\n"


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
            policy = f"{figures['empty_truths']} empty truths left out of the mean"
            add(name if condition == RIGHT else f"{name}, {condition}", figures[key], n, policy=policy)
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


def _overlap(result: dict[str, Any]) -> str:
    header = ("asked with", "n", "in mean", "empty truths", *_SCORES.values())
    rows = [
        (
            name,
            figures["n"],
            figures["images_in_mean"],
            figures["empty_truths"],
            *(_ci(figures[key]) for key in _SCORES),
        )
        for name, figures in result["conditions"].items()
    ]
    notes = [f"- {name}: {figures['meaning']}." for name, figures in result["conditions"].items()]
    return _table(header, rows) + "\n\n" + "\n".join(notes)


def _differences(result: dict[str, Any]) -> str:
    header = ("asked with", "n", "right sentence's mean Dice there", "mean Dice, difference", "pooled Dice, difference")
    rows = [
        (name, d["n"], _number(d["reference_mean_dice"]), _ci(d["mean_dice"]), _ci(d["pooled_dice"]))
        for name, d in result["differences"].items()
    ]
    return _table(header, rows)


def _by_patient(result: dict[str, Any]) -> str:
    per_patient = result["conditions"][RIGHT]["per_patient"]
    if len(per_patient) > 20:
        return f"{len(per_patient)} patients: their figures are in the JSON file."
    rows = [
        (patient, f["n"], f["empty_truths"], *(_number(f[key]) for key in _SCORES))
        for patient, f in per_patient.items()
    ]
    return _table(("patient", "n", "empty truths", *_SCORES.values()), rows)


def _obedience(result: dict[str, Any]) -> str:
    figures = result["obedience"]
    if figures is None:
        return f"{result['obedience_reason'][:1].upper()}{result['obedience_reason'][1:]}."
    lungs, presence = figures["lungs"], figures["presence_auroc"]
    side, cut, silent = (
        figures[key] for key in ("foreground_on_named_side", "side_cut_dice", "affected_lungs_without_answer")
    )
    at = presence["at_threshold"]
    sentences = " and ".join(f'"{sentence}"' for sentence in figures["sentences"].values())
    text = (
        f"Each lung in view is asked for with {sentences}; nothing is cropped or weighted by side. "
        f"{lungs['asked']} lungs asked, {lungs['affected']} affected, {lungs['unaffected']} unaffected, "
        f"{lungs['left_out']} between and left out ({lungs['rule']}). Pooled over pixels."
    )
    rows = [
        ("foreground on the named lung's side, all lungs asked", _ci(side["all_lungs"]), side["n"]),
        ("foreground on the named lung's side, affected lungs", _ci(side["affected_lungs"]), lungs["affected"]),
        ("Dice against the side-cut mask, affected lungs", _ci(cut["pooled"]), cut["n"]),
        ("whole-slice Dice of the same slices", _ci(cut["whole_slice_pooled"]), cut["slices"]),
        ("the former over the latter", _ci(cut["share_of_whole_slice"]), cut["n"]),
        ("affected lungs without any answer", _ci(silent["share"]), silent["n"]),
        ("presence AUROC, affected against unaffected", _ci(presence), f"{lungs['affected']} / {lungs['unaffected']}"),
        (f"sensitivity at the card's threshold {at['threshold']:.3f}", _number(at["sensitivity"]), lungs["affected"]),
        ("specificity there", _number(at["specificity"]), lungs["unaffected"]),
    ]
    parts = [text, _table(("", "", "n"), rows)]
    if len(figures["per_patient"]) <= 20:
        by_patient = [
            (
                patient,
                f["asked"],
                _number(f["foreground_on_named_side"]),
                _number(f["side_cut_pooled_dice"]),
                f"{f['without_answer']} of {f['affected']}",
                _number(presence["per_patient"][patient]["auroc"]),
                " / ".join(str(presence["per_patient"][patient][key]) for key in ("n_affected", "n_unaffected")),
            )
            for patient, f in figures["per_patient"].items()
        ]
        header = ("patient", "lungs", "on the named side", "side-cut Dice", "without answer", "AUROC", "affected / un-")
        parts.append(_table(header, by_patient))
    return "\n\n".join(parts)


def _robustness(result: dict[str, Any]) -> str:
    rows = [
        (name, f["difference"]["n"], _ci(f["mean_dice"]), _ci(f["difference"]["mean_dice"]))
        for name, f in result["robustness"].items()
    ]
    return _table(("change", "n", "mean Dice", "difference to the unchanged picture"), rows)


def _ci(figure: dict[str, Any]) -> str:
    if figure["estimate"] is None:
        return "undefined"
    text = _number(figure["estimate"])
    return text if figure["low"] is None else f"{text} [{_number(figure['low'])}, {_number(figure['high'])}]"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in [header, *rows]]
    return "\n".join([lines[0], "|" + " --- |" * len(header), *lines[1:]])
