"""A report made again from a segmentation that came without one, such as a single .seg.nrrd file."""

from __future__ import annotations

from typing import Any

from LanguageSegmentLib.links import segmentsIn, sentenceOf
from LanguageSegmentLib.report_nodes import BoundSentence, createReportNode
from LanguageSegmentLib.tying import bind
from LMISCore.errors import InputError


def rebuildReport(segmentationNode: Any, name: str = "Report") -> Any:
    """Add a report with the sentences that the segments' tags tell, field by field, bind it and return its text node.

    Sentences that had no segment are not in it.

    Raises:
        InputError: if no segment tells of a sentence.
    """
    sentences = [sentenceOf(segmentationNode, segmentId) for segmentId, _ in segmentsIn(segmentationNode)]
    found = sorted((each for each in sentences if each is not None), key=lambda each: each.span.start)
    if not found:
        raise InputError(
            f"No segment of {segmentationNode.GetName()} tells of a sentence; expected segments made from a report; "
            "load the report beside it."
        )
    node = createReportNode(_text(found), name, segmentationNode.GetScene())
    bind(segmentationNode, node)
    return node


def _text(sentences: list[BoundSentence]) -> str:
    # Text without a heading can only stand before the first one.
    fields = sorted(dict.fromkeys(each.field for each in sentences), key=bool)
    parts = []
    for field in fields:
        said = dict.fromkeys(each.text for each in sentences if each.field == field)
        # A blank line parts sentences, whatever signs they end with.
        parts.append("\n\n".join([*([f"{field}:"] if field else []), *said]))
    return "\n\n".join(parts) + "\n"
