"""A stand-in for qMRMLNodeComboBox: a combo box that follows the nodes of a scene.

Looked up in Slicer's Libs/MRML/Widgets/qMRMLNodeComboBox.h and .cxx: without a choice, and after the chosen node has
gone, the current node is None where ``noneEnabled`` is set; one that is not shown cannot be chosen.
"""

from __future__ import annotations

from typing import Any, ClassVar

import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal, Slot


class qMRMLNodeComboBox(QtWidgets.QWidget):
    SIGNALS: ClassVar = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged"}
    currentNodeChanged = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {"noneDisplay": "None", "nodeTypes": []}
        self._attributes: list[tuple[str, str]] = []
        self._scene: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._nodes: list[Any] = [None]
        self._current: Any = None
        self._combo = QtWidgets.QComboBox(self)
        policy = QtWidgets.QComboBox.SizeAdjustPolicy
        self._combo.setSizeAdjustPolicy(policy.AdjustToMinimumContentsLengthWithIcon)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._combo.currentIndexChanged.connect(self._onIndex)
        self._fill()

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        for watched, tag in self._tags:
            watched.RemoveObserver(tag)
        self._scene = scene
        self._tags = []
        if scene is not None:
            self._tags = [
                (scene, scene.AddObserver(scene.NodeAddedEvent, self._onAdded)),
                (scene, scene.AddObserver(scene.NodeRemovedEvent, self._onRemoved)),
            ]
        self._fill()

    @Slot(result=object)
    def mrmlScene(self) -> Any:
        return self._scene

    @Slot(result=object)
    def currentNode(self) -> Any:
        return self._current

    @Slot(object)
    def setCurrentNode(self, node: Any) -> None:
        """Choose a node, or None; one that is not shown is none."""
        self._fill()
        self._combo.setCurrentIndex(self._nodes.index(node) if node in self._nodes else 0)

    @Slot(str, str)
    def addAttribute(self, nodeType: str, attributeName: str) -> None:
        assert nodeType in self._values["nodeTypes"], nodeType
        self._attributes.append((nodeType, attributeName))
        self._fill()

    def _shown(self, node: Any) -> bool:
        if node.GetHideFromEditors() or not any(node.IsA(kind) for kind in self._values["nodeTypes"]):
            return False
        return all(node.GetAttribute(name) is not None for kind, name in self._attributes if node.IsA(kind))

    def _fill(self, without: Any = None) -> None:
        nodes = []
        if self._scene is not None:
            every = (self._scene.GetNthNode(number) for number in range(self._scene.GetNumberOfNodes()))
            nodes = [node for node in every if node is not without and self._shown(node)]
        blocked = self._combo.blockSignals(True)
        self._nodes = [None, *nodes]
        self._combo.clear()
        self._combo.addItems([self._values["noneDisplay"], *(node.GetName() or "" for node in nodes)])
        self._combo.setCurrentIndex(self._nodes.index(self._current) if self._current in self._nodes else 0)
        self._combo.blockSignals(blocked)
        self._onIndex()

    def _onIndex(self, number: int = 0) -> None:
        current = self._nodes[max(0, self._combo.currentIndex())]
        if current is not self._current:
            self._current = current
            self.currentNodeChanged.emit(current)

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _onAdded(self, scene: Any, event: str, node: Any) -> None:
        self._fill()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def _onRemoved(self, scene: Any, event: str, node: Any) -> None:
        self._fill(node)

    def _get(self, name: str) -> Any:
        return self._values.get(name, False)

    def _set(self, name: str, value: Any) -> None:
        self._values[name] = value
        self._fill()

    nodeTypes = Property(list, lambda self: self._get("nodeTypes"), lambda self, v: self._set("nodeTypes", v))
    noneDisplay = Property(str, lambda self: self._get("noneDisplay"), lambda self, v: self._set("noneDisplay", v))
    noneEnabled = Property(bool, lambda self: self._get("noneEnabled"), lambda self, v: self._set("noneEnabled", v))
    addEnabled = Property(bool, lambda self: self._get("addEnabled"), lambda self, v: self._set("addEnabled", v))
    removeEnabled = Property(
        bool, lambda self: self._get("removeEnabled"), lambda self, v: self._set("removeEnabled", v)
    )
    renameEnabled = Property(
        bool, lambda self: self._get("renameEnabled"), lambda self, v: self._set("renameEnabled", v)
    )
