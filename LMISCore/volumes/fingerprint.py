"""A short text that tells whether a mask is still the one that was made, wherever it was saved in between.

Programs crop a mask to the box that holds it, turn the third axis of a left-handed grid over and write positions as
decimal text. So the fingerprint is of the voxels inside that box, in right-handed order, together with the place of
the box's first voxel, which is compared with a tolerance.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt

_FORM = re.compile(r"([0-9a-f]{32}) at (\S+) (\S+) (\S+) within (\S+)")
EMPTY = "empty"


def bounding_box(mask: npt.NDArray[Any]) -> tuple[slice, ...] | None:
    """Return the slices of the smallest box around a mask with any number of axes; None if it is empty."""
    box = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        if not filled.size:
            return None
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)


def fingerprint(mask: npt.NDArray[np.bool_], matrix: npt.NDArray[np.float64]) -> str:
    """Return the fingerprint of a mask.

    Args:
        mask: bool (K, J, I).
        matrix: 4x4, index (i, j, k, 1) of ``mask`` to LPS in mm; an axis may be turned, mirrored or swapped.
    """
    box = bounding_box(mask)
    if box is None:
        return EMPTY
    inside = mask[box]
    k, j, i = (part.start for part in box)
    return packed_fingerprint(np.packbits(inside), inside.shape, (k, j, i), matrix)


def packed_fingerprint(
    bits: npt.NDArray[np.uint8], shape: tuple[int, ...], first: tuple[int, int, int], matrix: npt.NDArray[np.float64]
) -> str:
    """Return the fingerprint of a mask that is packed already.

    Args:
        bits: voxels of the smallest box that holds the mask, eight to a byte.
        shape: of that box, (K, J, I).
        first: index k, j, i of its first voxel.
        matrix: as in :func:`fingerprint`.
    """
    k, j, i = first
    if np.linalg.det(matrix[:3, :3]) < 0:
        bits = np.packbits(np.unpackbits(bits, count=int(np.prod(shape))).reshape(shape)[::-1])
        k += shape[0] - 1
    digest = hashlib.sha256(repr(tuple(shape)).encode())
    digest.update(bits.tobytes())
    x, y, z = (matrix @ [i, j, k, 1.0])[:3]
    # Far more than rounding in a file, far less than a voxel.
    tolerance = float(np.linalg.norm(matrix[:3, :3], axis=0).min()) / 10
    return f"{digest.hexdigest()[:32]} at {x:.4f} {y:.4f} {z:.4f} within {tolerance:.3g}"


def same_mask(one: str, other: str) -> bool:
    """Tell whether two fingerprints are of the same voxels at the same place in the patient."""
    first, second = _FORM.fullmatch(one), _FORM.fullmatch(other)
    if first is None or second is None:
        return one == other
    apart = max(abs(float(first[axis]) - float(second[axis])) for axis in (2, 3, 4))
    return first[1] == second[1] and apart <= max(float(first[5]), float(second[5]))
