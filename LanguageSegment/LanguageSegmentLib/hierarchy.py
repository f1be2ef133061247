"""Where a segmentation stands in the subject hierarchy, Slicer's tree of patients, studies and their data."""

from __future__ import annotations

from typing import Any

import slicer


def putIntoStudy(segmentationNode: Any, volumeNode: Any) -> int:
    """Put a segmentation into its volume's study or folder, as the Segment Editor does, and return its item.

    Without an item of its own, or of the volume, it stays where it is; 0 means that it has none.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(segmentationNode.GetScene())
    item = int(hierarchy.GetItemByDataNode(segmentationNode))
    volumeItem = hierarchy.GetItemByDataNode(volumeNode) if volumeNode is not None else 0
    if item and volumeItem:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(volumeItem))
    return item
