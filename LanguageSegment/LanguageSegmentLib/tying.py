"""Tying a segmentation to a report and untying it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from LanguageSegmentLib import links, tags
from LanguageSegmentLib.marks import markBindings
from LanguageSegmentLib.masks import maskFingerprint
from LanguageSegmentLib.report_nodes import isReportNode, reportIdentity, sentencesOf
from LanguageSegmentLib.sentence_keys import plain_words


def bind(segmentationNode: Any, reportNode: Any, fields: Sequence[str] = ()) -> None:
    """Tie a segmentation to a report.

    Segments that carry a sentence of ours, from a file or another report, are matched with the report's sentences by
    field and words; one that matches none stays as an orphan.

    Args:
        segmentationNode: one report at a time; binding it again changes report or fields.
        reportNode: may have any number of segmentations.
        fields: names of the fields that this segmentation alone holds from now on; none for all the fields that no
            other segmentation of the report claims by name. "" is the name of text without headings.

    Raises:
        ValueError: if the nodes are of other kinds or not in one scene.
    """
    if segmentationNode is None or not segmentationNode.IsA("vtkMRMLSegmentationNode"):
        raise ValueError("only a vtkMRMLSegmentationNode can be bound to a report")
    if not isReportNode(reportNode):
        raise ValueError("a segmentation can be bound to a report node only; make one with createReportNode")
    scene = segmentationNode.GetScene()
    if scene is None or reportNode.GetScene() is not scene:
        raise ValueError("segmentation and report must be in one scene")
    if isinstance(fields, str):
        raise ValueError("fields must be a sequence of names, not one text")
    for other in links.segmentationsOf(reportNode):
        claimed = links.claimedFields(other)
        if other is not segmentationNode and claimed is not None and set(claimed) & set(fields):
            _claim(other, [name for name in claimed if name not in fields])
    segmentationNode.SetNodeReferenceID(links.ROLE, reportNode.GetID())
    segmentationNode.SetAttribute(links.REPORT, reportIdentity(reportNode))
    _claim(segmentationNode, list(dict.fromkeys(fields)) or None)
    matchSegments(segmentationNode)
    for segmentId, segment in links.segmentsIn(segmentationNode):
        if tags.readTag(segment, tags.SENTENCE) is not None and tags.readTag(segment, tags.MASK) is None:
            tags.writeTags(segment, {tags.MASK: maskFingerprint(segmentationNode, segmentId)})
    markBindings(segmentationNode)


def unbind(segmentationNode: Any) -> None:
    """Untie a segmentation from its report; its segments keep their tags."""
    segmentationNode.RemoveNodeReferenceIDs(links.ROLE)
    segmentationNode.RemoveAttribute(links.REPORT)
    segmentationNode.RemoveAttribute(links.FIELDS)
    markBindings(segmentationNode)


def matchSegments(segmentationNode: Any) -> None:
    """Give segments of files and of other reports the keys that their sentences have in the segmentation's report."""
    reportNode = links.reportNodeOf(segmentationNode)
    if reportNode is None:
        return
    identity = reportIdentity(reportNode)
    sentences = sentencesOf(reportNode)
    waiting: list[Any] = []
    taken = set()
    for _, segment in links.segmentsIn(segmentationNode):
        if tags.readTag(segment, tags.REPORT) == identity and tags.readTag(segment, tags.KEY):
            taken.add(tags.readTag(segment, tags.KEY))
        elif tags.readTag(segment, tags.SENTENCE) is not None:
            waiting.append(segment)
    for segment in waiting:
        field = tags.readTag(segment, tags.FIELD) or ""
        words = plain_words(tags.readTag(segment, tags.SENTENCE) or "")
        start = links.spanOf(tags.readTag(segment, tags.SPAN)).start
        fitting = [
            each
            for each in sentences
            if each.key not in taken and each.field == field and plain_words(each.text) == words
        ]
        if not fitting:
            continue
        # The same words may stand twice in a field.
        _, key = min((abs(each.span.start - start), each.key) for each in fitting)
        taken.add(key)
        tags.writeTags(segment, {tags.KEY: key, tags.REPORT: identity})


def _claim(segmentationNode: Any, fields: list[str] | None) -> None:
    segmentationNode.SetAttribute(links.FIELDS, json.dumps(links.ALL if fields is None else fields))
