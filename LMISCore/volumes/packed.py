"""Masks and probabilities as the boxes that hold them, in files that a window reads in a few milliseconds. No torch.

A mask of 512 x 512 x 200 voxels is 52 MB and takes a second to pack into a ``.seg.nrrd`` and to take out again. Here it
is the box around its voxels, one bit a voxel, uncompressed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError
from LMISCore.volumes.fingerprint import bounding_box
from LMISCore.volumes.permille import STEPS

KEPT_FROM = 0.05
"""Probabilities below this are not kept in a box."""
Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class PackedMask:
    """The voxels of a mask inside the smallest box that holds them all.

    Attributes:
        bits: of ``shape``, packed eight to a byte.
        shape: of the box, (K, J, I).
        first: k, j, i of the box's first voxel in the grid.
    """

    bits: npt.NDArray[np.uint8]
    shape: Triple
    first: Triple


@dataclass(frozen=True, eq=False)
class PermilleBox:
    """The part of a probability that lies in the box around all that is at least ``KEPT_FROM``.

    Attributes:
        values: (K, J, I) of the box, uint16 thousandths; of no voxel where nothing is that high.
        first: k, j, i of the box's first voxel in the grid.
        grid: (K, J, I) of the whole grid.
    """

    values: npt.NDArray[np.uint16]
    first: Triple
    grid: Triple


def pack_mask(mask: npt.NDArray[np.bool_], first: Triple = (0, 0, 0)) -> PackedMask | None:
    """Return a mask (K, J, I) packed, None if it is empty; ``first`` is where it lies in the grid, k, j, i."""
    box = bounding_box(mask)
    if box is None:
        return None
    inside = mask[box]
    k, j, i = (part.start for part in box)
    return PackedMask(np.packbits(inside), _triple(inside.shape), (k + first[0], j + first[1], i + first[2]))


def permille_box(permille: npt.NDArray[np.uint16]) -> PermilleBox:
    """Return what matters of a probability in thousandths (K, J, I)."""
    box = bounding_box(permille >= np.uint16(round(KEPT_FROM * STEPS)))
    if box is None:
        return PermilleBox(np.zeros((0, 0, 0), np.uint16), (0, 0, 0), _triple(permille.shape))
    first = _triple([part.start for part in box])
    return PermilleBox(np.ascontiguousarray(permille[box]), first, _triple(permille.shape))


def write_masks(path: str | Path, masks: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    """Write masks (K, J, I) by name; none may be empty.

    Args:
        path: file to write, ending in .npz; not written by way of a temporary name.
        masks: by names of letters, digits, ``_``, ``.`` and ``-``.

    Raises:
        ValueError: if one is empty.
    """
    arrays: dict[str, Any] = {}
    for name, mask in masks.items():
        packed = pack_mask(mask)
        if packed is None:
            raise ValueError(f"the mask {name!r} is empty")
        arrays[f"{name}/bits"] = packed.bits
        arrays[f"{name}/place"] = np.array([packed.first, packed.shape])
    with Path(path).open("wb") as stream:
        np.savez(stream, **arrays)


def read_masks(path: str | Path) -> dict[str, PackedMask]:
    """Read what :func:`write_masks` wrote.

    Raises:
        InputError: if the file is missing or damaged.
    """
    arrays = _read(path)
    found = {}
    for name in arrays:
        if name.endswith("/bits"):
            first, shape = arrays[name.removesuffix("bits") + "place"].tolist()
            found[name.removesuffix("/bits")] = PackedMask(arrays[name], _triple(shape), _triple(first))
    return found


def write_permille(path: str | Path, permille: npt.NDArray[np.uint16]) -> None:
    """Write what matters of a probability in thousandths (K, J, I), as :func:`permille_box` has it."""
    box = permille_box(permille)
    with Path(path).open("wb") as stream:
        np.savez(stream, values=box.values, place=np.array([box.first, box.grid]))


def read_permille(path: str | Path) -> PermilleBox:
    """Read what :func:`write_permille` wrote.

    Raises:
        InputError: if the file is missing or damaged.
    """
    arrays = _read(path)
    first, grid = arrays["place"].tolist()
    return PermilleBox(arrays["values"], _triple(first), _triple(grid))


def _read(path: str | Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is missing or damaged; run the sentence again to make it anew.") from error


def _triple(values: Any) -> Triple:
    k, j, i = (int(value) for value in values)
    return k, j, i
