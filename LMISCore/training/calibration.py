"""Slope and offset of the pixels' logits, fitted on Val inside the lungs, for the card of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import nn

from LMISCore.data.slices import read_slice
from LMISCore.metrics.calibration import BINS, expected_calibration_error
from LMISCore.metrics.platt import KIND, LARGEST_LOGIT, Platt, fit_platt
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.datasets import Slice, clean_picture
from LMISCore.training.validation import probabilities

BATCH = 8
GROUPS = 3001
IN_LUNGS, WHOLE_PICTURE = "inside the lungs", "whole picture"


def fit_calibration(
    network: nn.Module, slices: Sequence[Slice], convention: str, cache: EmbeddingCache, device: torch.device
) -> dict[str, Any]:
    """Fit on the sets' own sentences at the network's resolution; what a card's ``calibration`` holds.

    Where any slice has a lung mask, the pixels inside the lungs of such slices count, else those of the whole pictures.

    Returns:
        kind, scale, offset, what it was fitted on, and the expected calibration error there before and after; empty
        where nothing can be fitted.
    """
    in_lungs = any(item.pair.lungs is not None for item in slices)
    chosen = [item for item in slices if not in_lungs or item.pair.lungs is not None]
    counts, positive = np.zeros(GROUPS), np.zeros(GROUPS)
    for start in range(0, len(chosen), BATCH):
        some = chosen[start : start + BATCH]
        images = torch.stack([clean_picture(item, convention) for item in some])
        found = probabilities(network, images, [item.places.report for item in some], cache, device).cpu()
        for item, probability in zip(some, found, strict=True):
            (top, left), (height, width) = item.frame.corner, item.frame.inner
            inside = probability.double()[top : top + height, left : left + width]
            truth = item.frame.resize_mask(item.places.lesion)
            region = item.frame.resize_mask(_lungs(item)) if in_lungs else np.ones_like(truth)
            logits = torch.logit(inside, 1e-9).numpy()[region]
            groups = np.clip(np.rint((logits / LARGEST_LOGIT + 1) * (GROUPS - 1) / 2), 0, GROUPS - 1).astype(int)
            counts += np.bincount(groups, minlength=GROUPS)
            positive += np.bincount(groups, weights=truth[region], minlength=GROUPS)
    logits = np.linspace(-LARGEST_LOGIT, LARGEST_LOGIT, GROUPS)
    platt = fit_platt(logits, counts, positive)
    if platt is None:
        return {}
    return {
        "kind": KIND,
        "scale": platt.scale,
        "offset": platt.offset,
        "fitted_on": f"Val, pixels {IN_LUNGS if in_lungs else WHOLE_PICTURE}, at the network's resolution",
        "slices": len(chosen),
        "pixels": int(counts.sum()),
        "error_before": _error(Platt(), logits, counts, positive),
        "error_after": _error(platt, logits, counts, positive),
    }


def _lungs(item: Slice) -> np.ndarray:
    lungs = read_slice(item.pair).lungs
    assert lungs is not None, "only slices with a lung mask are chosen"
    inside: np.ndarray = lungs > 0
    return inside


def _error(platt: Platt, logits: np.ndarray, counts: np.ndarray, positive: np.ndarray) -> float:
    """Expected calibration error of groups of pixels, in the bins of ``lmis evaluate``."""
    p = expit(platt.scale * logits + platt.offset)
    place = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], p)
    table = [np.bincount(place, weights=weights, minlength=BINS) for weights in (counts, counts * p, positive)]
    return round(float(expected_calibration_error(np.stack(table))), 6)
