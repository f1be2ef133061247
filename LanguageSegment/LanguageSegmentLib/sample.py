"""The case that comes with the module, put into the scene: a chest CT and a report written for it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import slicer

from LanguageSegmentLib.report_nodes import createReportNode
from LanguageSegmentLib.volume_files import NOMINAL_SPACING
from LMISCore.errors import InputError
from LMISCore.inference.reading import read_report_text
from LMISCore.resources import resource

SAMPLE_NAME = "LanguageSegmentChestCT"
VOLUME_NAME = "Chest CT"
REPORT_NAME = "Chest CT report"
CATEGORY = "LanguageSegment"


def loadSample(scene: Any = None) -> tuple[Any, Any]:
    """Add the sample's volume and report to a scene and return both nodes.

    Args:
        scene: None takes ``slicer.mrmlScene``.

    Raises:
        InputError: if the installation lacks the sample.
    """
    scene = scene or slicer.mrmlScene
    about = json.loads(resource("sample", "sample.json").read_text(encoding="utf-8"))
    path = resource("sample", about["volume"])
    volumeNode = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", VOLUME_NAME)
    storageNode = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storageNode.SetFileName(str(path))
    try:
        if not storageNode.ReadData(volumeNode):
            scene.RemoveNode(volumeNode)
            raise InputError(f"The sample {path} could not be read; reinstall the extension.")
    finally:
        # Without it, saving the scene writes the volume anew and never into the installation.
        scene.RemoveNode(storageNode)
    if about.get("spacing_nominal"):
        volumeNode.SetAttribute(NOMINAL_SPACING, "1")
    volumeNode.CreateDefaultDisplayNodes()
    return volumeNode, createReportNode(read_report_text(resource("sample", about["report"])), REPORT_NAME, scene)


def sampleSource() -> dict[str, str]:
    """What SampleData needs to load the volume by name: where it lies on this computer and its checksum."""
    path = resource("sample", "chest_ct.nrrd")
    return {
        "uris": path.as_uri(),
        "fileNames": f"{SAMPLE_NAME}.nrrd",
        "nodeNames": VOLUME_NAME,
        "checksums": f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
    }
