"""The segment under the crosshair: Slicer moves it in all views while Shift is held and the mouse is moved."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer
import vtk

from LanguageSegmentLib.links import segmentsIn
from LanguageSegmentLib.masks import REPRESENTATION


def segmentAt(segmentationNodes: Iterable[Any], ras: tuple[float, float, float]) -> tuple[Any, str] | None:
    """Return the (segmentation node, segment ID) of the first visible segment that has a point, None if none has it.

    Args:
        segmentationNodes: to be looked at.
        ras: of the world, mm.
    """
    for node in segmentationNodes:
        display = node.GetDisplayNode()
        if display is None or not display.GetVisibility():
            continue
        own = [0.0, 0.0, 0.0]
        toNode = vtk.vtkGeneralTransform()
        slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), toNode)
        toNode.TransformPoint(ras, own)
        for segmentId, segment in segmentsIn(node):
            if display.GetSegmentVisibility(segmentId) and _holds(segment, own):
                return node, segmentId
    return None


def _holds(segment: Any, place: list[float]) -> bool:
    image = segment.GetRepresentation(REPRESENTATION)
    if image is None or image.GetPointData().GetScalars() is None:
        return False
    toIndex = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(toIndex)
    i, j, k = (round(value) for value in toIndex.MultiplyPoint((*place, 1.0))[:3])
    extent = image.GetExtent()
    inside = extent[0] <= i <= extent[1] and extent[2] <= j <= extent[3] and extent[4] <= k <= extent[5]
    return inside and bool(int(image.GetScalarComponentAsDouble(i, j, k, 0)) == segment.GetLabelValue())
