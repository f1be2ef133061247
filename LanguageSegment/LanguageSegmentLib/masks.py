"""Masks of segments: written and read as the box that holds them, without temporary nodes and without the whole grid.

A mask of 512 x 512 x 200 voxels is 52 MB; what is written to a segment, kept to step back to and compared is the box
around its voxels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from LMISCore.errors import InputError
from LMISCore.volumes.fingerprint import EMPTY, bounding_box, fingerprint

_REPRESENTATION = "Binary labelmap"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class MaskBox:
    """The voxels of a mask inside the smallest box that holds them all.

    Attributes:
        bits: of ``shape``, packed eight to a byte.
        shape: of the box, (K, J, I).
        first: i, j, k of the box's first voxel in the grid.
        matrix: 4x4, index (i, j, k) in the grid to mm in the segmentation's own RAS space.
    """

    bits: npt.NDArray[np.uint8]
    shape: tuple[int, int, int]
    first: tuple[int, int, int]
    matrix: npt.NDArray[np.float64]

    @property
    def voxels(self) -> npt.NDArray[np.bool_]:
        """The box as bool (K, J, I)."""
        count = int(np.prod(self.shape))
        return np.unpackbits(self.bits, count=count).reshape(self.shape).astype(bool)

    @property
    def fingerprint(self) -> str:
        """See ``LMISCore.volumes.fingerprint``."""
        placed = self.matrix.copy()
        placed[:3, 3] = (self.matrix @ [*self.first, 1.0])[:3]
        return fingerprint(self.voxels, _LPS @ placed)

    @property
    def volume_ml(self) -> float:
        """Of the voxels, mL."""
        count = int(np.bitwise_count(self.bits).sum())
        return count * abs(float(np.linalg.det(self.matrix[:3, :3]))) / 1000


def boxOf(mask: npt.NDArray[Any], matrix: npt.NDArray[np.float64], offset: tuple[int, int, int] = (0, 0, 0)) -> MaskBox:
    """Return the box of a mask (K, J, I) that has voxels; ``offset`` is the grid's index i, j, k of its first voxel.

    Raises:
        ValueError: if the mask is empty.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("an empty mask has no box")
    k, j, i = (part.start for part in box)
    inside = mask[box]
    shape = (inside.shape[0], inside.shape[1], inside.shape[2])
    return MaskBox(np.packbits(inside), shape, (i + offset[0], j + offset[1], k + offset[2]), matrix)


def gridMatrix(volumeNode: Any, segmentationNode: Any) -> npt.NDArray[np.float64]:
    """Return the 4x4 from a volume's voxel indices to the segmentation's own RAS space, in mm.

    Raises:
        InputError: if a transform between the two is not linear.
    """
    to_ras = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(to_ras)
    source, target = volumeNode.GetParentTransformNode(), segmentationNode.GetParentTransformNode()
    between = vtk.vtkMatrix4x4()
    if source is not target and not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source, target, between):
        raise InputError(
            f"The segmentation {segmentationNode.GetName()} and the volume {volumeNode.GetName()} are under different "
            "transforms that are not linear; expected the same or linear ones; harden them or put both under one."
        )
    return _numbers(between) @ _numbers(to_ras)


def writeMask(segmentationNode: Any, segmentId: str, box: MaskBox) -> None:
    """Replace the mask of an existing segment; its other segments keep theirs.

    Raises:
        RuntimeError: if Slicer refuses.
    """
    image = slicer.vtkOrientedImageData()
    (k, j, i), (x, y, z) = box.shape, box.first
    image.SetExtent(x, x + i - 1, y, y + j - 1, z, z + k - 1)
    image.SetImageToWorldMatrix(_matrix(box.matrix))
    scalars = numpy_to_vtk(box.voxels.astype(np.uint8).ravel(), deep=True)
    scalars.SetName("mask")
    image.GetPointData().SetScalars(scalars)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    if not logic.SetBinaryLabelmapToSegment(image, segmentationNode, segmentId, logic.MODE_REPLACE):
        raise RuntimeError(f"Slicer did not take the mask of segment {segmentId}")


def readMask(segmentationNode: Any, segmentId: str) -> MaskBox | None:
    """Return a segment's mask, None if it is empty or not kept as a label map."""
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetSourceRepresentationName() != _REPRESENTATION:
        return None
    segment = segmentation.GetSegment(segmentId)
    image = segment.GetRepresentation(_REPRESENTATION)
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    shape = image.GetDimensions()[::-1]
    mask = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape) == segment.GetLabelValue()
    if not mask.any():
        return None
    to_world = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    i, j, k = image.GetExtent()[::2]
    return boxOf(mask, _numbers(to_world), (i, j, k))


def maskFingerprint(segmentationNode: Any, segmentId: str) -> str:
    """Return the fingerprint of a segment's mask as it stands, "empty" if it has none."""
    box = readMask(segmentationNode, segmentId)
    return EMPTY if box is None else box.fingerprint


def _numbers(matrix: Any) -> npt.NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _matrix(numbers: npt.NDArray[np.float64]) -> Any:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(numbers.ravel().tolist())
    return matrix
