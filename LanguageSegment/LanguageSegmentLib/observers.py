"""Keeping marks true while the scene changes: report edits, masks edited by hand, nodes removed, scenes imported.

The queries need none of this: they look at what stands in the scene. What is kept up to date here is what other
programs and views read, the tags "Binding" and "Edited", and that nothing refers to a node that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import slicer
import vtk

from LanguageSegmentLib import tags
from LanguageSegmentLib.history import forgetSteps
from LanguageSegmentLib.links import isTied, reportNodeOf, segmentationsOf, segmentsIn, tieOf
from LanguageSegmentLib.marks import isEditedByHand, isWritingMasks, markBindings, markEdited, markEdits
from LanguageSegmentLib.report_nodes import isReportNode, nodesOf, sentencesOf
from LanguageSegmentLib.tying import unbind

_Change = Callable[[], None]
_Handler = TypeVar("_Handler", bound=Callable[..., None])


def _handed(kind: Any) -> Callable[[_Handler], _Handler]:
    """``vtk.calldata_type`` with types: the handler is handed what the event carries."""
    decorator: Callable[[_Handler], _Handler] = vtk.calldata_type(kind)
    return decorator


class BindingObserver:
    """Watches one scene until :meth:`close`.

    Args:
        scene: to watch; what changed in it before is marked at once.
        onChange: called without arguments after a report, a tie or a mark changed, for a view to be redrawn.
    """

    def __init__(self, scene: Any, onChange: _Change | None = None) -> None:
        self._scene = scene
        self._onChange = onChange
        self._sceneTags: list[int] = []
        # Node -> its observations; a node is a key by its address, which it keeps while it is in the scene.
        self._watched: dict[str, tuple[Any, list[int]]] = {}
        # What a view shows of a node besides text and masks, to tell of its changes only.
        self._shown: dict[str, tuple[Any, ...]] = {}
        kinds = slicer.vtkMRMLScene
        for event, handler in (
            (kinds.NodeAddedEvent, self._onNodeAdded),
            (kinds.NodeRemovedEvent, self._onNodeRemoved),
            (kinds.StartCloseEvent, self._onStartClose),
            (kinds.EndImportEvent, self._onEndImport),
            (kinds.EndBatchProcessEvent, self._onEndImport),
        ):
            self._sceneTags.append(scene.AddObserver(event, handler))
        self.refresh()

    def close(self) -> None:
        """Stop watching; may be called twice."""
        for tag in self._sceneTags:
            self._scene.RemoveObserver(tag)
        self._sceneTags.clear()
        self._forget()

    def refresh(self) -> None:
        """Watch what is in the scene now and mark all that changed while nobody watched."""
        for kind in ("vtkMRMLTextNode", "vtkMRMLSegmentationNode"):
            for node in nodesOf(self._scene, kind):
                self._watch(node)
        for node in nodesOf(self._scene, "vtkMRMLSegmentationNode"):
            self._tidy(node)
            markEdits(node)
            markBindings(node)
        self._tell()

    def _watch(self, node: Any) -> None:
        address = node.GetAddressAsString("")
        if address in self._watched:
            return
        if node.IsA("vtkMRMLTextNode"):
            observations = [
                node.AddObserver(slicer.vtkMRMLTextNode.TextModifiedEvent, self._onReportEdited),
            ]
        else:
            segmentation = slicer.vtkSegmentation
            observations = [
                node.AddObserver(segmentation.SourceRepresentationModified, self._onMaskChanged),
                node.AddObserver(segmentation.SegmentAdded, self._onSegmentsChanged),
                node.AddObserver(segmentation.SegmentRemoved, self._onSegmentsChanged),
            ]
        observations.append(node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified))
        self._shown[address] = _shown(node)
        self._watched[address] = (node, observations)

    def _forget(self) -> None:
        for node, observations in self._watched.values():
            for tag in observations:
                node.RemoveObserver(tag)
        self._watched.clear()
        self._shown.clear()

    @_handed(vtk.VTK_OBJECT)
    def _onNodeAdded(self, caller: Any, event: str, node: Any) -> None:
        if not node.IsA("vtkMRMLTextNode") and not node.IsA("vtkMRMLSegmentationNode"):
            return
        self._watch(node)
        # While a scene is read, nodes come before what they refer to.
        if not self._scene.IsImporting() and node.IsA("vtkMRMLSegmentationNode"):
            markBindings(node)

    @_handed(vtk.VTK_OBJECT)
    def _onNodeRemoved(self, caller: Any, event: str, node: Any) -> None:
        _, observations = self._watched.pop(node.GetAddressAsString(""), (None, []))
        self._shown.pop(node.GetAddressAsString(""), None)
        for tag in observations:
            node.RemoveObserver(tag)
        if self._scene.IsClosing():
            return
        if node.IsA("vtkMRMLSegmentationNode"):
            forgetSteps(node)
            self._tell()
        elif isReportNode(node):
            for segmentationNode in nodesOf(self._scene, "vtkMRMLSegmentationNode"):
                self._tidy(segmentationNode)
                markBindings(segmentationNode)
            self._tell()

    def _onStartClose(self, caller: Any, event: str) -> None:
        for node, _ in self._watched.values():
            if node.IsA("vtkMRMLSegmentationNode"):
                forgetSteps(node)
        self._forget()

    def _onEndImport(self, caller: Any, event: str) -> None:
        if not self._scene.IsImporting() and not self._scene.IsClosing():
            self.refresh()

    def _onReportEdited(self, node: Any, event: str) -> None:
        if not isReportNode(node) or self._scene.IsImporting():
            return
        sentencesOf(node)  # one edit at a time keeps keys best
        for segmentationNode in segmentationsOf(node):
            markBindings(segmentationNode)
        self._tell()

    def _onNodeModified(self, node: Any, event: str) -> None:
        address = node.GetAddressAsString("")
        shown = _shown(node)
        if shown != self._shown.get(address):
            self._shown[address] = shown
            self._tell()

    # The segmentation's own event, passed on by its node. It names the segment, or none when several may have changed.
    @_handed(vtk.VTK_STRING)
    def _onMaskChanged(self, node: Any, event: str, segmentId: str = "") -> None:
        if self._scene.IsImporting() or isWritingMasks(node):
            return
        marked = [self._mark(node, each, segment) for each, segment in segmentsIn(node) if segmentId in ("", each)]
        if any(marked):
            self._tell()

    def _mark(self, node: Any, segmentId: str, segment: Any) -> bool:
        # Once marked it stays so while the user draws on; comparing after each stroke would slow the strokes.
        if tags.readTag(segment, tags.MASK) is None or tags.readTag(segment, tags.EDITED) is not None:
            return False
        if not isEditedByHand(node, segmentId):
            return False
        markEdited(segment)
        return True

    def _onSegmentsChanged(self, caller: Any, event: str) -> None:
        if not self._scene.IsImporting():
            self._tell()

    @staticmethod
    def _tidy(segmentationNode: Any) -> None:
        """Take the tie to a report off whose node is gone."""
        if isTied(segmentationNode) and reportNodeOf(segmentationNode) is None:
            unbind(segmentationNode)

    def _tell(self) -> None:
        if self._onChange is not None:
            self._onChange()


def _shown(node: Any) -> tuple[Any, ...]:
    if node.IsA("vtkMRMLTextNode"):  # which becomes a report by an attribute
        return isReportNode(node), node.GetName()
    return tieOf(node), node.GetName()
