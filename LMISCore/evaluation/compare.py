"""Two results on the same images, compared image by image: "B minus A" with intervals, and patient by patient.

Both are resampled together, by blocks of neighbouring slices, so that what is hard for both cancels out. A difference
of a mean is taken over the images where both are defined.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import LMISCore
from LMISCore.errors import InputError
from LMISCore.evaluation import conditions as asked
from LMISCore.evaluation.evaluate import SEED
from LMISCore.evaluation.figures import SCORES, in_both, per_image, pooled_parts, volume_dice
from LMISCore.evaluation.obedience import LungAnswer, answer_sums, presence_auroc
from LMISCore.evaluation.places import presence_tables
from LMISCore.evaluation.rows import Row, bins_of, condition_counts, lung_answers, surface_of
from LMISCore.metrics.bootstrap import (
    BLOCK_SIZE,
    DRAWS,
    LEVEL,
    FloatArray,
    IntArray,
    Interval,
    block_weights,
    bootstrap_mean,
    bootstrap_ratio,
    finite,
    neighbour_blocks,
    paired_mean_difference,
    paired_ratio_difference,
    percentile_interval,
)
from LMISCore.metrics.calibration import expected_calibration_error
from LMISCore.metrics.overlap import summarise

# Their sentences hang on the seed: with two seeds two different questions were asked.
DRAWN = (asked.OTHER, asked.SHUFFLED, asked.OUTSIDE)


@dataclass(frozen=True)
class Both:
    """The rows of two results on the same N images.

    Attributes:
        a, b: rows.
        weights: ``(R, N)`` resamples.
    """

    a: Sequence[Row]
    b: Sequence[Row]
    weights: IntArray


def compare(a: Mapping[str, Any], b: Mapping[str, Any], draws: int = DRAWS, seed: int = SEED) -> dict[str, Any]:
    """Compare two results of ``evaluate``.

    Args:
        a, b: results, or what their JSON files hold.
        draws: resamples R for the intervals.
        seed: of the resamples.

    Raises:
        InputError: if they were measured on different images, masks or sentences.
    """
    require_same_images(a, b)
    rows = Both(a["slices"], b["slices"], np.zeros((0, 0), dtype=np.int64))
    blocks = neighbour_blocks([(row["patient"], row["case"]) for row in rows.a])
    weights = block_weights(blocks, draws, np.random.default_rng([seed, 0]))
    both = Both(rows.a, rows.b, weights)
    notes: list[str] = []
    tolerances = {result["settings"].get("surface_tolerance") for result in (a, b)}
    figures = [
        *_overlap(both),
        *_surfaces(both, tolerances, notes),
        *_calibration(both, notes),
        *_obedience(both, notes),
    ]
    figures += _other_sentences(both, a["settings"]["seed"] == b["settings"]["seed"], notes)
    cuts = [result["settings"]["mask_threshold"] for result in (a, b)]
    if cuts[0] != cuts[1]:
        notes.append(f"The probability was cut at {cuts[0]:g} for A and at {cuts[1]:g} for B.")
    return {
        "a": {**a["checkpoint"], "date": a["date"]},
        "b": {**b["checkpoint"], "date": b["date"]},
        "data": a["data"],
        "settings": {
            "block_size": BLOCK_SIZE,
            "blocks": int(blocks.max()) + 1,
            "draws": draws,
            "level": LEVEL,
            "seed": seed,
        },
        "figures": figures,
        "per_patient": _per_patient(both),
        "images": _images(both),
        "notes": notes,
        "version": LMISCore.__version__,
    }


def require_same_images(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    """Refuse results that cannot be paired.

    Raises:
        InputError: in one sentence that says what each was measured on.
    """
    images = [[(row["case"], row["image"]) for row in result["slices"]] for result in (a, b)]
    if a["data"]["hash"] == b["data"]["hash"] and images[0] == images[1]:
        return
    first, second = (
        f"{len(listed)} images of {result['data']['name']}, split {result['data']['split']}"
        for listed, result in zip(images, (a, b), strict=True)
    )
    raise InputError(
        f"A was measured on {first}, and B on {second}, whose pictures, masks or sentences are not the same; evaluate "
        "both on the same data, split and cases."
    )


def _figure(
    name: str, n: int, a: Interval, b: Interval, difference: Interval, better: str = "higher"
) -> dict[str, Any]:
    return {
        "name": name,
        "better": better,
        "n": n,
        "a": finite(a.estimate),
        "b": finite(b.estimate),
        "difference": difference.as_dict(),
    }


def _mean(name: str, a: FloatArray, b: FloatArray, weights: IntArray, better: str = "higher") -> dict[str, Any]:
    """Means over the images where both values ``(N,)`` are finite."""
    defined = np.isfinite(a) & np.isfinite(b)
    a, b = (np.where(defined, values, np.nan) for values in (a, b))
    parts = (bootstrap_mean(a, weights), bootstrap_mean(b, weights), paired_mean_difference(b, a, weights))
    return _figure(name, int(defined.sum()), *parts, better)


Parts = tuple[FloatArray, FloatArray]


def _ratio(name: str, n: int, a: Parts, b: Parts, weights: IntArray, better: str = "higher") -> dict[str, Any]:
    """Ratios of sums, each (above, below the line), ``(N,)``."""
    parts = (bootstrap_ratio(*a, weights), bootstrap_ratio(*b, weights), paired_ratio_difference(b, a, weights))
    return _figure(name, n, *parts, better)


def _drawn(name: str, n: int, a: tuple[float, FloatArray], b: tuple[float, FloatArray], better: str) -> dict[str, Any]:
    """Any statistic, each (estimate, ``(R,)`` draws)."""
    difference = percentile_interval(b[0] - a[0], b[1] - a[1])
    return _figure(name, n, percentile_interval(*a), percentile_interval(*b), difference, better)


def _overlap(both: Both) -> list[dict[str, Any]]:
    a, b = in_both(condition_counts(both.a, asked.RIGHT), condition_counts(both.b, asked.RIGHT))
    found = [_mean(f"mean {SCORES[score]}", per_image(a, score), per_image(b, score), both.weights) for score in SCORES]
    n = sum(counts is not None for counts in a)
    found += [
        _ratio(f"pooled {SCORES[score]}", n, pooled_parts(a, score), pooled_parts(b, score), both.weights)
        for score in SCORES
    ]
    cases = [row["case"] for row in both.a]
    scans = len(set(cases))
    if scans < len(cases):
        volumes = (volume_dice(a, cases, both.weights), volume_dice(b, cases, both.weights))
        found.append(_drawn("mean Dice over scans", scans, *volumes, "higher"))
    return found


def _surfaces(both: Both, tolerances: Collection[float | None], notes: list[str]) -> list[dict[str, Any]]:
    sides = [[surface_of(row) for row in rows] for rows in (both.a, both.b)]
    if any(score is None for side in sides for score in side):
        notes.append("HD95 and surface Dice are left out: one of the results does not have them.")
        return []
    units = {row["surface"][2] for rows in (both.a, both.b) for row in rows}
    if len(units) > 1:
        notes.append("HD95 and surface Dice are left out: some are in mm and some in pixels.")
        return []
    (unit,) = units
    hd95, dice = (
        [np.array([getattr(score, name) for score in side], dtype=np.float64) for side in sides]
        for name in ("hd95", "surface_dice")
    )
    counts = condition_counts(both.a, asked.RIGHT)
    empty = np.array([c is None or c.empty_truth for c in counts])
    dice = [np.where(empty, np.nan, values) for values in dice]
    found = [_mean(f"mean HD95, {unit}", hd95[0], hd95[1], both.weights, "lower")]
    if len(tolerances) == 1:
        return [*found, _mean("mean surface Dice", dice[0], dice[1], both.weights)]
    notes.append("Surface Dice is left out: the two results were measured with different tolerances.")
    return found


def _calibration(both: Both, notes: list[str]) -> list[dict[str, Any]]:
    tables = [[table for row in rows if (table := bins_of(row)) is not None] for rows in (both.a, both.b)]
    if any(len(side) < len(both.a) for side in tables):
        notes.append("The calibration of the pixels is left out: one of the results does not have it.")
        return []
    regions = [[row["region"] for row in rows] for rows in (both.a, both.b)]
    region = "inside the lungs" if "inside the lungs" in regions[0] else "whole picture"
    stacked = [
        np.stack([table if place == region else np.zeros_like(table) for table, place in zip(side, where, strict=True)])
        for side, where in zip(tables, regions, strict=True)
    ]
    n = int(stacked[0][:, 0].sum())
    return [_errors(f"expected calibration error, pixels {region}", n, stacked, both.weights)]


def _errors(name: str, n: int, tables: Sequence[FloatArray], weights: IntArray) -> dict[str, Any]:
    found = []
    for table in tables:
        drawn = (weights.astype(np.float64) @ table.reshape(len(table), -1)).reshape(-1, *table.shape[1:])
        found.append((float(expected_calibration_error(table.sum(0))), expected_calibration_error(drawn)))
    return _drawn(name, n, found[0], found[1], "lower")


def _obedience(both: Both, notes: list[str]) -> list[dict[str, Any]]:
    answers = [lung_answers(rows) for rows in (both.a, both.b)]
    if not all(answers):
        notes.append("Obedience is left out: one of the results holds no single lungs.")
        return []
    if [(x.row, x.side, x.lesion) for x in answers[0]] != [(x.row, x.side, x.lesion) for x in answers[1]]:
        notes.append("Obedience is left out: the two were not asked about the same lungs.")
        return []
    rows, weights = len(both.a), both.weights
    affected = [[x for x in side if x.affected is True] for side in answers]
    judged = [[x for x in side if x.affected is not None] for side in answers]

    def ratio(name: str, asked_of: list[list[LungAnswer]], above: str, below: str, better: str) -> dict[str, Any]:
        a, b = (answer_sums(side, rows) for side in asked_of)
        return _ratio(name, len(asked_of[0]), (a[above], a[below]), (b[above], b[below]), weights, better)

    return [
        ratio("foreground on the named side", answers, "inside", "foreground", "higher"),
        ratio("side-cut Dice, affected lungs", affected, "dice_above", "dice_below", "higher"),
        ratio("affected lungs without answer", affected, "silent", "number", "lower"),
        _drawn(
            "presence AUROC, affected against unaffected lungs",
            len(judged[0]),
            presence_auroc(judged[0], weights),
            presence_auroc(judged[1], weights),
            "higher",
        ),
        _errors(
            "expected calibration error, presence score",
            len(judged[0]),
            [presence_tables(side, rows) for side in answers],
            weights,
        ),
    ]


def _other_sentences(both: Both, same_seed: bool, notes: list[str]) -> list[dict[str, Any]]:
    shared = [
        name
        for name in asked.MEANINGS
        if name not in (asked.RIGHT, asked.IMAGE_ONLY)
        and all(any(name in row["counts"] for row in rows) for rows in (both.a, both.b))
    ]
    if not same_seed and any(name in DRAWN for name in shared):
        notes.append("Drawn sentences are left out: the two results were measured with different seeds.")
        shared = [name for name in shared if name not in DRAWN]
    found = []
    for name in shared:
        a, b = in_both(condition_counts(both.a, name), condition_counts(both.b, name))
        # Neither high nor low is good in itself: what counts is how far it lies under the right sentence's.
        found.append(_mean(f"mean Dice, {name}", per_image(a, "dice"), per_image(b, "dice"), both.weights, ""))
    return found


def _per_patient(both: Both) -> dict[str, Any]:
    sides = [condition_counts(rows, asked.RIGHT) for rows in (both.a, both.b)]
    owners = [row["patient"] for row in both.a]
    found = {}
    for patient in sorted(set(owners)):
        a, b = (
            summarise([c for c, owner in zip(side, owners, strict=True) if owner == patient and c is not None])
            for side in sides
        )
        figures: dict[str, Any] = {"n": owners.count(patient), "images_in_mean": a.images}
        for name in ("mean_dice", "pooled_dice"):
            before, after = getattr(a, name), getattr(b, name)
            figures[name] = {"a": finite(before), "b": finite(after), "difference": finite(after - before)}
        found[patient] = figures
    return found


def _images(both: Both) -> list[dict[str, Any]]:
    a, b = (per_image(condition_counts(rows, asked.RIGHT), "dice") for rows in (both.a, both.b))
    return [
        {
            "image": row["image"],
            "case": row["case"],
            "patient": row["patient"],
            "dice_a": finite(float(before)),
            "dice_b": finite(float(after)),
            "difference": finite(float(after - before)),
        }
        for row, before, after in zip(both.a, a, b, strict=True)
    ]
