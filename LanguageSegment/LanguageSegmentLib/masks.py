"""Masks of segments: written and read as the box that holds them, without temporary nodes and without the whole grid.

A mask of 512 x 512 x 200 voxels is 52 MB; what is written to a segment, kept to step back to and compared is the box
around its voxels. What takes long can be done beforehand, a portion at a time: ``makingReady`` builds the image that
:func:`writeMask` then only hands over, and ``reading`` reads a mask that :func:`readMask` then has at once.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from LanguageSegmentLib.portions import Work, allAtOnce, slabs
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError
from LMISCore.volumes.fingerprint import EMPTY, packed_fingerprint
from LMISCore.volumes.packed import PackedMask, pack_mask

REPRESENTATION = "Binary labelmap"
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_REMEMBERED = 64


@dataclass(frozen=True, eq=False)
class MaskBox:
    """A packed mask at its place in a segmentation.

    Attributes:
        packed: its voxels.
        matrix: 4x4, index (i, j, k) in the grid to mm in the segmentation's own RAS space.
    """

    packed: PackedMask
    matrix: npt.NDArray[np.float64]
    _ready: list[Any] = field(default_factory=list)

    @property
    def voxels(self) -> npt.NDArray[np.bool_]:
        """The box as bool (K, J, I)."""
        return _unpacked(self.packed).astype(bool)

    @cached_property
    def fingerprint(self) -> str:
        """See ``LMISCore.volumes.fingerprint``."""
        packed = self.packed
        return packed_fingerprint(packed.bits, packed.shape, packed.first, _LPS @ self.matrix)

    @cached_property
    def volume_ml(self) -> float:
        """Of the voxels, mL."""
        count = int(np.bitwise_count(self.packed.bits).sum())
        return count * abs(float(np.linalg.det(self.matrix[:3, :3]))) / 1000

    def makingReady(self) -> Work[None]:
        """Build what writing the mask takes."""
        if not self._ready:
            image = yield from _imaging(self)
            self._ready.append(image)
        yield
        self.measure()
        yield

    def measure(self) -> tuple[str, float]:
        """Return the fingerprint and the volume in mL, which are known from then on."""
        return self.fingerprint, self.volume_ml

    def image(self) -> Any:
        """The vtkOrientedImageData of the mask, made ready or made now; given away, as segments share no image."""
        return self._ready.pop() if self._ready else allAtOnce(_imaging(self))


def boxOf(mask: npt.NDArray[np.bool_] | PackedMask | None, matrix: npt.NDArray[np.float64]) -> MaskBox | None:
    """Return the box of a mask, bool (K, J, I) or packed; None if it has no voxel."""
    packed = pack_mask(mask) if isinstance(mask, np.ndarray) else mask
    return None if packed is None else MaskBox(packed, matrix)


def gridMatrix(volumeNode: Any, segmentationNode: Any = None) -> npt.NDArray[np.float64]:
    """Return the 4x4 from a volume's voxel indices to a segmentation's own RAS space, in mm.

    Args:
        volumeNode: the volume.
        segmentationNode: None for one under the same transform.

    Raises:
        InputError: if a transform between the two is not linear.
    """
    to_ras = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(to_ras)
    if segmentationNode is None:
        return _numbers(to_ras)
    source, target = volumeNode.GetParentTransformNode(), segmentationNode.GetParentTransformNode()
    between = vtk.vtkMatrix4x4()
    if source is not target and not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(source, target, between):
        raise InputError(
            _(
                "The segmentation {segmentation} and the volume {volume} are under different transforms that are not "
                "linear; expected the same or linear ones; harden them or put both under one."
            ).format(segmentation=segmentationNode.GetName(), volume=volumeNode.GetName())
        )
    return _numbers(between) @ _numbers(to_ras)


def hasGridOf(segmentationNode: Any, volumeNode: Any) -> bool:
    """Tell whether a segmentation was made on a grid such as a volume's; one that does not know its grid has any."""
    converter, image = slicer.vtkSegmentationConverter, slicer.vtkOrientedImageData()
    name = converter.GetReferenceImageGeometryParameterName()
    text = segmentationNode.GetSegmentation().GetConversionParameter(name)
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return True
    toRas = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(toRas)
    try:
        wanted = gridMatrix(volumeNode, segmentationNode)
    except InputError:
        return False
    same = np.allclose(_numbers(toRas), wanted, rtol=0, atol=1e-3)
    return same and image.GetDimensions() == volumeNode.GetImageData().GetDimensions()


def addSegment(segmentationNode: Any, segmentId: str, name: str, colour: tuple[float, float, float], box: Any) -> None:
    """Add a segment with its mask.

    Raises:
        RuntimeError: if Slicer refuses.
    """
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.SetColor(*colour)
    image = box.image()
    segment.AddRepresentation(REPRESENTATION, image)
    if not segmentationNode.GetSegmentation().AddSegment(segment, segmentId):
        raise RuntimeError(f"Slicer did not take the segment {segmentId}")
    _remember(image, segment.GetLabelValue(), box)


