"""The page's section "Does it listen?": other sentences than the right one, and obedience by place."""

from __future__ import annotations

from typing import Any

from LMISCore.evaluation.markdown import interval, number, table


def listening(result: dict[str, Any]) -> str:
    """What changes with the sentence, in Markdown."""
    parts = [_sentences(result)] if result["differences"] else []
    return "\n\n".join([*parts, "### Obedience by lung", _obedience(result)])


def _sentences(result: dict[str, Any]) -> str:
    """Every other way of asking beside the right sentence on the same slices."""
    header = (
        "asked with",
        "n",
        "mean Dice",
        "right sentence's there",
        "difference",
        "pooled Dice, difference",
        "pixels marked, to the right sentence's",
        "nothing marked",
        "mean presence score",
    )
    rows = []
    for name, figures in result["conditions"].items():
        difference = result["differences"].get(name)
        rows.append(
            (
                name,
                figures["n"],
                interval(figures["mean_dice"]),
                *(
                    (
                        number(difference["reference_mean_dice"]),
                        interval(difference["mean_dice"]),
                        interval(difference["pooled_dice"]),
                        interval(difference["foreground_ratio"]),
                    )
                    if difference is not None
                    else ("", "", "", "")
                ),
                interval(figures["unmarked_share"]),
                "" if figures["presence"] is None else interval(figures["presence"]),
            )
        )
    text = (
        "Every answer is compared with the slice's own mask: a network that reads its sentence does worse with another "
        "one, and marks nothing for a negated or unknown one."
    )
    return f"{text}\n\n{table(header, rows)}"


def _places(figures: dict[str, Any]) -> str:
    header = (
        "place named",
        "asked",
        "affected / un-",
        "foreground in that place",
        "right sentence's there",
        "Dice against the cut mask",
        "affected without answer",
        "presence AUROC",
    )
    rows = [
        (
            name,
            f["asked"],
            f"{f['affected']} / {f['unaffected']}",
            *(
                interval(f[key])
                for key in (
                    "foreground_in_place",
                    "right_sentence_in_place",
                    "cut_dice",
                    "affected_without_answer",
                    "presence_auroc",
                )
            ),
        )
        for name, f in figures["places"].items()
    ]
    text = "A lung's place is its half of the picture, a third's the third of the scan's lungs from front to back."
    if figures["zone_sentence"] is None:
        return table(header, rows)
    if figures["zones"][0] == "upper":
        text = text.replace("from front to back", "from the picture's top down")
    return f'{text} Thirds are asked for as in "{figures["zone_sentence"]}"\n\n{table(header, rows)}'


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
        f"{lungs['left_out']} between and left out ({lungs['rule']}). Pooled over pixels. "
        "A presence score is the slice's own; in a volume it is taken with its neighbours'."
    )
    judged = f"{lungs['affected']} / {lungs['unaffected']}"
    rows = [
        ("foreground on the named lung's side, all lungs asked", interval(side["all_lungs"]), side["n"]),
        ("foreground on the named lung's side, affected lungs", interval(side["affected_lungs"]), lungs["affected"]),
        ("Dice against the side-cut mask, affected lungs", interval(cut["pooled"]), cut["n"]),
        ("whole-slice Dice of the same slices", interval(cut["whole_slice_pooled"]), cut["slices"]),
        ("the former over the latter", interval(cut["share_of_whole_slice"]), cut["n"]),
        ("affected lungs without any answer", interval(silent["share"]), silent["n"]),
        ("presence AUROC, affected against unaffected", interval(presence), judged),
        (f"sensitivity at the card's threshold {at['threshold']:.3f}", number(at["sensitivity"]), lungs["affected"]),
        ("specificity there", number(at["specificity"]), lungs["unaffected"]),
    ]
    parts = [text, table(("", "", "n"), rows)]
    parts += ["### By side and third of a lung", _places(figures)]
    if len(figures["per_patient"]) <= 20:
        by_patient = [
            (
                patient,
                f["asked"],
                number(f["foreground_on_named_side"]),
                number(f["side_cut_pooled_dice"]),
                f"{f['without_answer']} of {f['affected']}",
                number(presence["per_patient"][patient]["auroc"]),
                " / ".join(str(presence["per_patient"][patient][key]) for key in ("n_affected", "n_unaffected")),
            )
            for patient, f in figures["per_patient"].items()
        ]
        header = ("patient", "lungs", "on the named side", "side-cut Dice", "without answer", "AUROC", "affected / un-")
        parts += ["### Lungs by patient", table(header, by_patient)]
    return "\n\n".join(parts)
