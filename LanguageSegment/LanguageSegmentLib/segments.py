"""Writing segments of sentences: in place on a re-run, undoable, never over a hand edit that was not given up."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from LanguageSegmentLib import tags
from LanguageSegmentLib.history import saveStep
from LanguageSegmentLib.links import keyOf, reportNodeOf, segmentsIn
from LanguageSegmentLib.marks import isEditedByHand, markBindings, unmarkEdited, writingMasks
from LanguageSegmentLib.masks import MaskBox, addSegment, boxOf, gridMatrix, writeMask
from LanguageSegmentLib.report_nodes import keyWasGiven, reportIdentity, sentenceWithKey
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError
from LMISCore.volumes.packed import PackedMask

_ID_PREFIX = "lmis_"


@dataclass(frozen=True, eq=False)
class SegmentRecord:
    """What one sentence gets.

    Attributes:
        sentenceKey: of the sentence, see ``BoundSentence.key``.
        mask: bool (K, J, I) on the volume node's own grid, packed, or made ready; None or without any voxel: the
            sentence gets no segment, and the one it had goes.
        name, colour: shown to the user; red, green, blue from 0 to 1. A name or colour that the user changed is kept.
        tags: plain text by key, such as ``CaseResult.tags`` gives; "Sentence", "Field" and "Span" tell what the network
            was asked and are taken from the report as it stands where they lack.
        terminology: Slicer's terminology entry as text, or None.
    """

    sentenceKey: str
    mask: npt.NDArray[np.bool_] | PackedMask | MaskBox | None
    name: str
    colour: tuple[float, float, float]
    tags: Mapping[str, str] = field(default_factory=dict)
    terminology: str | None = None


def putSegment(
    segmentationNode: Any,
    volumeNode: Any,
    *,
    sentenceKey: str,
    mask: npt.NDArray[np.bool_] | None,
    name: str,
    colour: tuple[float, float, float],
    tags: Mapping[str, str],
    terminology: str | None = None,
    replaceEdited: bool = False,
) -> str | None:
    """Write the segment of one sentence and return its ID; see :func:`putSegments`."""
    record = SegmentRecord(sentenceKey, mask, name, colour, tags, terminology)
    return putSegments(segmentationNode, volumeNode, [record], replaceEdited=replaceEdited)[0]


def putSegments(
    segmentationNode: Any,
    volumeNode: Any,
    records: Sequence[SegmentRecord],
    *,
    replaceEdited: bool | Collection[str] = False,
    newStep: bool = True,
) -> list[str | None]:
    """Write the segments of several sentences as one step that can be undone.

    A sentence's segment is replaced in place: same ID, same place in the list.

    Args:
        segmentationNode: bound to the report that has the sentences.
        volumeNode: on whose grid the masks lie. An empty segmentation takes its geometry and its parent transform.
        records: at most one for each sentence.
        replaceEdited: True to replace masks edited by hand as well, or the keys of the sentences for which to.
        newStep: False writes as part of the step before, which must have been for the same sentences; then one step
            back undoes both.

    Returns:
        the ID of each record's segment, None where it has none.

    Raises:
        InputError: if a segment to be replaced was edited by hand, or the segmentation cannot take label maps or
            is under another transform. Nothing is written then.
        ValueError: if the segmentation is not bound, a key is not of its report, or a mask is not on the volume's grid.
    """
    reportNode = reportNodeOf(segmentationNode)
    if reportNode is None:
        raise ValueError("the segmentation is not bound to a report; call bind first")
    _check(reportNode, volumeNode, records)
    existing = {keyOf(segmentationNode, segment): segmentId for segmentId, segment in reversed(_own(segmentationNode))}
    for record in records:
        given = record.sentenceKey in replaceEdited if isinstance(replaceEdited, Collection) else replaceEdited
        if record.sentenceKey in existing and not given:
            _refuseEdited(segmentationNode, existing[record.sentenceKey])
    _prepare(segmentationNode, volumeNode)
    matrix = gridMatrix(volumeNode, segmentationNode)
    segmentation = segmentationNode.GetSegmentation()
    places = [existing.get(record.sentenceKey) for record in records]
    boxes = [_box(record.mask, matrix) for record in records]
    ids: list[str | None] = []
    for record, place, box in zip(records, places, boxes, strict=True):
        ids.append(place or (None if box is None else _newId(segmentation, record.sentenceKey, ids)))
    if newStep:
        saveStep(segmentationNode, [each for each in ids if each is not None])
    with writingMasks(segmentationNode):
        for number, (record, box) in enumerate(zip(records, boxes, strict=True)):
            segmentId = ids[number]
            if segmentId is not None and box is not None:
                _write(segmentationNode, segmentId, record, box, reportNode)
            elif segmentId is not None:
                segmentation.RemoveSegment(segmentId)
                ids[number] = None
    markBindings(segmentationNode)
    return ids


def editedSegments(segmentationNode: Any) -> list[str]:
    """Return the IDs of the segments of sentences whose masks were edited by hand; compares every mask."""
    return [segmentId for segmentId, _ in _own(segmentationNode) if isEditedByHand(segmentationNode, segmentId)]


def _own(segmentationNode: Any) -> list[tuple[str, Any]]:
    return [item for item in segmentsIn(segmentationNode) if keyOf(segmentationNode, item[1]) is not None]


def _check(reportNode: Any, volumeNode: Any, records: Sequence[SegmentRecord]) -> None:
    shape = volumeNode.GetImageData().GetDimensions()[::-1]
    if len({record.sentenceKey for record in records}) < len(records):
        raise ValueError("two records are for one sentence")
    for record in records:
        if not keyWasGiven(reportNode, record.sentenceKey):
            raise ValueError(f"no sentence of the report has or had the key {record.sentenceKey!r}")
        mask = record.mask.packed if isinstance(record.mask, MaskBox) else record.mask
        if isinstance(mask, np.ndarray) and (mask.shape != shape or mask.dtype != np.bool_):
            raise ValueError(f"mask must be bool {shape}, got {mask.dtype} {mask.shape}")
        if isinstance(mask, PackedMask) and any(np.add(mask.first, mask.shape) > shape):
            raise ValueError(f"mask must lie within {shape}, got {mask.shape} at {mask.first}")


def _box(mask: npt.NDArray[np.bool_] | PackedMask | MaskBox | None, matrix: npt.NDArray[np.float64]) -> MaskBox | None:
    if not isinstance(mask, MaskBox):
        return boxOf(mask, matrix)
    # What was made ready for another place has to be made again.
    return mask if np.array_equal(mask.matrix, matrix) else MaskBox(mask.packed, matrix)


def _refuseEdited(segmentationNode: Any, segmentId: str) -> None:
    if isEditedByHand(segmentationNode, segmentId):
        name = segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
        raise InputError(
            _(
                "The segment {name!r} was edited by hand, expected it as it was made; it is kept: leave its sentence "
                "out, or ask for edited segments to be replaced."
            ).format(name=name)
        )


def _prepare(segmentationNode: Any, volumeNode: Any) -> None:
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetNumberOfSegments() == 0:
        segmentationNode.SetSourceRepresentationToBinaryLabelmap()
        segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    elif not segmentation.IsSourceRepresentationImageData():
        raise InputError(
            _(
                "The segmentation {name} is kept as {kind}, expected Binary labelmap; make that its source "
                "representation in the Segmentations module."
            ).format(name=segmentationNode.GetName(), kind=segmentation.GetSourceRepresentationName())
        )
    if segmentationNode.GetDisplayNode() is None:
        segmentationNode.CreateDefaultDisplayNodes()
    if segmentationNode.GetNodeReference(segmentationNode.GetReferenceImageGeometryReferenceRole()) is None:
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)


def _newId(segmentation: Any, sentenceKey: str, others: Sequence[str | None]) -> str:
    wanted = _ID_PREFIX + re.sub(r"[^A-Za-z0-9_.-]+", "_", sentenceKey)
    found = segmentation.GenerateUniqueSegmentID(wanted)
    number = 1
    while found in others or segmentation.GetSegment(found) is not None:
        number += 1
        found = f"{wanted}_{number}"
    return str(found)


def _write(segmentationNode: Any, segmentId: str, record: SegmentRecord, box: MaskBox, reportNode: Any) -> None:
    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId)
    if segment is None:
        addSegment(segmentationNode, segmentId, record.name, record.colour, box)
        segment = segmentation.GetSegment(segmentId)
        keepsName = keepsColour = False
    else:
        keepsName = segment.GetName() != (tags.readTag(segment, tags.NAME) or segment.GetName())
        keepsColour = _colourText(segment.GetColor()) != (
            tags.readTag(segment, tags.COLOUR) or _colourText(segment.GetColor())
        )
        writeMask(segmentationNode, segmentId, box)
    if not keepsName:
        segment.SetName(record.name)
    if not keepsColour:
        segment.SetColor(*record.colour)
    if record.terminology is not None:
        segment.SetTerminology(record.terminology)
    unmarkEdited(segment)
    sentence = sentenceWithKey(reportNode, record.sentenceKey)
    about: dict[str, str | None] = dict.fromkeys(tags.MADE)
    if sentence is not None:
        span = f"{sentence.span.start}-{sentence.span.end}"
        about.update({tags.SENTENCE: sentence.text, tags.FIELD: sentence.field, tags.SPAN: span})
    about[tags.VOLUME_ML] = f"{box.volume_ml:.3f}"
    about.update(record.tags)
    about.update(
        {
            tags.KEY: record.sentenceKey,
            tags.REPORT: reportIdentity(reportNode),
            tags.MASK: box.fingerprint,
            tags.NAME: record.name,
            tags.COLOUR: _colourText(record.colour),
        }
    )
    tags.writeTags(segment, about)


def _colourText(colour: Sequence[float]) -> str:
    return " ".join(f"{part:.4f}" for part in colour)
