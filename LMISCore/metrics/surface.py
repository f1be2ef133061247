"""Distances between the outlines of two masks: the 95th percentile Hausdorff distance and the surface Dice.

The outline of a mask is its foreground pixels (or voxels) that share a side with something outside; what lies beyond
the picture's edge is outside. Distances run between the centres of such pixels, in mm (exact Euclidean distance
transform), in both directions.

Empty masks: where both are empty there is no outline, and both figures are undefined (NaN). Where only one is, no
finite distance exists: HD95 is infinite and the surface Dice 0. A mean of HD95 can therefore be taken only where both
masks have an outline, and must be read beside the number of images where one has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LMISCore.volumes.fingerprint import bounding_box

PERCENTILE = 0.95
TOLERANCE = 2.0


@dataclass(frozen=True)
class SurfaceScores:
    """Of one image.

    Attributes:
        hd95: the larger of the two directions' 95th percentiles of distance, mm (Huttenlocher et al. 1993 with the
            percentile in place of the maximum); infinite where one mask is empty, NaN where both are.
        surface_dice: share of both outlines that lies within the tolerance of the other (Nikolov et al. 2018,
            arXiv 1809.04430), each outline pixel counted once; 0 where one mask is empty, NaN where both are.
    """

    hd95: float
    surface_dice: float


def outline(mask: np.ndarray) -> np.ndarray:
    """Foreground pixels of ``mask`` (bool, any number of axes) that share a side with something outside."""
    from scipy import ndimage

    edge: np.ndarray = mask & ~ndimage.binary_erosion(mask)
    return edge


def surface_scores(
    prediction: np.ndarray, truth: np.ndarray, spacing: Sequence[float], tolerance: float = TOLERANCE
) -> SurfaceScores:
    """Compare two masks of one shape.

    Args:
        prediction, truth: boolean arrays with A axes.
        spacing: A sizes of a pixel along the axes, mm.
        tolerance: distance at which outlines still count as the same, mm.

    Raises:
        ValueError: if the shapes differ, or spacing or tolerance cannot be such.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"prediction has shape {prediction.shape}, truth {truth.shape}; expected the same")
    if len(spacing) != truth.ndim or not all(math.isfinite(size) and size > 0 for size in spacing):
        raise ValueError(f"spacing is {tuple(spacing)}; expected {truth.ndim} positive numbers of mm")
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance is {tolerance}; expected a number of mm that is not negative")
    prediction, truth = prediction.astype(bool), truth.astype(bool)
    # What lies outside the box around both is background in both masks, so nothing is lost.
    box = bounding_box(prediction | truth)
    if box is None:
        return SurfaceScores(math.nan, math.nan)
    if not prediction.any() or not truth.any():
        return SurfaceScores(math.inf, 0.0)
    mine, theirs = outline(prediction[box]), outline(truth[box])
    there, back = _distances(mine, theirs, spacing), _distances(theirs, mine, spacing)
    # Sums of sizes such as 0.1 mm are not exact; a distance equal to the tolerance lies within it.
    reach = tolerance * (1 + 1e-9)
    near = np.count_nonzero(there <= reach) + np.count_nonzero(back <= reach)
    return SurfaceScores(
        hd95=float(max(np.quantile(there, PERCENTILE), np.quantile(back, PERCENTILE))),
        surface_dice=near / (there.size + back.size),
    )


def _distances(edge: np.ndarray, other: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance, mm, of every pixel of ``edge`` to the nearest one of ``other``."""
    from scipy import ndimage

    found: np.ndarray = ndimage.distance_transform_edt(~other, sampling=spacing)[edge]
    return found
