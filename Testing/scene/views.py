"""Slicer's slice and 3-D views without the application: its displayable managers draw into an offscreen window.

The application adds only the image of a slice by itself (CTK's light box renderer manager); one image actor stands here
in its place. Everything else on the pictures, segments above all, is drawn by Slicer's own managers.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

Picture = npt.NDArray[np.uint8]
"""(H, W, 3), first row on top."""

# VTK crashes where it finds neither EGL nor OSMesa nor an X server, so another process tries.
_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(4, 4)
renderer = vtk.vtkRenderer()
renderer.SetBackground(1, 0, 0)
window.AddRenderer(renderer)
window.Render()
taken = vtk.vtkWindowToImageFilter()
taken.SetInput(window)
taken.Update()
print("rendered", *(taken.GetOutput().GetScalarComponentAsDouble(1, 1, 0, channel) for channel in range(3)))
"""
_SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D",)
_SPACE_MANAGERS = ("vtkMRMLModelDisplayableManager", "vtkMRMLSegmentationsDisplayableManager3D")


@cache
def can_render() -> bool:
    """Tell whether this machine draws offscreen: it has EGL (Mesa's libegl1 does), OSMesa, or a display."""
    result = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, encoding="utf-8", timeout=120)
    return "rendered 255.0 0.0 0.0" in result.stdout


class _View:
    """An offscreen window with one renderer and the managers that draw a view node into it."""

    def __init__(self, application: Any, factory: Any, managers: tuple[str, ...], size: tuple[int, int]) -> None:
        self._window = vtk.vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetSize(*size)
        self.renderer = vtk.vtkRenderer()
        self._window.AddRenderer(self.renderer)
        # The managers ask the window for one.
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        factory.SetMRMLApplicationLogic(application)
        for manager in managers:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)
        self._group.Initialize(factory, self.renderer)

    def _draw(self, node: Any) -> None:
        self._group.SetMRMLDisplayableNode(node)

    def picture(self) -> Picture:
        """Draw and return the pixels."""
        self._window.Render()
        taken = vtk.vtkWindowToImageFilter()
        taken.SetInput(self._window)
        taken.ReadFrontBufferOff()
        taken.Update()
        width, height, _ = taken.GetOutput().GetDimensions()
        pixels = vtk_to_numpy(taken.GetOutput().GetPointData().GetScalars()).reshape(height, width, 3)
        return np.ascontiguousarray(pixels[::-1]).astype(np.uint8)

    def close(self) -> None:
        """Let go of the scene and the window."""
        self._group.SetMRMLDisplayableNode(None)
        self._interactor.SetRenderWindow(None)
        self._window.Finalize()


class SliceView(_View):
    """One slice through a volume, with the segments that lie on it.

    Attributes:
        node: the slice node: orientation, place, field of view.
    """

    def __init__(self, application: Any, scene: Any, name: str, orientation: str, size: tuple[int, int]) -> None:
        """Add a slice node to the scene.

        Args:
            application: vtkMRMLApplicationLogic of the scene.
            scene: whose segmentations are shown.
            name: such as "Red".
            orientation: axial, coronal or sagittal.
            size: width, height in pixels.
        """
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        super().__init__(application, factory, _SLICE_MANAGERS, size)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application)
        self._logic.SetMRMLScene(scene)
        self.node = self._logic.AddSliceNode(name)
        self._logic.ResizeSliceNode(*size)
        getattr(self.node, f"SetOrientationTo{orientation.capitalize()}")()
        self._mapper = vtk.vtkImageMapper()
        # The slice logic has applied window and level: what comes is 0 to 255.
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        image = vtk.vtkActor2D()
        image.SetMapper(self._mapper)
        image.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(image)
        self._draw(self.node)

    def show(self, volumeNode: Any, ras: npt.ArrayLike, zoom: float = 1.0) -> None:
        """Show the slice through the point ``ras`` (mm), the volume filling the view ``zoom``-fold."""
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(volumeNode.GetID())
        self._logic.FitSliceToAll()
        width, height, depth = self.node.GetFieldOfView()
        self.node.SetFieldOfView(width / zoom, height / zoom, depth)
        self.node.JumpSliceByOffsetting(*(float(value) for value in np.asarray(ras)))
        self.node.UpdateMatrices()
        self._logic.UpdatePipeline()
        # Only a slice with a volume has one.
        self._mapper.SetInputConnection(self._logic.GetImageDataConnection())

    def show_in_space(self) -> None:
        """Let 3-D views show the slice where it lies."""
        self.node.SetSliceVisible(True)
        self._logic.UpdatePipeline()

    def ras(self) -> npt.NDArray[np.float64]:
        """Return the place in RAS, mm, of each pixel's middle: (H, W, 3)."""
        matrix = self.node.GetXYToRAS()
        to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
        width, height, _ = self.node.GetDimensions()
        y, x = np.meshgrid(np.arange(height)[::-1], np.arange(width), indexing="ij")
        points = np.stack([x, y, np.zeros_like(x), np.ones_like(x)], axis=-1)
        return np.asarray((points @ to_ras.T)[..., :3])

    def close(self) -> None:
        self._logic.SetMRMLScene(None)
        super().close()


class SpaceView(_View):
    """The 3-D view: surfaces of the segments, and slices that are shown in space."""

    def __init__(self, application: Any, scene: Any, size: tuple[int, int]) -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        super().__init__(application, factory, _SPACE_MANAGERS, size)
        self._window.SetMultiSamples(8)
        self.renderer.GradientBackgroundOn()
        # Slicer's own colours of the 3-D view.
        self.renderer.SetBackground(0.4549, 0.4706, 0.7451)
        self.renderer.SetBackground2(0.7569, 0.7647, 0.9098)
        self._light = vtk.vtkLightKit()
        self._light.AddLightsToRenderer(self.renderer)
        self.node = scene.AddNewNodeByClass("vtkMRMLViewNode")
        self._draw(self.node)

    def look(self, direction: npt.ArrayLike, zoom: float = 1.0) -> None:
        """Look along ``direction`` (RAS) at all that is shown, the head up."""
        camera = self.renderer.GetActiveCamera()
        centre = np.array(self._bounds()).reshape(3, 2).mean(axis=1)
        camera.SetFocalPoint(*centre)
        camera.SetPosition(*(centre - np.asarray(direction, dtype=float)))
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera()
        camera.Zoom(zoom)
        self.renderer.ResetCameraClippingRange()

    def place(self, ras: npt.ArrayLike) -> tuple[float, float]:
        """Return row and column of a point (RAS, mm) on the picture."""
        self.renderer.SetWorldPoint(*np.asarray(ras, dtype=float), 1.0)
        self.renderer.WorldToDisplay()
        column, row, _ = self.renderer.GetDisplayPoint()
        return self._window.GetSize()[1] - 1 - row, column

    def _bounds(self) -> tuple[float, ...]:
        self._window.Render()
        return tuple(self.renderer.ComputeVisiblePropBounds())
