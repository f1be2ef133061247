"""A volume node's own voxels and grid, and the temporary file in which the worker gets them.

The node's array and its IJK-to-RAS matrix are what counts, not the file that it came from: Slicer turns the k axis of
left-handed files over, and a node may have been changed or never saved. A parent transform is left aside: segments lie
under the same transform as their volume.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk

from LanguageSegmentLib.portions import Work, allAtOnce, slabs
from LanguageSegmentLib.translation import tr as _
from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError
from LMISCore.volumes import pictures
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.volume import Geometry

# Set to "1" on a volume whose spacing is only nominal, so that no mL are claimed for it.
NOMINAL_SPACING = "LanguageSegment.NominalSpacing"

# What Slicer's arrays may be of and files cannot hold.
_STORED = {"int8": np.int16}
_NRRD_TYPES = {
    "uint8": "uchar",
    "int16": "short",
    "uint16": "ushort",
    "int32": "int",
    "float32": "float",
    "float64": "double",
}
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def geometryOf(volumeNode: Any) -> Geometry:
    """The grid of a volume node in LPS mm, without its parent transform.

    Raises:
        InputError: if the node is no volume, or holds no image.
    """
    image = volumeNode.GetImageData() if volumeNode is not None and hasattr(volumeNode, "GetImageData") else None
    if image is None or image.GetNumberOfPoints() == 0:
        if volumeNode is None:
            raise InputError(_("No volume was given; choose a volume with voxels."))
        name = volumeNode.GetName()
        raise InputError(_("The volume {name!r} holds no image; choose a volume with voxels.").format(name=name))
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    toRas = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    return Geometry.from_matrix(image.GetDimensions(), _LPS @ toRas)


def arrayOf(volumeNode: Any) -> np.ndarray:
    """The voxels of a volume node, (K, J, I) or (K, J, I, 3), as a type that files can hold; a view where it can be.

    Raises:
        InputError: if there is not one grey or colour value per voxel.
    """
    array = _voxels(volumeNode)
    return array.astype(_storedType(array), copy=False)


def _voxels(volumeNode: Any) -> np.ndarray:
    array: np.ndarray = slicer.util.arrayFromVolume(volumeNode)
    if array.ndim == 4 and array.shape[3] in (1, 4):
        array = array[..., 0] if array.shape[3] == 1 else array[..., :3]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] != 3):
        raise InputError(
            _(
                "The volume {name!r} holds {count} numbers per voxel; expected 1 (grey), 3 (RGB) or 4 (RGBA); extract "
                "one of them as a volume of its own."
            ).format(name=volumeNode.GetName(), count=array.shape[3])
        )
    return array


def _storedType(array: np.ndarray) -> np.dtype:
    if array.dtype.name in ("uint32", "int64", "uint64"):
        # Whole numbers beyond 32 bits are no grey values of a scan, and floats hold them to 53 bits.
        fits = array.size and int(array.min()) >= -(2**31) and int(array.max()) < 2**31
        return np.dtype(np.int32 if fits else np.float64)
    return np.dtype(_STORED.get(array.dtype.name, array.dtype))


def writeNode(path: Path, volumeNode: Any) -> Geometry:
    """Write a volume node as an uncompressed NRRD file and return its grid.

    Raises:
        InputError: if it is no volume that can be segmented, or the file cannot be written.
    """
    return allAtOnce(writingNode(path, volumeNode))


def writingNode(path: Path, volumeNode: Any) -> Work[Geometry]:
    """As :func:`writeNode`, in portions.

    Raises:
        InputError: also if the volume is changed meanwhile.
    """
    geometry, changed = geometryOf(volumeNode), volumeNode.GetImageData().GetMTime()
    array = _voxels(volumeNode)
    kind, shape = _storedType(array), array.shape
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(nrrdHeader(shape, kind, geometry))
        # The colours of a voxel count as well.
        for slab in slabs((*shape[:2], math.prod(shape[2:]))):
            # Taken anew each time: where the volume was given other voxels, its old memory may be gone.
            image = volumeNode.GetImageData()
            if image is None or image.GetMTime() != changed:
                raise InputError(_("The volume was changed while it was handed to the worker; run it again."))
            stream.write(np.ascontiguousarray(_voxels(volumeNode)[slab], dtype=kind).data)
            yield
    return geometry


def nrrdHeader(shape: tuple[int, ...], kind: np.dtype, geometry: Geometry) -> bytes:
    """Return the header of an uncompressed NRRD file (teem.sourceforge.net/nrrd/format.html) of native byte order.

    Args:
        shape: of the array, (K, J, I) or (K, J, I, 3).
        kind: of its numbers.
        geometry: its grid; numbers are written so that they come back the same.
    """
    matrix = geometry.matrix()
    axes = [f"({','.join(repr(float(part)) for part in matrix[:3, axis])})" for axis in range(3)]
    colour = len(shape) == 4
    lines = [
        "NRRD0004",
        f"type: {_NRRD_TYPES[kind.name]}",
        f"dimension: {len(shape)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, reversed(shape)))}",
        f"space directions: {' '.join([*(['none'] if colour else []), *axes])}",
        f"kinds: {' '.join([*(['vector'] if colour else []), 'domain', 'domain', 'domain'])}",
        f"endian: {sys.byteorder}",
        "encoding: raw",
        f"space origin: ({','.join(repr(float(part)) for part in matrix[:3, 3])})",
    ]
    return ("\n".join(lines) + "\n\n").encode("ascii")


def fileOf(volumeNode: Any) -> str:
    """The file that a volume was loaded from or saved to, for a DICOM series its folder; "" if there is none."""
    storage = volumeNode.GetStorageNode() if volumeNode is not None else None
    if storage is None:
        return ""
    name = storage.GetFileName() or ""
    return str(Path(name).parent) if name and storage.GetNumberOfFileNames() > 1 else str(name)


def hasNominalSpacing(volumeNode: Any) -> bool:
    """Whether the volume's mm are not real ones: it says so itself, or came from a picture file, which knows none."""
    if volumeNode.GetAttribute(NOMINAL_SPACING) == "1":
        return True
    storage = volumeNode.GetStorageNode()
    name = (storage.GetFileName() if storage is not None else None) or ""
    return bool(name.lower().endswith(pictures.SUFFIXES))


