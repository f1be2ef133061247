"""Watching what the findings table shows but the binding does not: names, colours, visibility, the segment chosen.

A segment is chosen in a Segment Editor, or by the crosshair, which moves while Shift is held over a view. The table of
the module Segmentations and the 3D view keep what is chosen in them to themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import slicer
import vtk

from LanguageSegmentLib.focus import chosenInEditor
from LanguageSegmentLib.pointing import segmentAt
from LanguageSegmentLib.report_nodes import nodesOf


class SceneWatch:
    """Follows some segmentations, all Segment Editors and the crosshair of a scene until :meth:`close`.

    Args:
        scene: to watch.
        onChange: called when a followed segmentation looks different.
        onChosen: called with (segmentation node, segment ID) when another segment is chosen, see above.
    """

    def __init__(self, scene: Any, onChange: Callable[[], None], onChosen: Callable[[Any, str], None]) -> None:
        self._scene = scene
        self._onChange = onChange
        self._onChosen = onChosen
        self._observed: list[tuple[Any, int]] = []
        self._editors: list[tuple[Any, int]] = []
        self._chosen: tuple[str, str] | None = None
        self._followed: list[Any] = []
        self._pointed: tuple[str, str] | None = None
        self._place: tuple[float, ...] = ()
        self._added = scene.AddObserver(scene.NodeAddedEvent, self._onNodeAdded)
        self._onNodeAdded()

    def follow(self, segmentationNodes: Iterable[Any]) -> None:
        """Follow these segmentations and no others."""
        self._letGo()
        self._followed = list(segmentationNodes)
        for node in self._followed:
            self._observe(node, slicer.vtkSegmentation.SegmentModified)
            display = node.GetDisplayNode()
            if display is not None:
                self._observe(display, vtk.vtkCommand.ModifiedEvent)

    def close(self) -> None:
        """Stop watching; may be called twice."""
        self._letGo()
        for node, tag in self._editors:
            node.RemoveObserver(tag)
        self._editors.clear()
        if self._added is not None:
            self._scene.RemoveObserver(self._added)
            self._added = None

    def _observe(self, node: Any, event: Any) -> None:
        self._observed.append((node, node.AddObserver(event, lambda *_: self._onChange())))

    def _letGo(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def _onNodeAdded(self, caller: Any = None, event: str = "") -> None:
        followed = [node for node, _tag in self._editors]
        for kind, handler in (("SegmentEditor", self._onEditor), ("Crosshair", self._onCrosshair)):
            for node in nodesOf(self._scene, f"vtkMRML{kind}Node"):
                if node not in followed:
                    self._editors.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, handler)))

    def _onCrosshair(self, crosshairNode: Any, event: str) -> None:
        place = tuple(crosshairNode.GetCrosshairRAS())
        if place == self._place:
            return
        self._place = place
        found = segmentAt(self._followed, place)
        pointed = None if found is None else (found[0].GetID(), found[1])
        if found is not None and pointed != self._pointed:
            self._onChosen(*found)
        self._pointed = pointed

    def _onEditor(self, editorNode: Any, event: str) -> None:
        found = chosenInEditor(editorNode)
        chosen = None if found is None else (found[0].GetID(), found[1])
        # The node changes with every stroke and effect; only another choice counts.
        if found is not None and chosen != self._chosen:
            self._onChosen(*found)
        self._chosen = chosen
