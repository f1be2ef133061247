"""The batch table of a scene: which volumes wait with which report; it lies in the scene and is saved with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from LanguageSegmentLib.report_nodes import nodesOf
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError

ROLE = "LanguageSegment.BatchReport"
"""Of the node reference from a volume to the report that it waits with."""
_NAME = "LanguageSegment.BatchName"
_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class BatchPair:
    """A volume with its report.

    Attributes:
        name: of its results' folder, the same for as long as the volume is in the table.
        volumeNode, reportNode: of the scene.
    """

    name: str
    volumeNode: Any
    reportNode: Any


def addPair(volumeNode: Any, reportNode: Any) -> BatchPair:
    """Put a volume into the table, or give it another report.

    Raises:
        InputError: if one of them is missing, or the report is empty.
    """
    if volumeNode is None or volumeNode.GetScene() is None:
        raise InputError(_("No volume of the scene was given for the batch table; choose one."))
    if reportNode is None or not (reportNode.GetText() or "").strip():
        words = _("The volume '{name}' has no report to run; choose or type one.")
        raise InputError(words.format(name=volumeNode.GetName()))
    if not volumeNode.GetAttribute(_NAME):
        taken = {volume.GetAttribute(_NAME) for volume in _volumes(volumeNode.GetScene())}
        volumeNode.SetAttribute(_NAME, _freeName(volumeNode.GetName() or "", taken))
    volumeNode.SetNodeReferenceID(ROLE, reportNode.GetID())
    return BatchPair(volumeNode.GetAttribute(_NAME), volumeNode, reportNode)


def removePair(volumeNode: Any) -> None:
    """Take a volume out of the table; its results stay where they are."""
    volumeNode.RemoveNodeReferenceIDs(ROLE)
    volumeNode.RemoveAttribute(_NAME)


def pairsOf(scene: Any) -> list[BatchPair]:
    """The table of a scene, in the order of its volumes; one whose report was removed is not in it."""
    found = []
    for volumeNode in _volumes(scene):
        reportNode, name = volumeNode.GetNodeReference(ROLE), volumeNode.GetAttribute(_NAME)
        if reportNode is not None and name:
            found.append(BatchPair(name, volumeNode, reportNode))
    return found


def _volumes(scene: Any) -> list[Any]:
    return list(nodesOf(scene, "vtkMRMLVolumeNode"))


def _freeName(wanted: str, taken: set[str | None]) -> str:
    """A name that files can have, and no other volume of the table has, capitals aside."""
    plain = re.sub(r"[^\w\-]+", "_", wanted).strip("_")[:_LONGEST_NAME] or "volume"
    lower = {name.casefold() for name in taken if name}
    number, name = 1, plain
    while name.casefold() in lower:
        number += 1
        name = f"{plain}-{number}"
    return name
