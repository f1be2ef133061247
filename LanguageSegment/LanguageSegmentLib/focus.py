"""Looking at one segment: the slice views go to it, and the segment chosen elsewhere in Slicer is found."""

from __future__ import annotations

from typing import Any

import slicer


def centreOf(segmentationNode: Any, segmentId: str) -> tuple[float, float, float] | None:
    """Return a point of a segment in RAS mm of the world, as central as it has one; None if it is empty."""
    centre = segmentationNode.GetSegmentCenterRAS(segmentId)
    return None if centre is None else (float(centre[0]), float(centre[1]), float(centre[2]))


def jumpTo(segmentationNode: Any, segmentId: str) -> bool:
    """Move all slice views of the scene to a segment; whether it has a place to go to."""
    centre = centreOf(segmentationNode, segmentId)
    if centre is None:
        return False
    slicer.vtkMRMLSliceNode.JumpAllSlices(
        segmentationNode.GetScene(), *centre, slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )
    return True


def setVisible(segmentationNode: Any, segmentId: str, visible: bool) -> None:
    """Show or hide one segment; showing one of a hidden segmentation shows that alone."""
    display = segmentationNode.GetDisplayNode()
    if display is None:
        segmentationNode.CreateDefaultDisplayNodes()
        display = segmentationNode.GetDisplayNode()
    if visible and not display.GetVisibility():
        display.SetAllSegmentsVisibility(False)
        display.SetVisibility(True)
    display.SetSegmentVisibility(segmentId, visible)


def chosenInEditor(editorNode: Any) -> tuple[Any, str] | None:
    """Return the segment that is chosen in a Segment Editor, None if there is none."""
    node, segmentId = editorNode.GetSegmentationNode(), editorNode.GetSelectedSegmentID()
    if node is None or not segmentId or node.GetSegmentation().GetSegment(segmentId) is None:
        return None
    return node, str(segmentId)
