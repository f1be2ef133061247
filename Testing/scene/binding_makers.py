"""Reports, masks and ties that the binding tests share, and edits as a user makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import slicer.util
import vtk
from session import SlicerSession
from vtk.util.numpy_support import vtk_to_numpy

from LanguageSegmentLib.binding import SegmentRecord, bind, createReportNode, putSegments, sentencesOf
from LanguageSegmentLib.tags import readTag

Mask = npt.NDArray[np.bool_]

SHAPE = (7, 8, 9)
FIRST = 'Opacity in the "left" | lung, 50 % \\ of it: wide.'
SECOND = "Nodule 肺炎 🫁 in the right\nlower lobe, é."
THIRD = "No pleural effusion."
LAST = "Bilateral pneumonia."
TEXT = f"FINDINGS:\n{FIRST}\n\n{SECOND}\n\n{THIRD}\n\nIMPRESSION: {LAST}\n"
KEYS = ["findings-1", "findings-2", "findings-3", "impression-1"]
RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)

TURN = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
AXES = {
    "plain": np.eye(3),
    "left-handed in i": np.diag([-1.0, 1, 1]),
    "left-handed in k": np.diag([1.0, 1, -1]),
    "permuted": np.array([[0.0, 0, 1], [-1, 0, 0], [0, 1, 0]]),
    "oblique and left-handed": TURN @ np.diag([1.0, 1, -1]),
}


def box(number: int = 0, shape: tuple[int, int, int] = SHAPE) -> Mask:
    """Return a lopsided mask (K, J, I); masks of different numbers differ, and neighbours overlap."""
    mask = np.zeros(shape, dtype=bool)
    start = number % 4
    mask[1 + start // 2 : 4 + start // 2, 1 + start : 5 + start, 2 : 6 + start] = True
    mask[1 + start // 2, 1 + start, 2 + number % 3] = False
    return mask


def record(key: str, mask: Mask | None, **more: Any) -> SegmentRecord:
    """Return what a run gives for one sentence."""
    tags = {"State": "affirmed", "Network": "tirnet", "Checkpoint": "0" * 64, "Version": "1.2", "Threshold": "0.5"}
    tags.update({"Presence": "0.93", "Date": "2025-01-02T03:04:05+00:00"} | more.pop("tags", {}))
    return SegmentRecord(key, mask, more.pop("name", key), more.pop("colour", RED), tags, **more)


def bound(session: SlicerSession, axes: np.ndarray | None = None, text: str = TEXT) -> tuple[Any, Any, Any]:
    """Return a (report, segmentation, volume) with segments for the first two sentences."""
    volume = session.volume(SHAPE, axes)
    report = createReportNode(text)
    segmentation = session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segments")
    bind(segmentation, report)
    keys = [sentence.key for sentence in sentencesOf(report)]
    putSegments(segmentation, volume, [record(keys[0], box(0)), record(keys[1], box(1), colour=GREEN)])
    return report, segmentation, volume


def mask_of(segmentation: Any, segment_id: str, volume: Any) -> Mask:
    """Return a segment's voxels (K, J, I) on a volume's grid, as a script gets them."""
    found: Mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume) > 0
    return found


def voxels(segmentation: Any, segment_id: str, volume: Any) -> Mask:
    """Return the same as :func:`mask_of`, without Slicer's resampling and so much faster, for untransformed nodes."""
    found = np.zeros(volume.GetImageData().GetDimensions()[::-1], dtype=bool)
    image = slicer.vtkOrientedImageData()
    if not segmentation.GetBinaryLabelmapRepresentation(segment_id, image) or image.IsEmpty():
        return found
    to_world, to_grid = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    volume.GetRASToIJKMatrix(to_grid)
    both = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Multiply4x4(to_grid, to_world, both)
    matrix = slicer.util.arrayFromVTKMatrix(both)
    extent = image.GetExtent()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    indices = np.argwhere(array)[:, ::-1] + np.array(extent[::2])
    i, j, k = np.rint(indices @ matrix[:3, :3].T + matrix[:3, 3]).astype(int).T
    found[k, j, i] = True
    return found


def draw(segmentation: Any, segment_id: str, volume: Any) -> Mask:
    """Add a voxel as the Segment Editor does, and return the mask that comes of it."""
    mask = mask_of(segmentation, segment_id, volume)
    k, j, i = np.argwhere(~mask)[-1]
    stroke = slicer.vtkOrientedImageData()
    assert segmentation.GetBinaryLabelmapRepresentation(segment_id, stroke)
    stroke.SetExtent(int(i), int(i), int(j), int(j), int(k), int(k))
    stroke.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    stroke.GetPointData().GetScalars().Fill(1)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.SetBinaryLabelmapToSegment(stroke, segmentation, segment_id, logic.MODE_MERGE_MAX)
    mask[k, j, i] = True
    return mask


def script(segmentation: Any, segment_id: str, volume: Any, mask: Mask) -> None:
    """Replace a mask as a script does."""
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask.astype(np.uint8), segmentation, segment_id, volume)


def tag(segmentation: Any, segment_id: str, key: str) -> str | None:
    """Return a segment's tag as plain text."""
    return readTag(segmentation.GetSegmentation().GetSegment(segment_id), key)


def save_segmentation(session: SlicerSession, segmentation: Any, path: Path) -> None:
    """Save one segmentation node as the application does."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    session.scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.WriteData(segmentation) == 1
    session.scene.RemoveNode(storage)
