"""Steps back: what segments were before they were last written, kept for each segmentation node while it lives.

Slicer's vtkSegmentationHistory goes back with all segments of a segmentation at once and so takes away what the user
drew in others meanwhile; it also keeps every layer whole. Here a step holds the written segments only, each as the
box around its mask, one bit a voxel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from LanguageSegmentLib.marks import isEditedByHand, markBindings, markEdits, writingMasks
from LanguageSegmentLib.masks import MaskBox, addSegment, readMask, writeMask
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.tying import matchSegments
from LMISCore.errors import InputError

MOST_STEPS = 5


@dataclass(frozen=True)
class _Before:
    """A segment as it was: its name, colour and tags, its mask if it had one, and its place in the list."""

    segment: Any
    mask: MaskBox | None
    place: int


_Step = dict[str, _Before | None]
_steps: dict[str, deque[_Step]] = {}
# What is called when a node goes. Kept here too: Python's collector empties a function that only a dying node refers
# to, and calling an empty one ends the program.
_forgetters: dict[str, Callable[..., None]] = {}


def saveStep(segmentationNode: Any, segmentIds: Iterable[str]) -> None:
    """Keep segments as they are now, to come back to; an ID without a segment is one that is about to be added.

    The oldest of more than ``MOST_STEPS`` steps is forgotten.
    """
    address = segmentationNode.GetAddressAsString("")
    if address not in _forgetters:
        _forgetters[address] = _forgetter(address)
        segmentationNode.AddObserver(vtk.vtkCommand.DeleteEvent, _forgetters[address])
    _steps.setdefault(address, deque(maxlen=MOST_STEPS))
    _steps[address].append({segmentId: _before(segmentationNode, segmentId) for segmentId in segmentIds})


def canStepBack(segmentationNode: Any) -> bool:
    """Tell whether there is a step to go back."""
    return bool(_steps.get(segmentationNode.GetAddressAsString("")))


def stepBack(segmentationNode: Any, replaceEdited: bool = False) -> bool:
    """Undo the last writing of segments: its segments become what they were, all others stay as they are.

    Args:
        segmentationNode: of which up to ``MOST_STEPS`` writings can be undone, the last one first.
        replaceEdited: also give up what was edited by hand in these segments since.

    Returns:
        whether there was a step to go back.

    Raises:
        InputError: if one of these segments was edited by hand since; nothing is changed then.
    """
    steps = _steps.get(segmentationNode.GetAddressAsString(""))
    if not steps:
        return False
    segmentation = segmentationNode.GetSegmentation()
    for segmentId in steps[-1]:
        segment = segmentation.GetSegment(segmentId)
        if segment is not None and not replaceEdited and isEditedByHand(segmentationNode, segmentId):
            raise InputError(
                _(
                    "The segment {name!r} was edited by hand, expected it as it was made; undo the edit first, or ask "
                    "for edited segments to be replaced."
                ).format(name=segment.GetName())
            )
    with writingMasks(segmentationNode):
        for segmentId, before in steps.pop().items():
            if before is not None:
                _restore(segmentationNode, segmentId, before)
            elif segmentation.GetSegment(segmentId) is not None:
                segmentation.RemoveSegment(segmentId)
    matchSegments(segmentationNode)  # the report may have been another one then
    markEdits(segmentationNode)
    markBindings(segmentationNode)
    return True


def forgetSteps(segmentationNode: Any) -> None:
    """Free the memory that a segmentation's steps take."""
    _steps.pop(segmentationNode.GetAddressAsString(""), None)


def _forgetter(address: str) -> Callable[..., None]:
    def forget(*_: Any) -> None:
        _steps.pop(address, None)
        _forgetters.pop(address, None)

    return forget


def _before(segmentationNode: Any, segmentId: str) -> _Before | None:
    segmentation = segmentationNode.GetSegmentation()
    segment = segmentation.GetSegment(segmentId)
    if segment is None:
        return None
    kept = slicer.vtkSegment()
    kept.DeepCopyMetadata(segment)
    return _Before(kept, readMask(segmentationNode, segmentId), segmentation.GetSegmentIndex(segmentId))


def _restore(segmentationNode: Any, segmentId: str, before: _Before) -> None:
    segmentation = segmentationNode.GetSegmentation()
    gone = segmentation.GetSegment(segmentId) is None
    name, colour = before.segment.GetName(), before.segment.GetColor()
    if gone and before.mask is not None:
        addSegment(segmentationNode, segmentId, name, colour, before.mask)
    elif gone:
        segmentation.AddEmptySegment(segmentId, name, colour)
    elif before.mask is None:
        segmentation.ClearSegment(segmentId)
    else:
        writeMask(segmentationNode, segmentId, before.mask)
    if gone:
        segmentation.SetSegmentIndex(segmentId, min(before.place, segmentation.GetNumberOfSegments() - 1))
    segment = segmentation.GetSegment(segmentId)
    # Segments that share a layer are told apart by their label, which is the layer's affair.
    label = segment.GetLabelValue()
    segment.DeepCopyMetadata(before.segment)
    segment.SetLabelValue(label)
