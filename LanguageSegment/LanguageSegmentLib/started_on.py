"""What a run was started on: a scene that may be closed meanwhile, and volumes that may be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import geometryOf
from LMISCore.errors import InputError


def sceneOf(volumeNode: Any) -> Any:
    """The scene that a volume is in.

    Raises:
        InputError: if it is in none.
    """
    scene = volumeNode.GetScene()
    if scene is None:
        raise InputError(
            _("The volume {name!r} is in no scene; add it to one first.").format(name=volumeNode.GetName())
        )
    return scene


class SceneClosing:
    """Notices that a scene is closed, until :meth:`close`.

    Args:
        scene: to watch.
        onClose: called when the scene is about to be closed.

    Attributes:
        isClosed: whether that has happened.
    """

    def __init__(self, scene: Any, onClose: Callable[[], None]) -> None:
        self.isClosed = False
        self._scene = scene
        self._onClose = onClose
        self._observation: int | None = scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._onStartClose)

    def close(self) -> None:
        """Notice nothing more; may be called twice."""
        if self._observation is not None:
            self._scene.RemoveObserver(self._observation)
            self._observation = None

    def _onStartClose(self, caller: Any, event: str) -> None:
        self.isClosed = True
        self._onClose()


class SeenVolume:
    """A volume as it was when this was made.

    Args:
        volumeNode: the volume.

    Raises:
        InputError: if it holds no image.
    """

    def __init__(self, volumeNode: Any) -> None:
        self._node = volumeNode
        self._geometry = geometryOf(volumeNode)
        self._changed = volumeNode.GetImageData().GetMTime()

    def isUnchanged(self) -> bool:
        """Whether the volume has the same voxels on the same grid still."""
        image = self._node.GetImageData()
        return (
            image is not None and image.GetMTime() == self._changed and geometryOf(self._node).same_as(self._geometry)
        )
