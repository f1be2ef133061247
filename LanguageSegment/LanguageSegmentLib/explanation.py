"""Explanation maps of one sentence: run by the worker, kept as files, and one at a time a volume of the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LanguageSegmentLib.map_files import readingMap
from LanguageSegmentLib.portions import Portions, Work, allAtOnce
from LanguageSegmentLib.runner import SubprocessRunner, WorkerRunner
from LanguageSegmentLib.started_on import SceneClosing, SeenVolume, sceneOf
from LanguageSegmentLib.temporary import temporaryFolder
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import writingNode
from LanguageSegmentLib.worker_messages import JobMessages, Progress
from LMISCore.errors import Cancelled, InputError

MAP_ATTRIBUTE = "LanguageSegment.Explanation"
_COLOURS = "vtkMRMLColorTableNodeFileColdToHotRainbow.txt"


@dataclass(frozen=True)
class ExplanationMap:
    """One map.

    Attributes:
        name: such as "similarity_1".
        meaning: what it shows, in words.
        path: file on the volume's grid.
        lowest, highest: of its values.
    """

    name: str
    meaning: str
    path: Path
    lowest: float
    highest: float


@dataclass(frozen=True)
class Explanation:
    """The maps of one sentence.

    Attributes:
        sentence: what was sent to the network.
        volumeNode: on whose grid they lie.
        maps: the probability first.
        folder: temporary, which holds the files until :meth:`close`.
    """

    sentence: str
    volumeNode: Any
    maps: tuple[ExplanationMap, ...]
    folder: Any

    def close(self) -> None:
        """Remove the files; maps that are in the scene stay."""
        self.folder.cleanup()


class ExplanationRun:
    """Asks the worker for the maps of a sentence; to be polled as ``SegmentReportRun``.

    Args:
        volumeNode: the volume.
        sentence: sent to the network as it is.
        options: "checkpoint", "device", "intensity" and "text_encoder" of the job, as far as they are not the default.
        runner: what runs the worker; None starts a process.
        progress: called with (done, total, stage); returning False cancels.

    Raises:
        LMISError: in one sentence, if the volume cannot be used or the worker not be started.
    """

    def __init__(
        self,
        volumeNode: Any,
        sentence: str,
        options: dict[str, Any] | None = None,
        runner: WorkerRunner | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._volumeNode = volumeNode
        self._seen = SeenVolume(volumeNode)
        self._scene = sceneOf(volumeNode)
        self._sentence = sentence
        self._messages = JobMessages(progress)
        self._found: Explanation | None = None
        self._runner: WorkerRunner = runner or SubprocessRunner()
        self._folder: Any = temporaryFolder("lmis-explain-")
        self._closing = SceneClosing(self._scene, self.cancel)
        path = Path(self._folder.name, "volume.nrrd")
        job = {"task": "explain", "volume": str(path), "text": sentence, "out": str(path.parent / "maps")}
        self._starting = Portions(self._start(path, {**job, **(options or {})}))
        self._cancelled = False
        try:
            self._isStarted = not self._starting.go(0)
        except BaseException:
            self.close()
            raise

    def _start(self, path: Path, job: dict[str, Any]) -> Work[None]:
        """Hand the volume to the worker and start it."""
        yield from writingNode(path, self._volumeNode)
        self._runner.start(job, self._onMessage)

    def cancel(self) -> None:
        """Ask the run to stop."""
        self._cancelled = True
        self._runner.cancel()

    def poll(self) -> bool:
        """Take what the worker has sent; whether it still runs.

        Raises:
            LMISError: in the call in which the run ends, if it failed.
        """
        if self._found is not None:
            return False
        try:
            if not self._isStarted:
                if self._cancelled:
                    raise Cancelled(_("Cancelled as asked; nothing was written."))
                self._isStarted = not self._starting.go()
                return True
            if self._runner.poll():
                return True
            self._found = self._explanation()
        except BaseException:
            self.close()
            raise
        self.close()
        return False

    def result(self) -> Explanation:
        """The maps, once :meth:`poll` has said False.

        Raises:
            LMISError: if it failed or has not ended.
        """
        if self._found is None:
            self._messages.outcome()
            raise InputError("The run has not ended; poll it until it has.")
        return self._found

    def close(self) -> None:
        """Stop the worker's job if it still runs; the files stay with the explanation, if there is one."""
        self._closing.close()
        self._runner.close()
        if self._found is None:
            self._folder.cleanup()

    def _onMessage(self, message: dict[str, Any]) -> None:
        self._messages.take(message)
        if self._messages.refused:
            self.cancel()

    def _explanation(self) -> Explanation:
        volume = self._volumeNode
        if volume.GetScene() is not self._scene:
            raise Cancelled(
                _("The volume was removed while the sentence was explained; nothing was put into the scene.")
            )
        result = self._messages.outcome()
        if not self._seen.isUnchanged():
            raise InputError(_("The volume was changed while the sentence was explained; explain it again."))
        maps = tuple(
            ExplanationMap(each["name"], each["meaning"], Path(each["path"]), *map(float, each["range"]))
            for each in result["maps"]
        )
        return Explanation(self._sentence, volume, maps, self._folder)


def showMap(explanation: Explanation, name: str, node: Any = None) -> Any:
    """Put one map into the scene; see :func:`showingMap`."""
    return allAtOnce(showingMap(explanation, name, node))


def showingMap(explanation: Explanation, name: str, node: Any = None) -> Work[Any]:
    """Read one map in portions, and put it into the scene in the last one.

    Args:
        explanation: with the map.
        name: of the map.
        node: in whose place it goes; None, or one that left the scene, makes a new one.

    Returns:
        the node, a scalar volume on the grid of the explained volume.

    Raises:
        InputError: if there is no such map, its file is gone, or the volume left the scene.
    """
    found = next((each for each in explanation.maps if each.name == name), None)
    if found is None:
        raise InputError(f"There is no map {name!r}; there are {', '.join(each.name for each in explanation.maps)}.")
    _sceneOf(explanation)
    image = yield from readingMap(found.path)
    scene, volume = _sceneOf(explanation), explanation.volumeNode
    if volume.GetImageData().GetDimensions() != image.GetDimensions():
        raise InputError(_("The explained volume was changed; explain the sentence again."))
    if node is None or node.GetScene() is not scene:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName("Explanation"))
        node.SetAttribute(MAP_ATTRIBUTE, "1")
    node.SetName(_("Explanation: {name}").format(name=found.name))
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.CopyOrientation(volume)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_COLOURS)
    # Before the voxels come: looking through all of them for a window takes long.
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(found.lowest, max(found.highest, found.lowest + 1e-6))
    node.SetAndObserveImageData(image)
    return node


def _sceneOf(explanation: Explanation) -> Any:
    scene = explanation.volumeNode.GetScene()
    if scene is None or explanation.volumeNode.GetImageData() is None:
        raise InputError(_("The explained volume is no longer in the scene; explain the sentence again."))
    return scene


def legend(explanation: Explanation, name: str) -> str:
    """Return what a map's colours mean, in one or two sentences."""
    found = next(each for each in explanation.maps if each.name == name)
    return _('{name} for "{sentence}": {meaning}. Blue is {lowest}, red is {highest}.').format(
        name=found.name,
        sentence=explanation.sentence,
        meaning=found.meaning.rstrip("."),
        lowest=f"{found.lowest:.3g}",
        highest=f"{found.highest:.3g}",
    )


def isExplanation(node: Any) -> bool:
    """Whether a volume is one of our maps, which is nothing to be segmented."""
    return node is not None and node.GetAttribute(MAP_ATTRIBUTE) == "1"
