"""Optional clean-up of masks: off unless asked for, and always recorded beside the mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from LMISCore.errors import InputError


@dataclass(frozen=True)
class Cleanup:
    """Which connected components of a mask are kept.

    Voxels that touch by a face, an edge or a corner are connected.

    Attributes:
        min_volume_ml: smaller components are dropped; 0 keeps all.
        largest_components: only this many of the largest are kept; 0 keeps all.

    Raises:
        InputError: for a negative or non-finite number.
    """

    min_volume_ml: float = 0.0
    largest_components: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.min_volume_ml) or self.min_volume_ml < 0:
            raise InputError(f"The smallest volume kept is {self.min_volume_ml} mL; give 0 (keep all) or more.")
        if self.largest_components < 0:
            raise InputError(
                f"The number of components kept is {self.largest_components}; give 0 (keep all) or a positive number."
            )

    def __bool__(self) -> bool:
        return self.min_volume_ml > 0 or self.largest_components > 0

    def describe(self) -> str:
        """What is dropped, for provenance; "none" when all is kept."""
        parts = []
        if self.min_volume_ml > 0:
            parts.append(f"components under {self.min_volume_ml:g} mL dropped")
        if self.largest_components > 0:
            parts.append(f"the largest {self.largest_components} components kept")
        return "; ".join(parts) or "none"

    def apply(self, mask: np.ndarray, voxel_volume_ml: float) -> np.ndarray:
        """Return the mask ``(K, J, I)`` bool without the components that are to go."""
        if not self or not mask.any():
            return mask
        from scipy import ndimage

        # Labels are counted inside the mask's bounding box: a lesion fills little of a volume.
        box = ndimage.find_objects(mask.astype(np.uint8))[0]
        labels, count = ndimage.label(mask[box], structure=np.ones((3, 3, 3), dtype=bool))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        # A component of exactly the smallest volume stays; the tolerance covers the product's rounding.
        keep = sizes * voxel_volume_ml >= self.min_volume_ml * (1 - 1e-9)
        if self.largest_components:
            largest = np.argsort(-sizes, kind="stable")[: self.largest_components]
            keep &= np.isin(np.arange(count), largest)
        cleaned = np.zeros_like(mask)
        cleaned[box] = np.concatenate([[False], keep])[labels]
        return cleaned