def writeMask(segmentationNode: Any, segmentId: str, box: MaskBox) -> None:
    """Replace the mask of an existing segment; its other segments keep theirs.

    The image is handed over as it is. Slicer's ``SetBinaryLabelmapToSegment`` merges layers, which takes 60 to 200 ms
    for a box of 24 million voxels; it is used where the segment has a surface or the like, which is then made anew.

    Raises:
        RuntimeError: if Slicer refuses.
    """
    segmentation, image = segmentationNode.GetSegmentation(), box.image()
    segment = segmentation.GetSegment(segmentId)
    names: list[str] = []
    segment.GetContainedRepresentationNames(names)
    if set(names) - {REPRESENTATION}:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        if not logic.SetBinaryLabelmapToSegment(image, segmentationNode, segmentId, logic.MODE_REPLACE):
            raise RuntimeError(f"Slicer did not take the mask of segment {segmentId}")
        return
    # Takes the segment out of a layer that it shares with others.
    segmentation.SeparateSegmentLabelmap(segmentId)
    segment.AddRepresentation(REPRESENTATION, image)
    segment.SetLabelValue(1)
    _remember(image, 1, box)
    segmentation.InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified, segmentId)


def readMask(segmentationNode: Any, segmentId: str) -> MaskBox | None:
    """Return a segment's mask, None if it is empty or not kept as a label map."""
    return allAtOnce(reading(segmentationNode, segmentId))


def reading(segmentationNode: Any, segmentId: str) -> Work[MaskBox | None]:
    """Read a segment's mask in portions; None as :func:`readMask`, and if it is changed meanwhile."""
    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId)
    if segment is None or segmentation.GetSourceRepresentationName() != REPRESENTATION:
        return None
    image, label = segment.GetRepresentation(REPRESENTATION), segment.GetLabelValue()
    if image is None or image.GetPointData().GetScalars() is None:
        return None
    key = _key(image, label)
    if key in _remembered:
        _remembered.move_to_end(key)
        return _remembered[key]
    to_world = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    i, j, k = image.GetExtent()[::2]
    shape = tuple(image.GetDimensions()[::-1])
    inside = np.zeros(shape, dtype=bool)
    for slab in slabs(shape):
        # The image may be another by now, and its old memory gone.
        if _key(image, label) != key:
            return None
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
        np.equal(voxels[slab], label, out=inside[slab])
        yield
    packed = pack_mask(inside, (k, j, i))
    box = None if packed is None else MaskBox(packed, _numbers(to_world))
    if _key(image, label) == key:
        _keep(key, box)
    return box


def maskFingerprint(segmentationNode: Any, segmentId: str) -> str:
    """Return the fingerprint of a segment's mask as it stands, "empty" if it has none."""
    box = readMask(segmentationNode, segmentId)
    return EMPTY if box is None else box.fingerprint


# Masks that were read or written, by their image as it was then: VTK gives no modification time twice.
_remembered: OrderedDict[tuple[str, int, int], MaskBox | None] = OrderedDict()


def _key(image: Any, label: int) -> tuple[str, int, int]:
    return image.GetAddressAsString(""), int(image.GetMTime()), int(label)


def _remember(image: Any, label: int, box: MaskBox) -> None:
    _keep(_key(image, label), box)


def _keep(key: tuple[str, int, int], box: MaskBox | None) -> None:
    _remembered[key] = box
    while len(_remembered) > _MOST_REMEMBERED:
        _remembered.popitem(last=False)


def _unpacked(packed: PackedMask) -> npt.NDArray[np.uint8]:
    return np.unpackbits(packed.bits, count=int(np.prod(packed.shape))).reshape(packed.shape)


def _imaging(box: MaskBox) -> Work[Any]:
    """Build the image of a mask, its voxels 1."""
    image = slicer.vtkOrientedImageData()
    (k, j, i), (z, y, x) = box.packed.shape, box.packed.first
    image.SetExtent(x, x + i - 1, y, y + j - 1, z, z + k - 1)
    image.SetImageToWorldMatrix(_matrix(box.matrix))
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)
    for slab in slabs((k, j, i)):
        # Slabs of eight slices begin at a whole byte.
        start, count = slab.start * j * i, (slab.stop - slab.start) * j * i
        some = box.packed.bits[start // 8 : (start + count + 7) // 8]
        voxels[slab] = np.unpackbits(some, count=count).reshape(-1, j, i)
        yield
    return image


def _numbers(matrix: Any) -> npt.NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def _matrix(numbers: npt.NDArray[np.float64]) -> Any:
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(numbers.ravel().tolist())
    return matrix
