"""What the right sentence's answer is worth beyond overlap: outlines, calibration, and both resolutions.

Everything is reduced to a few numbers a slice in the one pass over the data set; figures and their intervals are sums
of these.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from LMISCore.data.slices import TruthSlice
from LMISCore.metrics.bootstrap import FloatArray, IntArray, bootstrap_mean, finite
from LMISCore.metrics.calibration import BINS, bin_table, bootstrap_calibration, expected_calibration_error
from LMISCore.metrics.overlap import Counts, count
from LMISCore.metrics.platt import Platt
from LMISCore.metrics.surface import TOLERANCE, SurfaceScores, surface_scores
from LMISCore.volumes.framing import Frame

NATIVE, NETWORK = "native", "network"
IN_LUNGS, WHOLE_PICTURE = "inside the lungs", "whole picture"


@dataclass(frozen=True)
class SurfaceRule:
    """How outlines are compared.

    Attributes:
        tolerance: of the surface Dice, mm, or pixels where no size of a pixel is known.
        spacing: size of a pixel along rows and columns, mm, for pictures whose files state none; None leaves those
            in pixels.
    """

    tolerance: float = TOLERANCE
    spacing: tuple[float, float] | None = None


@dataclass(frozen=True)
class Quality:
    """The right sentence's answer on one slice, at one resolution.

    Attributes:
        counts: agreement with the truth.
        surface: distances of the outlines; None where they were not measured.
        unit: of the distances, "mm" or "pixels" (of the native picture).
        bins: ``(3, B)`` of the pixels' probabilities, inside the lungs where the slice has a lung mask.
        region: which pixels ``bins`` holds.
    """

    counts: Counts
    surface: SurfaceScores | None
    unit: str
    bins: FloatArray
    region: str


def measure_native(item: TruthSlice, probability: np.ndarray, mask: np.ndarray, rule: SurfaceRule | None) -> Quality:
    """Measure at the picture's own resolution.

    Args:
        item: the slice.
        probability: ``(H, W)`` of the right sentence.
        mask: ``(H, W)`` bool, cut at the card's threshold.
        rule: None leaves distances out.
    """
    lungs = None if item.lungs is None else item.lungs > 0
    return _measure(mask, item.truth, probability, lungs, *_spacing(item, rule), rule)


def measure_network(
    item: TruthSlice, frame: Frame, probability: np.ndarray, threshold: float, rule: SurfaceRule | None
) -> Quality:
    """Measure at the network's resolution, on the part of its picture that the slice covers.

    Args:
        item: the slice; its masks are brought to that resolution as training does.
        frame: its place in the network's picture.
        probability: ``(h, w)`` of the right sentence, padding included.
        threshold: the card's, above which a pixel is marked.
        rule: None leaves distances out.
    """
    (top, left), (height, width) = frame.corner, frame.inner
    inside = probability[top : top + height, left : left + width]
    lungs = None if item.lungs is None else frame.resize_mask(item.lungs > 0)
    (rows, columns), unit = _spacing(item, rule)
    spacing = (rows * item.truth.shape[0] / height, columns * item.truth.shape[1] / width)
    return _measure(inside >= threshold, frame.resize_mask(item.truth), inside, lungs, spacing, unit, rule)


def _spacing(item: TruthSlice, rule: SurfaceRule | None) -> tuple[tuple[float, float], str]:
    if item.volume.spacing_known:
        return item.spacing, "mm"
    if rule is not None and rule.spacing is not None:
        return rule.spacing, "mm"
    return (1.0, 1.0), "pixels"


def _measure(
    mask: np.ndarray,
    truth: np.ndarray,
    probability: np.ndarray,
    lungs: np.ndarray | None,
    spacing: tuple[float, float],
    unit: str,
    rule: SurfaceRule | None,
) -> Quality:
    # Restoring interpolates in float32, which may leave [0, 1] by its last bit.
    unit_range = np.clip(probability, 0, 1)
    table = bin_table(unit_range, truth) if lungs is None else bin_table(unit_range[lungs], truth[lungs])
    surface = None if rule is None else surface_scores(mask, truth, spacing, rule.tolerance)
    return Quality(count(mask, truth), surface, unit, table, WHOLE_PICTURE if lungs is None else IN_LUNGS)


def bins_before_calibration(item: TruthSlice, frame: Frame, probability: np.ndarray, platt: Platt) -> Quality:
    """The network's own probabilities of a calibrated answer ``(h, w)``, as :func:`measure_network` gives them.

    Outlines are not measured.
    """
    raw = platt.undo(probability)
    return measure_network(item, frame, raw, 0.5, None)


def pack_mask(mask: np.ndarray) -> bytes:
    """A mask ``(H, W)`` bool in about a kilobyte, to keep those of a whole split."""
    return zlib.compress(np.packbits(mask).tobytes())


def unpack_mask(packed: bytes, shape: tuple[int, int]) -> np.ndarray:
    """The mask ``(H, W)`` bool that :func:`pack_mask` packed."""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(packed), dtype=np.uint8), count=shape[0] * shape[1])
    return bits.reshape(shape).astype(bool)


def surface_figures(answers: Sequence[Quality], patients: Sequence[str], weights: IntArray) -> dict[str, Any] | None:
    """Distances of the outlines of N slices, with intervals and per patient; None where they were not measured.

    Where some slices' pixels have a size in mm and others have none, only the former count.
    """
    if any(answer.surface is None for answer in answers):
        return None
    unit = "mm" if any(answer.unit == "mm" for answer in answers) else "pixels"
    scores = [answer.surface for answer in answers if answer.surface is not None]
    counted = np.array([answer.unit == unit for answer in answers])
    hd95 = np.where(counted, [score.hd95 for score in scores], np.nan)
    dice = np.where(counted, [score.surface_dice for score in scores], np.nan)
    empty_truth = np.array([answer.counts.empty_truth for answer in answers])
    # As for Dice: an image whose truth is empty has no score and is counted elsewhere.
    dice = np.where(empty_truth, np.nan, dice)
    both = np.isfinite(hd95)
    return {
        "unit": unit,
        "hd95": bootstrap_mean(np.where(both, hd95, np.nan), weights).as_dict(),
        "hd95_images": int(both.sum()),
        "one_mask_empty": int(np.isinf(hd95).sum()),
        "surface_dice": bootstrap_mean(dice, weights).as_dict(),
        "surface_dice_images": int(np.isfinite(dice).sum()),
        "per_patient": {
            patient: {
                "hd95": _mean(hd95[both & (np.array(patients) == patient)]),
                "surface_dice": _mean(dice[np.isfinite(dice) & (np.array(patients) == patient)]),
            }
            for patient in sorted(set(patients))
        },
    }


def pixel_calibration(answers: Sequence[Quality], patients: Sequence[str], weights: IntArray) -> dict[str, Any]:
    """Calibration of N slices' pixels, pooled; inside the lungs where any slice has a lung mask, and then of those."""
    region = IN_LUNGS if any(answer.region == IN_LUNGS for answer in answers) else WHOLE_PICTURE
    none = np.zeros((3, BINS))
    tables = np.stack([answer.bins if answer.region == region else none for answer in answers])
    return {
        "region": region,
        "slices": sum(answer.region == region for answer in answers),
        **calibration_figures(tables, patients, weights),
    }


def calibration_figures(tables: FloatArray, patients: Sequence[str], weights: IntArray) -> dict[str, Any]:
    """Expected calibration error of ``(N, 3, B)`` tables, one a slice: with interval, per patient, and the bins."""
    pooled = tables.sum(0)
    owner = np.array(patients)
    by_patient = {patient: tables[owner == patient].sum(0) for patient in sorted(set(patients))}
    return {
        "error": bootstrap_calibration(tables, weights).as_dict(),
        "n": int(pooled[0].sum()),
        "bins": {
            "count": [int(number) for number in pooled[0]],
            "mean_probability": [_share(part, number) for part, number in zip(pooled[1], pooled[0], strict=True)],
            "positive_share": [_share(part, number) for part, number in zip(pooled[2], pooled[0], strict=True)],
        },
        "per_patient": {
            patient: {"error": finite(float(expected_calibration_error(table))), "n": int(table[0].sum())}
            for patient, table in by_patient.items()
        },
    }


def _share(part: float, number: float) -> float | None:
    return float(part / number) if number else None


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
