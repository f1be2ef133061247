"""Midline and extent of an organ, or of the body where no organ is marked, in canonical slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LMISCore.volumes.orientation import Canonical

THIRDS = ("anterior", "middle", "posterior")
_DARK, _BRIGHT = 2, 98
_LEAST_FILLED = 0.02
"""Share of a column or row that must be body: a table's edge or a letter on the picture is less."""

_NARROWEST = 0.5
"""Of the picture's width: what is bright on less of it is no body, and the picture's own middle counts."""
_LEAST_ON_EACH_SIDE = 0.2
"""Share of an organ on either side of the body's midline for it to have a midline of its own."""


@dataclass(frozen=True)
class Landmarks:
    """Where the middle is, and what thirds are thirds of.

    Attributes:
        midline: column between right and left; smaller columns are the patient's right.
        rows: first row, and one past the last, front to back.
        slices: first slice, and one past the last, feet to head.
        by_organ: whether an organ mask gave them.
    """

    midline: float
    rows: tuple[int, int]
    slices: tuple[int, int]
    by_organ: bool


def find_landmarks(canonical: Canonical, organ: np.ndarray | None = None) -> Landmarks:
    """Return midline and extent.

    The midline is the middle of the extent in columns, the median over slices: of an organ that lies on both sides,
    such as the lungs, else of the body, which is all that is brighter than half-way between dark and bright.

    Args:
        canonical: the volume.
        organ: ``(K, J, I)``, non-zero inside; None, or one without a voxel, takes the body's outline.
    """
    slices = canonical.slices
    grey = slices.mean(axis=-1) if slices.ndim == 4 else slices
    dark, bright = np.percentile(grey, (_DARK, _BRIGHT))
    body = grey > (float(dark) + float(bright)) / 2
    width, height = slices.shape[2], slices.shape[1]
    midline = _midline(body, _LEAST_FILLED, _NARROWEST * width, width / 2)
    if organ is None or not np.any(organ):
        rows = np.flatnonzero(body.mean(axis=(0, 2)) > _LEAST_FILLED)
        extent = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, height)
        return Landmarks(midline, extent, (0, len(slices)), False)
    inside = canonical.from_native(organ) > 0
    right = np.count_nonzero(inside[:, :, : round(midline)]) / np.count_nonzero(inside)
    if min(right, 1 - right) >= _LEAST_ON_EACH_SIDE:
        midline = _midline(inside, 0.0, 0.0, midline)
    levels, rows = (np.flatnonzero(inside.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    return Landmarks(midline, (int(rows[0]), int(rows[-1]) + 1), (int(levels[0]), int(levels[-1]) + 1), True)


def thirds_of(counts: np.ndarray, extent: tuple[int, int]) -> list[float]:
    """Return the share of ``counts`` ``(L,)`` in each third of an extent; the outer ones reach to the ends."""
    first, end = extent
    edges = np.linspace(first, end, 4)[1:-1]
    place = np.searchsorted(edges, np.arange(len(counts)) + 0.5, side="right")
    sums = np.bincount(place, weights=counts, minlength=3)
    total = float(sums.sum())
    return [float(part) / total if total else 0.0 for part in sums]


def _midline(inside: np.ndarray, least: float, narrowest: float, otherwise: float) -> float:
    """Return the middle of the extent in columns, the median over slices ``(N, H, W)`` where it is wide enough."""
    middles = []
    for part in inside:
        columns = np.flatnonzero(part.mean(axis=0) > least)
        if columns.size and columns[-1] + 1 - columns[0] >= narrowest:
            middles.append((int(columns[0]) + int(columns[-1]) + 1) / 2)
    return float(np.median(middles)) if middles else otherwise
