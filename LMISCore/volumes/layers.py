"""Put masks into as few label maps as keep every voxel, and move masks between grids that share their voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError
from LMISCore.volumes.fingerprint import bounding_box
from LMISCore.volumes.volume import Geometry

Box = tuple[slice, ...]
_LABELS = 255


def _common(first: Box, second: Box) -> Box | None:
    pairs = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(first, second, strict=True)]
    return tuple(slice(low, high) for low, high in pairs) if all(low < high for low, high in pairs) else None


def pack(masks: Sequence[npt.NDArray[np.bool_]]) -> tuple[npt.NDArray[np.uint8], list[tuple[int, int]]]:
    """Give each mask a layer and a label: the first layer where it touches no voxel of another mask.

    Args:
        masks: bool (K, J, I), none empty.

    Returns:
        label maps as a view in file order, (I, J, K) for one layer, else (layers, I, J, K), first axis fastest in
        memory; and (layer, label) of each mask, labels from 1 to 255.
    """
    boxes = [bounding_box(mask) for mask in masks]
    members: list[list[int]] = []
    places: list[tuple[int, int]] = []
    for number, mask in enumerate(masks):
        layer = next(
            (
                index
                for index, group in enumerate(members)
                if len(group) < _LABELS
                and not any(_overlap(mask, boxes[number], masks[other], boxes[other]) for other in group)
            ),
            len(members),
        )
        if layer == len(members):
            members.append([])
        members[layer].append(number)
        places.append((layer, len(members[layer])))
    layers = np.zeros((*masks[0].shape, len(members)), dtype=np.uint8)
    for mask, box, (layer, label) in zip(masks, boxes, places, strict=True):
        if box is not None:
            layers[..., layer][box][mask[box]] = label
    return (layers[..., 0] if len(members) == 1 else layers).T, places


def _overlap(first: npt.NDArray[Any], box: Box | None, second: npt.NDArray[Any], other_box: Box | None) -> bool:
    common = _common(box, other_box) if box and other_box else None
    return common is not None and bool(np.any(first[common] & second[common]))


def regrid(mask: npt.NDArray[np.bool_], grid: Geometry, target: Geometry, source: str) -> npt.NDArray[np.bool_]:
    """Move a mask (K, J, I) from its grid to another that has the same voxels, perhaps cropped, turned or permuted.

    Raises:
        InputError: if the two grids do not share their voxels or the mask leaves the target.
    """
    if grid.same_as(target):
        return mask
    change = np.linalg.inv(target.matrix()) @ grid.matrix()
    turn = np.rint(change[:3, :3])
    box = bounding_box(mask)
    corners = np.zeros((2, 3)) if box is None else np.array([[part.start, part.stop - 1] for part in box[::-1]]).T
    moved = corners @ change[:3, :3].T + change[:3, 3]
    permutation = np.array_equal(np.abs(turn).sum(axis=0), np.ones(3)) and np.array_equal(
        np.abs(turn).sum(axis=1), np.ones(3)
    )
    # These tolerances, in voxels, are far above the rounding of any format and far below a real difference.
    off_voxels = np.abs(moved - np.rint(moved)).max() > 0.05
    if not permutation or off_voxels or not np.allclose(change[:3, :3], turn, atol=1e-2):
        raise InputError(
            f"The segments of {source} do not lie on the voxels of the image; expected a segmentation made on this "
            "image; export it again with the image's own geometry."
        )
    result = np.zeros(target.shape, dtype=np.bool_)
    if box is None:
        return result
    low, high = np.rint(moved.min(axis=0)).astype(int), np.rint(moved.max(axis=0)).astype(int) + 1
    if low.min() < 0 or np.any(high > np.array(target.size)):
        raise InputError(
            f"The segments of {source} reach beyond the image; expected a segmentation made on this image; "
            "crop it to the image."
        )
    # Row r of turn says which axis of the file becomes axis r (i, j, k) of the target; arrays are (K, J, I).
    taken_from = np.abs(turn).argmax(axis=1)
    order = [2 - int(taken_from[2 - axis]) for axis in range(3)]
    steps = [int(turn[2 - axis, taken_from[2 - axis]]) for axis in range(3)]
    part = mask[box].transpose(order)[tuple(slice(None, None, step) for step in steps)]
    result[tuple(slice(low[axis], high[axis]) for axis in (2, 1, 0))] = part
    return result
