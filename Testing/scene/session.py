"""A Slicer session without the application: a scene with its logics, and saving and loading as the application does.

``slicer.mrmlScene`` and ``slicer.modules.<name>.logic()`` stand as modules expect them, so that ``slicer.util`` works.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk


class _Module:
    """What ``slicer.modules.<name>`` is to a script: something with a logic."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class SlicerSession:
    """One scene and the logics that observe it, as the application sets them up at start.

    Attributes:
        scene: the scene, also ``slicer.mrmlScene`` while the session is open.
        application: the application logic that the others share.
        logics: module logics by the module's name in lower case.
    """

    def __init__(self, folder: Path) -> None:
        # The colour logic looks for the application's tables and complains without their folder.
        (folder / "share" / "ColorFiles").mkdir(parents=True, exist_ok=True)
        self.scene = slicer.vtkMRMLScene()
        self.scene.SetRootDirectory(str(folder))
        self.application = slicer.vtkSlicerApplicationLogic()
        # Bundles are unpacked here; without it the current folder would be used.
        self.application.SetTemporaryPath(str(folder))
        self.application.SetHomeDirectory(str(folder))
        self.application.SetShareDirectory("share")
        self.application.SetMRMLScene(self.scene)
        self.logics: dict[str, Any] = {
            "colors": slicer.vtkSlicerColorLogic(),
            "volumes": slicer.vtkSlicerVolumesLogic(),
            "subjecthierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic(),
            "segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        }
        for name, logic in self.logics.items():
            self.application.SetModuleLogic(name.capitalize(), logic)
            logic.SetMRMLApplicationLogic(self.application)
            logic.SetMRMLScene(self.scene)
        # Reading a bundle asks for these, even where nothing is fetched from afar.
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._remote.SetMRMLScene(self.scene)
        self._data = slicer.vtkDataIOManagerLogic()
        self._data.SetMRMLApplicationLogic(self.application)
        self._data.SetAndObserveDataIOManager(self._remote.GetDataIOManager())
        self._remote.AddDataIOToScene()
        self._before = {name: getattr(slicer, name, None) for name in ("mrmlScene", "modules")}
        self.enter()

    def enter(self) -> None:
        """Make this the session that ``slicer.mrmlScene`` and ``slicer.modules`` name."""
        slicer.mrmlScene = self.scene
        slicer.modules = SimpleNamespace(**{name: _Module(logic) for name, logic in self.logics.items()})

    def close(self) -> None:
        """Empty the scene and give ``slicer`` back as it was."""
        self.scene.Clear(True)
        self._data.SetMRMLApplicationLogic(None)
        self._remote.RemoveDataIOFromScene()
        for name, value in self._before.items():
            if value is None:
                delattr(slicer, name)
            else:
                setattr(slicer, name, value)

    def volume(
        self,
        shape: tuple[int, int, int] = (7, 8, 9),
        axes: np.ndarray | None = None,
        spacing: tuple[float, float, float] = (0.7, 1.1, 2.5),
        origin: tuple[float, float, float] = (12.3, -45.6, 78.9),
        name: str = "CT",
    ) -> Any:
        """Add a volume of ``shape`` (K, J, I); ``axes`` are unit vectors of i, j, k in RAS as columns, mm elsewhere."""
        node = self.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        matrix = np.eye(4)
        matrix[:3, :3] = (np.eye(3) if axes is None else axes) * np.array(spacing)
        matrix[:3, 3] = origin
        to_ras = vtk.vtkMatrix4x4()
        to_ras.DeepCopy(matrix.ravel().tolist())
        node.SetIJKToRASMatrix(to_ras)
        values = np.arange(int(np.prod(shape)), dtype=np.int16).reshape(shape)
        slicer.util.updateVolumeFromArray(node, values)
        return node

    def save(self, path: Path) -> None:
        """Save the scene to ``path``: a bundle (.mrb), or a .mrml with a file beside it for each node that has data."""
        if path.suffix == ".mrb":
            assert self.scene.WriteToMRB(str(path))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self.scene.SetRootDirectory(str(path.parent))
        self.scene.SetURL(str(path))
        for node in self.nodes("vtkMRMLStorableNode"):
            if not node.GetSaveWithScene() or not _has_data(node):
                continue
            node.AddDefaultStorageNode()
            storage = node.GetStorageNode()
            if storage is None:  # kept in the scene file itself
                continue
            storage.SetFileName(str(path.parent / f"{node.GetID()}.{storage.GetDefaultWriteFileExtension()}"))
            assert storage.WriteData(node) == 1, node.GetID()
        assert self.scene.Commit(str(path)) == 1

    def load(self, path: Path) -> None:
        """Close the scene and load another in its place."""
        self.scene.Clear(False)
        self.add(path)

    def add(self, path: Path) -> None:
        """Import a scene into the present one; nodes whose IDs are taken get others."""
        if path.suffix == ".mrb":
            assert self.scene.ReadFromMRB(str(path), False)
            return
        self.scene.SetRootDirectory(str(path.parent))
        self.scene.SetURL(str(path))
        assert self.scene.Import() == 1

    def segmentation_from(self, path: Path) -> Any:
        """Load a segmentation file as the application does."""
        node = self.logics["segmentations"].LoadSegmentationFromFile(str(path), True)
        assert node is not None
        return node

    def nodes(self, kind: str) -> list[Any]:
        """Return the scene's nodes of a class, in order."""
        return [
            self.scene.GetNthNodeByClass(number, kind) for number in range(self.scene.GetNumberOfNodesByClass(kind))
        ]


def _has_data(node: Any) -> bool:
    return not node.IsA("vtkMRMLVolumeNode") or node.GetImageData() is not None
