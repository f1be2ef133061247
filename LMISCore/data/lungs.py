"""Where the lungs of one scan lie in the picture: their midline, and the thirds from front to back.

The picture is canonical: patient's right on the left of the picture, anterior up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
AXIAL_ZONES = ("anterior", "middle", "posterior")
FRONTAL_ZONES = ("upper", "middle", "lower")
# Thirds of a lung from the picture's top down, by what the picture is.
ZONES: dict[str, tuple[str, ...]] = {"axial": AXIAL_ZONES, "frontal": FRONTAL_ZONES, "none": ()}

# A piece of fewer pixels (at 256x256) is no area of its own in covid_ct_20cases; a lung with fewer is not "affected".
SMALLEST_PIECE = 13
# A third is named in a derived sentence when it holds at least this share of its lung's infection.
NAMED_SHARE = 0.1


@dataclass(frozen=True)
class LungGeometry:
    """Midline and extent of one scan's lungs, pixels.

    Attributes:
        midline: column between the lungs; smaller columns are the patient's right.
        top, bottom: first row of the lungs over all slices, and one past the last.
    """

    midline: float
    top: int
    bottom: int

    def side(self, shape: tuple[int, int], side: Side) -> np.ndarray:
        """Half of the picture ``(H, W)`` bool on one side of the midline."""
        columns = np.arange(shape[1]) + 0.5
        half = columns < self.midline if side == "right" else columns >= self.midline
        return np.broadcast_to(half, shape)

    def zone(self, shape: tuple[int, int], zone: str, zones: Sequence[str] = AXIAL_ZONES) -> np.ndarray:
        """Rows ``(H, W)`` bool of one third of the lungs' extent; the outer thirds reach to the picture's edge."""
        index = list(zones).index(zone)
        edges = [-np.inf, *np.linspace(self.top, self.bottom, len(zones) + 1)[1:-1], np.inf]
        rows = np.arange(shape[0]) + 0.5
        inside = (rows >= edges[index]) & (rows < edges[index + 1])
        return np.broadcast_to(inside[:, None], shape)


def lung_geometry(lungs: Iterable[np.ndarray]) -> LungGeometry | None:
    """Measure one scan's lungs from its slices' lung masks ``(H, W)``; None when all are empty.

    The midline is the middle of the lungs' extent in columns, the median over the slices with lungs.
    """
    middles: list[float] = []
    top: int | None = None
    bottom = 0
    for mask in lungs:
        inside = mask > 0
        if not inside.any():
            continue
        columns = np.flatnonzero(inside.any(0))
        rows = np.flatnonzero(inside.any(1))
        middles.append((columns[0] + columns[-1] + 1) / 2)
        top = int(rows[0]) if top is None else min(top, int(rows[0]))
        bottom = max(bottom, int(rows[-1]) + 1)
    if top is None:
        return None
    return LungGeometry(float(np.median(middles)), top, bottom)


def named_zones(lesion: np.ndarray, geometry: LungGeometry, zones: Sequence[str] = AXIAL_ZONES) -> list[str]:
    """Thirds that hold at least a tenth of ``lesion`` ``(H, W)`` (one lung's part of the mask)."""
    total = np.count_nonzero(lesion)
    if not total:
        return []
    shape = (lesion.shape[0], lesion.shape[1])
    return [z for z in zones if np.count_nonzero(lesion & geometry.zone(shape, z, zones)) >= NAMED_SHARE * total]
