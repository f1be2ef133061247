"""Turn any volume into slices that all lie alike, and turn results back, without touching a single value.

Only axes are exchanged and turned over, by the anatomical axis each image axis is nearest to; nothing is resampled, so
the way back is exact. Which side of the picture is the patient's left is decided in this file and nowhere else.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError
from LMISCore.volumes.volume import Geometry, Volume

# For each plane the anatomical direction (axis of LPS, sign) along which slices, rows and columns run: the way these
# planes are looked at in radiology, patient's right on the picture's left.
_RUNS: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    "axial": ((2, 1), (1, 1), (0, 1)),  # feet to head, front to back, right to left
    "coronal": ((1, 1), (2, -1), (0, 1)),  # front to back, head to feet, right to left
    "sagittal": ((0, 1), (2, -1), (1, 1)),  # right to left, head to feet, front to back
}
PLANES = (*_RUNS, "picture")


def nearest_axes(geometry: Geometry) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """For each of L, P, S give the image axis (0 i, 1 j, 2 k) nearest to it and the sign of its run (+1 or -1).

    Each image axis is used once. Of two assignments that fit equally well (an axis at exactly 45 degrees) the one that
    leaves i to L, j to P, k to S comes first.
    """
    axes = geometry.axes
    best: tuple[int, ...] = (0, 1, 2)
    best_fit = -1.0
    for order in itertools.permutations(range(3)):
        fit = sum(abs(axes[world, axis]) for world, axis in enumerate(order))
        if fit > best_fit + 1e-9:
            best, best_fit = order, fit
    left, posterior, superior = ((axis, 1 if axes[world, axis] >= 0 else -1) for world, axis in enumerate(best))
    return left, posterior, superior


def _plane_of(volume: Volume, plane: str) -> str:
    if plane in PLANES:
        return plane
    if plane != "auto":
        raise InputError(f"Unknown plane {plane!r}; expected one of {', '.join(PLANES)} or auto; choose one of these.")
    if not volume.is_picture_2d:
        return "axial"
    # A lone axial slice whose file says that its columns run from left to right (or rows from back to front) would
    # show the patient mirrored if it were taken as it is.
    is_axial = nearest_axes(volume.geometry)[2][0] == 2
    lies_as_usual = nearest_axes(volume.geometry)[:2] == ((0, 1), (1, 1))
    return "axial" if is_axial and not lies_as_usual else "picture"


class Canonical:
    """A volume seen as slices (N, H, W) that lie as radiologists look at them.

    ========  ==============  ======================  ========================
    plane     slices n run    rows run                columns run
    ========  ==============  ======================  ========================
    axial     feet to head    front to back           patient's right to left
    coronal   front to back   head to feet            patient's right to left
    sagittal  right to left   head to feet            front to back
    picture   as stored       as stored               as stored
    ========  ==============  ======================  ========================

    Args:
        volume: array (K, J, I) or (K, J, I, 3).
        plane: one of the above, or "auto": "picture" for one slice, else "axial". A lone axial slice that its
            file declares mirrored or turned is "axial", so that left stays the patient's left.

    Attributes:
        slices: view (N, H, W) or (N, H, W, 3) of the volume's array.
        plane: the plane in use, never "auto".
        spacing_rc: mm between rows and mm between columns.
        slice_spacing: mm between slices.

    Raises:
        InputError: if the plane is unknown.
    """

    def __init__(self, volume: Volume, plane: str = "axial") -> None:
        self.plane = _plane_of(volume, plane)
        if self.plane == "picture":
            runs = [(2, 1), (1, 1), (0, 1)]
        else:
            nearest = nearest_axes(volume.geometry)
            runs = [(nearest[world][0], nearest[world][1] * sign) for world, sign in _RUNS[self.plane]]
        # Image axis a (i, j, k) is array axis 2 - a, arrays being (K, J, I).
        self._order = tuple(2 - axis for axis, _ in runs)
        self._steps = tuple(slice(None, None, sign) for _, sign in runs)
        self.slices: npt.NDArray[Any] = self.from_native(volume.array)
        spacing = [volume.geometry.spacing[axis] for axis, _ in runs]
        self.slice_spacing: float = spacing[0]
        self.spacing_rc: tuple[float, float] = (spacing[1], spacing[2])
        self._geometry = volume.geometry

    def from_native(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View an array (K, J, I, ...) on the volume's grid, such as an organ mask, as slices (N, H, W, ...)."""
        rest = tuple(range(3, array.ndim))
        return array.transpose(*self._order, *rest)[self._steps]

    def slice_geometry(self, number: int) -> Geometry:
        """Grid of one slice as a volume ``(1, H, W)`` of its own, at its place in the patient."""
        matrix = self._geometry.matrix()
        turned = np.eye(4)
        origin = np.array([0.0, 0.0, 0.0, 1.0])
        for run, (order, step) in enumerate(zip(self._order, self._steps, strict=True)):
            axis, sign = 2 - order, step.step
            turned[:3, 2 - run] = sign * matrix[:3, axis]
            place = number if run == 0 else 0
            origin[axis] = place if sign > 0 else self._geometry.size[axis] - 1 - place
        turned[:3, 3] = (matrix @ origin)[:3]
        height, width = self.slices.shape[1:3]
        return Geometry.from_matrix((width, height, 1), turned)

    def to_native(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """View slices (N, H, W, ...) as an array (K, J, I, ...) on the volume's own grid; exact inverse.

        Raises:
            ValueError: if the slices are not of this volume's shape.
        """
        if array.shape[:3] != self.slices.shape[:3]:
            raise ValueError(f"slices of shape {array.shape} do not fit: expected {self.slices.shape[:3]}")
        rest = tuple(range(3, array.ndim))
        back = tuple(int(axis) for axis in np.argsort(self._order))
        return array[self._steps].transpose(*back, *rest)
