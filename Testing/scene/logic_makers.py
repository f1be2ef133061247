"""What tests of whole runs share: a tiny checkpoint, volumes in odd positions, and a worker without a process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk

CORE = Path(__file__).resolve().parents[1] / "core"
if str(CORE) not in sys.path:
    sys.path.append(str(CORE))

from session import SlicerSession  # noqa: E402
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder  # noqa: E402

from LMISCore.errors import LMISError  # noqa: E402
from LMISCore.inference.jobs import SegmentJob, run_segment_job  # noqa: E402
from LMISCore.inference.predictor import Predictor  # noqa: E402
from LMISCore.volumes.files import read_volume, write_volume  # noqa: E402
from LMISCore.volumes.volume import Geometry  # noqa: E402

REPORT = (
    "FINDINGS:\nInfection in the left lung. No effusion. Infection in the right lung. The heart is normal.\n\n"
    "IMPRESSION:\nInfection on the left, as the patient’s 左肺 shows."  # noqa: RUF001
)
TURN = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
AXES = {
    "axis-aligned": np.eye(3),
    "oblique": TURN @ np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]]),
    "left-handed": np.diag([1.0, 1, -1]),
    "oblique-left-handed": TURN @ np.diag([-1.0, 1, 1]),
    "sagittal-slices": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


@dataclass(frozen=True)
class Material:
    """Files for runs.

    Attributes:
        folder: with ``<position>.nrrd`` for each of ``AXES``.
        checkpoint: tiny weights.
        encoder: their text encoder.
        threshold: at which about half of a volume's voxels are marked, far from any voxel's probability.
    """

    folder: Path
    checkpoint: Path
    encoder: Path
    threshold: float

    def volume(self, position: str) -> Path:
        return self.folder / f"{position}.nrrd"

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of segmentReport with which these weights mark part of a volume."""
        return {
            "checkpoint": self.checkpoint,
            "textEncoder": self.encoder,
            "threshold": self.threshold,
            "device": "cpu",
        }


def make_material(folder: Path) -> Material:
    """Write checkpoint, encoder and volumes."""
    encoder = save_tiny_encoder(folder / "encoder")
    checkpoint = save_tiny_checkpoint(folder / "tiny.safetensors", encoder)
    array = np.random.default_rng(0).integers(0, 255, (6, 14, 18)).astype(np.int16)
    for position, axes in AXES.items():
        geometry = Geometry((18, 14, 6), (0.7, 1.1, 2.5), (-12.3, 45.6, -78.9), tuple(axes.ravel().tolist()))
        write_volume(folder / f"{position}.nrrd", array, geometry)
    predictor = Predictor(checkpoint, "cpu", encoder=encoder)
    result = predictor.segment(read_volume(folder / "oblique.nrrd"), REPORT, keep_probability=True)
    probability = result.rows[0].probability
    assert probability is not None
    values = np.unique(probability.astype(np.float64))
    middle = values[len(values) // 3 : -len(values) // 3]
    widest = int(np.argmax(np.diff(middle)))
    return Material(folder, checkpoint, encoder, float((middle[widest] + middle[widest + 1]) / 2))


class InProcessRunner:
    """Runs the worker's job in this process, in the call of ``poll``; ``during`` is called at each progress."""

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.closed = 0
        self._during = during
        self._waiting: tuple[dict[str, Any], Callable[[dict[str, Any]], None]] | None = None
        self._stop = False

    def start(self, job: dict[str, Any], onMessage: Callable[[dict[str, Any]], None]) -> None:
        self.jobs.append(job)
        self._waiting = (job, onMessage)

    def poll(self) -> bool:
        if self._waiting is None:
            return False
        (job, onMessage), self._waiting = self._waiting, None

        def progress(done: int, total: int, stage: str) -> bool:
            self._during()
            onMessage({"type": "progress", "done": done, "total": total, "stage": stage})
            return not self._stop

        try:
            values = {key: value for key, value in job.items() if key != "task"}
            result = run_segment_job(SegmentJob.from_dict(values), progress)
        except LMISError as error:
            onMessage({"type": "error", "kind": error.kind, "message": str(error)})
        else:
            onMessage({"type": "result", **result})
        return False

    def cancel(self) -> None:
        self._stop = True

    def close(self) -> None:
        self.closed += 1


def load_volume(session: SlicerSession, path: Path) -> Any:
    """Load a volume file as the application does."""
    node = session.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", path.stem)
    storage = session.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


def places_in_scene(segmentationNode: Any, segmentId: str, volumeNode: Any) -> np.ndarray:
    """Voxel centres of a segment in RAS mm, sorted; on the volume's grid, its parent transform left aside."""
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
    to_ras = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(to_ras)
    return sorted_places(mask, np.array([[to_ras.GetElement(i, j) for j in range(4)] for i in range(4)]))


def places_in_file(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Voxel centres of a mask in RAS mm, sorted."""
    return sorted_places(mask, np.diag([-1.0, -1, 1, 1]) @ geometry.matrix())


def sorted_places(mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    points: np.ndarray = np.round(np.argwhere(mask)[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3], 4) + 0.0
    order = np.lexsort(points.T)
    return np.asarray(points[order])
