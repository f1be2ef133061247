"""Reports bound to segmentations: the front door of the files beside it.

======================  ============================================================================================
``report_nodes``        a report as a text node, its sentences and the keys they keep over edits
``tying``               bind and unbind
``links``               the queries between reports, fields, sentences and segments
``segments``            writing the segments of sentences
``history``             steps back
``marks``               current, stale or orphan; edited by hand
``tags``                what a segment's tags say
``rebuilt``             a report made again from the tags of a segmentation that came alone
``observers``           keeping all this up to date while the scene changes
======================  ============================================================================================
"""

from __future__ import annotations

from LanguageSegmentLib.history import canStepBack, forgetSteps, stepBack
from LanguageSegmentLib.links import (
    fieldsOf,
    reportNodeOf,
    segmentationOf,
    segmentationsOf,
    segmentOf,
    segmentsOf,
    sentenceOf,
)
from LanguageSegmentLib.marks import SegmentState, isEditedByHand, markBindings, markEdits, segmentState
from LanguageSegmentLib.rebuilt import rebuildReport
from LanguageSegmentLib.report_nodes import (
    BoundSentence,
    createReportNode,
    isReportNode,
    markReportNode,
    reportNodes,
    reportOf,
    sentencesOf,
)
from LanguageSegmentLib.segments import SegmentRecord, editedSegments, putSegment, putSegments
from LanguageSegmentLib.tying import bind, unbind

__all__ = [
    "BoundSentence",
    "SegmentRecord",
    "SegmentState",
    "bind",
    "canStepBack",
    "createReportNode",
    "editedSegments",
    "fieldsOf",
    "forgetSteps",
    "isEditedByHand",
    "isReportNode",
    "markBindings",
    "markEdits",
    "markReportNode",
    "putSegment",
    "putSegments",
    "rebuildReport",
    "reportNodeOf",
    "reportNodes",
    "reportOf",
    "segmentOf",
    "segmentState",
    "segmentationOf",
    "segmentationsOf",
    "segmentsOf",
    "sentenceOf",
    "sentencesOf",
    "stepBack",
    "unbind",
]
