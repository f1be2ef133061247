"""Sending a segmentation to DICOM SEG by Slicer's own export dialog, where an extension offers that."""

from __future__ import annotations

from typing import Any

import slicer

from LanguageSegmentLib.hierarchy import putIntoStudy
from LanguageSegmentLib.translation import tr as _

# Of the extension QuantitativeReporting, by the name under which Slicer's DICOM module lists it.
_PLUGIN = "DICOMSegmentationPlugin"


def whyNotOffered() -> str:
    """Return why there is no export to DICOM SEG, "" if there is."""
    if getattr(slicer, "qSlicerDICOMExportDialog", None) is None:
        return _("This Slicer has no DICOM export.")
    if _PLUGIN not in getattr(slicer.modules, "dicomPlugins", {}):
        return _("Install the extension QuantitativeReporting to export DICOM SEG.")
    return ""


def openDialog(segmentationNode: Any, volumeNode: Any) -> None:
    """Open Slicer's export dialog on a segmentation."""
    # The export asks for a segmentation in the study of its volume.
    item = putIntoStudy(segmentationNode, volumeNode)
    dialog = slicer.qSlicerDICOMExportDialog()
    dialog.setMRMLScene(segmentationNode.GetScene())
    dialog.execDialog(item)
