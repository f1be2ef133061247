"""Slicer's own core libraries read our .seg.nrrd: names, colours, tags, and every voxel at its place in the patient."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from LMISCore.volumes.files import write_volume
from LMISCore.volumes.segmentation import SegmentData, decode_tag, read_segmentation, write_segmentation
from LMISCore.volumes.volume import Geometry

pytestmark = pytest.mark.slicer_core

HARD_TEXT = 'Right lung: "ground-glass" | 50 % \\ left\nnext line;\t肺炎 🫁 é '
NAME = "右肺 🫁 right | \\n 'x'"
TURN = np.array([[np.cos(0.4), -np.sin(0.4), 0], [np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
AXES = {
    "plain": np.eye(3),
    "left-handed in i": np.diag([-1.0, 1, 1]),
    "left-handed in k": np.diag([1.0, 1, -1]),
    "permuted": np.array([[0.0, 0, 1], [-1, 0, 0], [0, 1, 0]]),
    "oblique": TURN @ np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]]),
    "oblique and left-handed": TURN @ np.diag([1.0, 1, -1]),
}


class SlicerScene:
    """A scene with the logic that segmentations need, as the application sets it up at start."""

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.segmentations = slicer.vtkSlicerSegmentationsModuleLogic()
        self.segmentations.SetMRMLApplicationLogic(self.application)
        self.segmentations.SetMRMLScene(self.scene)

    def storage(self, path: Path) -> Any:
        node = slicer.vtkMRMLSegmentationStorageNode()
        self.scene.AddNode(node)
        node.SetFileName(str(path))
        return node

    def load(self, path: Path) -> Any:
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = self.storage(path)
        assert storage.ReadData(node) == 1
        assert storage.GetUserMessages().GetNumberOfMessages() == 0
        return node


@pytest.fixture
def slicer_scene() -> Iterator[SlicerScene]:
    made = SlicerScene()
    yield made
    made.scene.Clear(True)


def _geometry(axes: np.ndarray) -> Geometry:
    return Geometry((9, 8, 7), (0.7, 1.1, 2.5), (-12.3, 45.6, -78.9), tuple(axes.ravel().tolist()))


def _segments(shape: tuple[int, int, int]) -> list[SegmentData]:
    masks = np.zeros((3, *shape), dtype=bool)
    masks[0, 1:4, 2:6, 3:7] = True
    masks[1, 2:6, 3:5, 1:6] = True  # overlaps the first
    masks[2, 6, 7, 8] = True  # the corner; shares a layer with the first, whose extent must not crop it away
    return [
        SegmentData("findings-1", NAME, (0.1, 0.5, 0.9), masks[0], {"Sentence": HARD_TEXT, "Score": "0.93"}),
        SegmentData("findings-2", "left", (1.0, 0.0, 1 / 3), masks[1], {"Sentence": "two"}),
        SegmentData("impression-1", "corner", (0.0, 1.0, 0.0), masks[2]),
    ]


def _ras(geometry: Geometry, mask: np.ndarray) -> np.ndarray:
    indices = np.argwhere(mask)[:, ::-1]
    matrix = np.diag([-1.0, -1, 1, 1]) @ geometry.matrix()
    return _sorted(indices @ matrix[:3, :3].T + matrix[:3, 3])


def _ras_in_slicer(node: Any, segment_id: str) -> np.ndarray:
    image = slicer.vtkOrientedImageData()
    assert node.GetBinaryLabelmapRepresentation(segment_id, image)
    to_world = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    matrix = np.array([[to_world.GetElement(row, column) for column in range(4)] for row in range(4)])
    extent = image.GetExtent()
    shape = [extent[axis + 1] - extent[axis] + 1 for axis in (4, 2, 0)]
    found = np.argwhere(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape))[:, ::-1]
    return _sorted((found + np.array(extent[::2])) @ matrix[:3, :3].T + matrix[:3, 3])


def _sorted(points: np.ndarray) -> np.ndarray:
    rounded = np.round(points, 5)
    return rounded[np.lexsort(rounded.T)]


def _tag(segment: Any, key: str) -> str:
    value = vtk.mutable("")
    assert segment.GetTag(key, value)
    return str(value)


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_slicer_reads_names_colours_tags_and_overlapping_voxels(
    slicer_scene: SlicerScene, tmp_path: Path, axes: np.ndarray
) -> None:
    geometry = _geometry(axes)
    segments = _segments(geometry.shape)
    write_segmentation(tmp_path / "患者.seg.nrrd", segments, geometry, {"Case": "x"})
    node = slicer_scene.load(tmp_path / "患者.seg.nrrd")
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 3 and segmentation.GetNumberOfLayers() == 2
    for number, segment in enumerate(segments):
        read = segmentation.GetNthSegment(number)
        assert segmentation.GetNthSegmentID(number) == segment.id
        assert read.GetName() == segment.name
        assert read.GetColor() == pytest.approx(segment.colour)
        for key, value in segment.tags.items():
            assert decode_tag(_tag(read, key)) == value
        np.testing.assert_allclose(_ras_in_slicer(node, segment.id), _ras(geometry, segment.mask), atol=1e-5)


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_a_file_that_slicer_saved_again_comes_back_whole(
    slicer_scene: SlicerScene, tmp_path: Path, axes: np.ndarray
) -> None:
    geometry = _geometry(axes)
    segments = _segments(geometry.shape)
    segments[1].other_tags = {"Segmentation.Status": "completed", "Fremd": "Ü:x"}
    write_segmentation(tmp_path / "ours.seg.nrrd", segments, geometry)
    storage = slicer_scene.storage(tmp_path / "slicers.seg.nrrd")
    storage.SetCropToMinimumExtent(True)
    assert storage.WriteData(slicer_scene.load(tmp_path / "ours.seg.nrrd")) == 1
    assert read_segmentation(tmp_path / "slicers.seg.nrrd")[1].size != geometry.size
    read, _, _ = read_segmentation(tmp_path / "slicers.seg.nrrd", geometry)
    for one, other in zip(read, segments, strict=True):
        assert (one.id, one.name, one.tags, one.other_tags) == (other.id, other.name, other.tags, other.other_tags)
        assert one.colour == pytest.approx(other.colour, abs=1e-5)
        np.testing.assert_array_equal(one.mask, other.mask)


def test_slicer_reads_our_terminology(slicer_scene: SlicerScene, tmp_path: Path) -> None:
    geometry = _geometry(np.eye(3))
    segment = _segments(geometry.shape)[0]
    segment.terminology = {
        "contextName": "Segmentation category and type - 3D Slicer General Anatomy list",
        "category": ["SCT", "49755003", "Morphologically Altered Structure"],
        "type": ["SCT", "4147007", "Mass"],
        "anatomicContextName": "Anatomic codes - DICOM master list",
        "anatomicRegion": ["SCT", "39607008", "Lung"],
        "anatomicRegionModifier": ["SCT", "24028007", "Right"],
    }
    write_segmentation(tmp_path / "x.seg.nrrd", [segment], geometry)
    read = slicer_scene.load(tmp_path / "x.seg.nrrd").GetSegmentation().GetNthSegment(0)
    assert read.GetTerminology() == (
        "Segmentation category and type - 3D Slicer General Anatomy list~SCT^49755003^Morphologically Altered Structure"
        "~SCT^4147007^Mass~^^~Anatomic codes - DICOM master list~SCT^39607008^Lung~SCT^24028007^Right"
    )


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_segments_lie_on_the_image_that_slicer_loads_beside_them(
    slicer_scene: SlicerScene, tmp_path: Path, axes: np.ndarray
) -> None:
    geometry = _geometry(axes)
    segment = _segments(geometry.shape)[0]
    write_volume(tmp_path / "image.nrrd", segment.mask, geometry)
    write_segmentation(tmp_path / "image.seg.nrrd", [segment], geometry)
    volume = slicer_scene.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    slicer_scene.scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "image.nrrd"))
    assert storage.ReadData(volume) == 1
    # Slicer turns the k axis of a left-handed image over, so places in the patient are compared, not voxel indices.
    to_ras = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(to_ras)
    matrix = np.array([[to_ras.GetElement(row, column) for column in range(4)] for row in range(4)])
    image = volume.GetImageData()
    found = np.argwhere(vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]))[:, ::-1]
    shown = _sorted(found @ matrix[:3, :3].T + matrix[:3, 3])
    node = slicer_scene.load(tmp_path / "image.seg.nrrd")
    np.testing.assert_allclose(_ras_in_slicer(node, segment.id), shown, atol=1e-5)
