"""The tie between a report and its segmentations, and the queries over it, in both directions.

A segmentation node refers to its report by a node reference, which scene import and copying carry over, and names the
fields it holds; a segment names its sentence by key. Nothing in a report points to a segmentation, so deleting one
leaves nothing behind.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from LanguageSegmentLib import tags
from LanguageSegmentLib.report_nodes import (
    BoundSentence,
    fieldNames,
    isReportNode,
    nodesOf,
    reportIdentity,
    sentenceWithKey,
)
from LanguageSegmentLib.sentence_keys import plain_words
from LMISCore.text.report import Span, State

ROLE = "languageSegmentReport"
"""Of the node reference from a segmentation to its report."""
FIELDS = "LanguageSegment.Fields"
"""Attribute: a JSON list of the fields a segmentation claims by name, or ``"*"``."""
REPORT = "LanguageSegment.ReportIdentity"
"""Attribute: identity of the report, which the node that the reference leads to must have."""
ALL = "*"
_ID_PREFIX = "lmis_"


def isTied(segmentationNode: Any) -> bool:
    """Tell whether a segmentation was bound, whether or not its report is still there."""
    return bool(segmentationNode.GetAttribute(REPORT))


def tieOf(segmentationNode: Any) -> tuple[str, str]:
    """Return all that ties a segmentation, to be compared: its report's node ID and the fields it claims."""
    return segmentationNode.GetNodeReferenceID(ROLE) or "", segmentationNode.GetAttribute(FIELDS) or ""


def reportNodeOf(segmentationNode: Any) -> Any:
    """Return the report that a segmentation is bound to, None if there is none in the scene."""
    node = segmentationNode.GetNodeReference(ROLE)
    # An ID left over from a deleted report may have come to name another node.
    if not isReportNode(node) or reportIdentity(node) != segmentationNode.GetAttribute(REPORT):
        return None
    return node


def segmentationsOf(reportNode: Any, field: str | None = None) -> list[Any]:
    """Return the segmentations bound to a report, in the scene's order; with a field only those that hold it."""
    scene = reportNode.GetScene()
    nodes = [] if scene is None else nodesOf(scene, "vtkMRMLSegmentationNode")
    bound = [node for node in nodes if reportNodeOf(node) is reportNode]
    return bound if field is None else [node for node in bound if field in fieldsOf(node)]


def segmentationOf(reportNode: Any, field: str) -> Any:
    """Return the segmentation that holds a field of a report, None if none does; of copies the first in the scene."""
    return next(iter(segmentationsOf(reportNode, field)), None)


def fieldsOf(segmentationNode: Any) -> list[str]:
    """Return the fields that a segmentation holds: those it claims, or all of the report that no other claims.

    Without a report in the scene these are the fields that its segments' tags name.
    """
    claimed = claimedFields(segmentationNode)
    if claimed is not None:
        return claimed
    reportNode = reportNodeOf(segmentationNode)
    if reportNode is None:
        named = (tags.readTag(segment, tags.FIELD) for _, segment in segmentsIn(segmentationNode))
        return list(dict.fromkeys(name for name in named if name is not None))
    others = {name for node in segmentationsOf(reportNode) for name in claimedFields(node) or ()}
    return [name for name in fieldNames(reportNode) if name not in others]


def sentenceOf(segmentationNode: Any, segmentId: str) -> BoundSentence | None:
    """Return the sentence of a segment: as its report has it, else as the segment's tags tell; None if it has none.

    Raises:
        ValueError: if the segmentation has no such segment.
    """
    segment = segmentWithId(segmentationNode, segmentId)
    words = tags.readTag(segment, tags.SENTENCE)
    state = _state(tags.readTag(segment, tags.STATE))
    current = _current(segmentationNode, segment)
    if current is not None:
        stale = words is not None and plain_words(words) != plain_words(current.text)
        return replace(current, state=State.STALE if stale else state)
    if words is None:
        return None
    key = tags.readTag(segment, tags.KEY) or segmentId.removeprefix(_ID_PREFIX)
    field = tags.readTag(segment, tags.FIELD) or ""
    return BoundSentence(key, "", words, field, spanOf(tags.readTag(segment, tags.SPAN)), state)


def segmentsOf(reportNode: Any, sentenceKey: str) -> list[tuple[Any, str]]:
    """Return every (segmentation node, segment ID) of a sentence, in the scene's order: several after copying."""
    return [
        (node, segmentId)
        for node in segmentationsOf(reportNode)
        for segmentId, segment in segmentsIn(node)
        if keyOf(node, segment) == sentenceKey
    ]


def segmentOf(reportNode: Any, sentenceKey: str) -> tuple[Any, str] | None:
    """Return the (segmentation node, segment ID) of a sentence, the first if there are copies; None if it has none."""
    return next(iter(segmentsOf(reportNode, sentenceKey)), None)


def segmentsIn(segmentationNode: Any) -> list[tuple[str, Any]]:
    """Return a segmentation's (segment ID, vtkSegment) in order."""
    segmentation = segmentationNode.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    return [(segmentation.GetNthSegmentID(number), segmentation.GetNthSegment(number)) for number in range(count)]


def segmentWithId(segmentationNode: Any, segmentId: str) -> Any:
    """Return the vtkSegment of that ID.

    Raises:
        ValueError: if the segmentation has none.
    """
    segment = segmentationNode.GetSegmentation().GetSegment(segmentId)
    if segment is None:
        raise ValueError(f"there is no segment {segmentId!r}")
    return segment


def keyOf(segmentationNode: Any, segment: Any) -> str | None:
    """Return the key of a segment's sentence in the report its segmentation is bound to; None if it has none there."""
    key = tags.readTag(segment, tags.KEY)
    # A segment that was copied over from another report's segmentation carries that report's identity.
    same = tags.readTag(segment, tags.REPORT) == segmentationNode.GetAttribute(REPORT)
    return key if key and same and isTied(segmentationNode) else None


def _current(segmentationNode: Any, segment: Any) -> BoundSentence | None:
    key = keyOf(segmentationNode, segment)
    reportNode = reportNodeOf(segmentationNode)
    return None if key is None or reportNode is None else sentenceWithKey(reportNode, key)


def claimedFields(segmentationNode: Any) -> list[str] | None:
    """Return the fields that a segmentation holds by name, None if it holds what others leave."""
    text = segmentationNode.GetAttribute(FIELDS)
    try:
        names = json.loads(text) if text else ALL
    except ValueError:
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def spanOf(text: str | None) -> Span:
    """Return the span that a tag such as "12-40" names; an empty one for any other text."""
    found = re.fullmatch(r"(\d+)-(\d+)", text or "")
    return Span(int(found[1]), int(found[2])) if found else Span(0, 0)


def _state(text: str | None) -> State | None:
    """Return the state that a tag such as "negated (forced)" names."""
    word = (text or "").partition(" (")[0]
    return State(word) if word in {state.value for state in State} else None
