"""What is kept of a row: its settings, a short training log, and its figures on Test, a few kilobytes of JSON.

Per picture stand the pixel counts of the right and of the side-swapped sentence and where the answers to one-lung
sentences lay, so that the page can pair rows picture by picture and resample them.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

import LMISCore
from LMISCore.checkpoints.card import Card
from LMISCore.data.pair import Pair
from LMISCore.data.slices import read_slice
from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.rows import lung_answers
from LMISCore.metrics.overlap import count, summarise
from LMISCore.volumes.framing import Frame
from Training.results_table import Row

DIGITS = 5
KEPT = (asked.RIGHT, asked.SWAPPED)


def ceiling(pairs: Sequence[Pair], size: tuple[int, int]) -> float:
    """Mean Dice of the true masks themselves, shrunk to the network's picture ``size`` and enlarged again.

    No answer that is right on every pixel of the network's picture is better than this.
    """
    found = []
    for pair in pairs:
        item = read_slice(pair)
        frame = Frame((item.truth.shape[0], item.truth.shape[1]), size, item.spacing)
        answer = frame.restore(frame.pad(frame.resize_mask(item.truth)).astype(np.float32)) >= 0.5
        found.append(count(answer, item.truth))
    return summarise(found).mean_dice


def record_of(
    row: Row,
    card: Card,
    parameters: int,
    log: Sequence[Mapping[str, Any]],
    result: Mapping[str, Any],
    highest: float,
) -> dict[str, Any]:
    """One row's record.

    Args:
        row: what was run.
        card: of the trained checkpoint.
        parameters: trainable ones.
        log: lines of the training log.
        result: of ``evaluate`` on Test.
        highest: of :func:`ceiling`.
    """
    recipe, run = card.recipe, card.run
    return {
        "row": row.id,
        "data": row.data,
        "network": row.network,
        "overrides": list(row.overrides),
        "budget": {
            "size": list(recipe["image"]["size"]),
            "network_options": recipe["network"]["options"],
            "parameters": parameters,
            "steps": recipe["training"]["steps"],
            "batch": recipe["training"]["batch"],
            "sentences": 1 if recipe["text"]["ignore"] else recipe["pairs"]["sentences"],
            "learning_rate": recipe["training"]["learning_rate"],
            "seed": recipe["training"]["seed"],
            "encoder": card.text_encoder["name"],
            "pairs": card.data["pairs"],
        },
        "training": {
            "best_step": run["best_step"],
            "val_mean_dice": _round(run["val_mean_dice_before_rounding"]),
            "seconds": run["training_seconds"],
            "log": [[line["step"], _round(line["loss"]), _round(line["val_mean_dice"])] for line in log],
        },
        "test": {**_test(result), "ceiling": _round(highest)},
        "environment": {
            "lmiscore": LMISCore.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "device": run["device"],
            "precision": run["precision"],
            "threads": torch.get_num_threads(),
        },
        "date": result["date"],
    }


def _test(result: Mapping[str, Any]) -> dict[str, Any]:
    slices = result["slices"]
    return {
        "hash": result["data"]["hash"],
        "checkpoint_hash": result["checkpoint"]["hash"],
        "n": result["data"]["n"],
        "mask_threshold": _round(result["settings"]["mask_threshold"]),
        "conditions": {
            name: {
                "n": found["n"],
                **{key: _interval(found[key]) for key in ("mean_dice", "mean_iou", "pooled_dice", "pooled_iou")},
            }
            for name, found in result["conditions"].items()
        },
        "differences": {
            name: {"n": found["n"], "mean_dice": _interval(found["mean_dice"])}
            for name, found in result["differences"].items()
        },
        "obedience": _obedience(result["obedience"]),
        "obedience_reason": result["obedience_reason"],
        # Runs of neighbouring slices: [patient, case, number].
        "scans": [[*scan, len(list(run))] for scan, run in groupby((line["patient"], line["case"]) for line in slices)],
        "counts": {
            name: [line["counts"].get(name) for line in slices] for name in KEPT if name in result["conditions"]
        },
        "lungs": _lungs(slices),
    }


def _obedience(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    auroc = found["presence_auroc"]
    return {
        "lungs": found["lungs"]["asked"],
        "affected": auroc["n_affected"],
        "unaffected": auroc["n_unaffected"],
        "on_named_side": _interval(found["foreground_on_named_side"]["all_lungs"]),
        "side_cut_dice": _interval(found["side_cut_dice"]["pooled"]),
        "without_answer": _interval(found["affected_lungs_without_answer"]["share"]),
        "presence_auroc": _interval(auroc),
    }


def _lungs(slices: Sequence[Mapping[str, Any]]) -> list[list[int]] | None:
    """By slice, pixels marked on the named side and all pixels marked, summed over the lungs asked for."""
    answers = lung_answers(slices)
    if not answers:
        return None
    sums = [[0, 0] for _ in slices]
    for answer in answers:
        sums[answer.row][0] += answer.inside
        sums[answer.row][1] += answer.inside + answer.outside
    return sums


def _interval(found: Mapping[str, Any]) -> list[float | None]:
    return [None if found[key] is None else _round(found[key]) for key in ("estimate", "low", "high")]


def _round(value: float) -> float:
    return round(float(value), DIGITS)


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON with one line for each key of the first two levels."""
    from LMISCore.atomic import write_text

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    parts = []
    for key, value in record.items():
        if isinstance(value, dict) and value:
            inner = ",\n".join(f"    {line(name)}: {line(item)}" for name, item in value.items())
            parts.append(f"  {line(key)}: {{\n{inner}\n  }}")
        else:
            parts.append(f"  {line(key)}: {line(value)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "{\n" + ",\n".join(parts) + "\n}\n")
