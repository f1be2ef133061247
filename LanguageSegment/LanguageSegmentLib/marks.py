"""Whether a segment still stands for its sentence and still is what the network made; both also marked in its tags.

Nothing here depends on having watched: a sentence is compared with the words the mask was made from, a mask with the
fingerprint it was given, so edits made while no module was loaded are found as well.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from LanguageSegmentLib import tags
from LanguageSegmentLib.links import segmentsIn, segmentWithId, sentenceOf
from LanguageSegmentLib.masks import maskFingerprint
from LMISCore.text.report import State
from LMISCore.volumes.fingerprint import same_mask

SegmentState = Literal["current", "stale", "orphan"]

_writing: dict[str, int] = {}


def segmentState(segmentationNode: Any, segmentId: str) -> SegmentState:
    """Return how a segment stands to its sentence.

    Returns:
        "current": the sentence reads as it did when the mask was made; "stale": it was rewritten since;
        "orphan": no report in the scene has it: it was deleted, or its report was, or the file came alone.

    Raises:
        ValueError: if the segmentation has no such segment.
    """
    sentence = sentenceOf(segmentationNode, segmentId)
    if sentence is None or not sentence.id:
        return "orphan"
    return "stale" if sentence.state is State.STALE else "current"


def isEditedByHand(segmentationNode: Any, segmentId: str) -> bool:
    """Tell whether a segment's mask is another than the network made; False for one that no network made.

    Compares voxels; for long lists that are shown often read ``tags.EDITED``, which a ``BindingObserver`` keeps true.

    Raises:
        ValueError: if the segmentation has no such segment.
    """
    segment = segmentWithId(segmentationNode, segmentId)
    made = tags.readTag(segment, tags.MASK)
    return made is not None and not same_mask(made, maskFingerprint(segmentationNode, segmentId))


def markBindings(segmentationNode: Any) -> None:
    """Bring the tag "Binding" of all segments that have a sentence up to date; masks are not looked at."""
    for segmentId, segment in segmentsIn(segmentationNode):
        if tags.readTag(segment, tags.SENTENCE) is not None:
            tags.writeTags(segment, {tags.BINDING: segmentState(segmentationNode, segmentId)})


def markEdits(segmentationNode: Any) -> list[str]:
    """Mark segments edited by hand, and those no longer so, in their tags; return the IDs of the edited ones.

    A mask without a fingerprint, as in files of other versions, gets one: edits are noticed from then on.
    """
    edited = []
    for segmentId, segment in segmentsIn(segmentationNode):
        if tags.readTag(segment, tags.SENTENCE) is None:
            continue
        if tags.readTag(segment, tags.MASK) is None:
            tags.writeTags(segment, {tags.MASK: maskFingerprint(segmentationNode, segmentId)})
        elif isEditedByHand(segmentationNode, segmentId):
            edited.append(segmentId)
            markEdited(segment)
            continue
        unmarkEdited(segment)
    return edited


def markEdited(segment: Any) -> None:
    """Write into a segment's tags that its mask was edited and which figures of the network's mask no longer hold."""
    if tags.readTag(segment, tags.EDITED) is not None:
        return
    figures = [key for key in (tags.VOLUME_ML, tags.AGREEMENT) if tags.readTag(segment, key) is not None]
    tags.writeTags(
        segment,
        {
            tags.EDITED: tags.EDITED_BY_HAND,
            tags.EDITED_DATE: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            tags.OUT_OF_DATE: ", ".join(figures) or None,
        },
    )


def unmarkEdited(segment: Any) -> None:
    """Remove what :func:`markEdited` wrote."""
    tags.writeTags(segment, {tags.EDITED: None, tags.EDITED_DATE: None, tags.OUT_OF_DATE: None})


@contextmanager
def writingMasks(segmentationNode: Any) -> Iterator[None]:
    """Tell whoever watches a segmentation that changes of its masks inside this block are not made by hand."""
    address = segmentationNode.GetAddressAsString("")
    _writing[address] = _writing.get(address, 0) + 1
    try:
        yield
    finally:
        _writing[address] -= 1
        if not _writing[address]:
            del _writing[address]


def isWritingMasks(segmentationNode: Any) -> bool:
    """Tell whether the segmentation's masks are being written by :func:`writingMasks`'s block."""
    return segmentationNode.GetAddressAsString("") in _writing
