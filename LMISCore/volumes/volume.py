"""A volume is an array (K, J, I) and the geometry that says where each voxel lies in the patient.

Places are LPS millimetres as in DICOM, ITK and NRRD: x grows towards the patient's left, y to the back, z to the head.
Needs numpy only, so that the part running inside Slicer can use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Geometry:
    """Grid of a volume.

    Attributes:
        size: number of voxels (I, J, K).
        spacing: distance between voxel centres along i, j, k, in mm.
        origin: centre of voxel (0, 0, 0), LPS mm.
        direction: 3x3 row by row; its columns are the unit vectors of the i, j and k axes in LPS. May be
            left-handed, oblique or sheared (a tilted CT gantry).

    Raises:
        InputError: if a size or spacing is not positive, a number is not finite or the axes lie in one plane.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY

    def __post_init__(self) -> None:
        # Plain numbers whatever came in (numpy arrays, SimpleITK tuples): equality and JSON then just work.
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        for field in ("spacing", "origin", "direction"):
            values = np.asarray(getattr(self, field), dtype=np.float64).ravel()
            object.__setattr__(self, field, tuple(values.tolist()))
        if len(self.size) != 3 or len(self.spacing) != 3 or len(self.origin) != 3 or len(self.direction) != 9:
            raise InputError(
                f"A grid was given {len(self.size)} sizes, {len(self.spacing)} spacings, {len(self.origin)} origin "
                f"coordinates and {len(self.direction)} direction numbers; expected 3, 3, 3 and 9; give a "
                "three-dimensional grid."
            )
        if min(self.size) < 1:
            raise InputError(
                f"The volume of {_times(self.size)} voxels is empty; expected at least one voxel along each axis; "
                "export it again."
            )
        if not all(math.isfinite(value) for value in (*self.spacing, *self.origin, *self.direction)):
            raise InputError(
                "The volume's geometry holds a value that is not a number; expected finite spacing, origin and "
                "direction; export the volume again."
            )
        if min(self.spacing) <= 0:
            raise InputError(
                f"The volume's spacing {_times(self.spacing)} mm is not positive; expected a distance above 0 mm along "
                "each axis; export the volume again."
            )
        if abs(self._determinant) < 1e-6:
            raise InputError(
                "The volume's three axes do not span a space (its direction matrix is singular); expected three "
                "independent axes; export the volume again."
            )

    @classmethod
    def from_matrix(cls, size: Sequence[int], matrix: npt.ArrayLike) -> Geometry:
        """Build the grid of ``size`` (I, J, K) from a 4x4 matrix that takes voxel indices (i, j, k) to LPS mm."""
        affine = np.asarray(matrix, dtype=np.float64)
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        direction = affine[:3, :3] / np.where(spacing > 0, spacing, 1.0)
        i, j, k = size
        return cls((i, j, k), _three(spacing), _three(affine[:3, 3]), tuple(direction.ravel().tolist()))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, J, I) of an array on this grid."""
        i, j, k = self.size
        return k, j, i

    @property
    def axes(self) -> npt.NDArray[np.float64]:
        """Direction as an array (3, 3); column a is the unit vector of image axis a (i, j, k) in LPS."""
        return np.array(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def _determinant(self) -> float:
        return float(np.linalg.det(self.axes))

    @property
    def is_orthogonal(self) -> bool:
        """Whether the three axes stand square on each other (to 1e-4), as NIfTI through ITK demands."""
        return bool(np.allclose(self.axes.T @ self.axes, np.eye(3), atol=1e-4))

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in mL (1 mL = 1000 mm^3); sheared axes counted."""
        return math.prod(self.spacing) * abs(self._determinant) / 1000.0

    def matrix(self) -> npt.NDArray[np.float64]:
        """Return the 4x4 matrix that takes voxel indices (i, j, k, 1) to LPS mm."""
        result = np.eye(4)
        result[:3, :3] = self.axes * np.array(self.spacing)
        result[:3, 3] = self.origin
        return result

    def same_as(self, other: Geometry, tolerance: float = 1e-9) -> bool:
        """Whether both grids have the same size and agree in spacing, origin and direction.

        ``tolerance`` is absolute for values up to 1 and relative above: a NIfTI file keeps an origin of 300 mm in
        single precision, that is to 1.5e-5 mm, and 1e-6 is meant to accept it.
        """
        mine = np.array([*self.spacing, *self.origin, *self.direction])
        theirs = np.array([*other.spacing, *other.origin, *other.direction])
        scale = np.maximum(1.0, np.maximum(np.abs(mine), np.abs(theirs)))
        return self.size == other.size and bool(np.all(np.abs(mine - theirs) <= tolerance * scale))


@dataclass(eq=False)
class Volume:
    """An image and where it lies.

    Attributes:
        array: voxels (K, J, I), or (K, J, I, 3) for colour; finite numbers only.
        geometry: its grid.
        name: what to call it in tables and outputs (file name without suffix).
        source: path it was read from, or what made it.
        spacing_known: False where the file does not state mm along all three axes; mL must then not be claimed.
        warnings: one plain sentence for each thing about the file that the user should know.

    Raises:
        ValueError: if array and geometry do not fit.
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    name: str
    source: str
    spacing_known: bool = True
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.array.shape[:3] != self.geometry.shape or self.array.shape[3:] not in ((), (3,)):
            raise ValueError(
                f"array of shape {self.array.shape} does not fit the grid: expected {self.geometry.shape} or "
                f"{(*self.geometry.shape, 3)}"
            )

    @property
    def is_colour(self) -> bool:
        """Whether the voxels are (R, G, B)."""
        return self.array.ndim == 4

    @property
    def is_picture_2d(self) -> bool:
        """Whether there is one slice only (K = 1)."""
        return self.geometry.size[2] == 1


def _three(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _times(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