def writeOrgan(path: Path, organNode: Any, volumeNode: Any) -> None:
    """Write an organ as a 0/1 mask on a volume's grid.

    Args:
        path: file to write.
        organNode: a segmentation, of which all segments count, or a volume on the same grid, non-zero inside.
        volumeNode: whose grid the mask gets.

    Raises:
        InputError: if the node is of another kind, lies on another grid, or is empty.
    """
    geometry = geometryOf(volumeNode)
    mask = np.zeros(geometry.shape, dtype=bool)
    if organNode.IsA("vtkMRMLSegmentationNode"):
        segmentation = organNode.GetSegmentation()
        for number in range(segmentation.GetNumberOfSegments()):
            segment = segmentation.GetNthSegmentID(number)
            mask |= slicer.util.arrayFromSegmentBinaryLabelmap(organNode, segment, volumeNode) > 0
    else:
        if not geometryOf(organNode).same_as(geometry, tolerance=1e-4):
            raise InputError(
                f"The organ {organNode.GetName()!r} does not lie on the grid of the volume {volumeNode.GetName()!r}; "
                "give a segmentation, or a mask of the same size, spacing, origin and direction."
            )
        mask = arrayOf(organNode) != 0
    if mask.ndim != 3 or not mask.any():
        raise InputError(f"The organ {organNode.GetName()!r} marks no voxel of the volume; give a mask of the organ.")
    write_volume(path, mask, geometry, compress=False)
