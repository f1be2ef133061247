"""Long work of the window's thread goes on in portions; what is given up in between leaves the scene as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer.util
from logic_makers import AXES, REPORT, InProcessRunner, Material, load_volume
from session import SlicerSession
from vtk.util.numpy_support import vtk_to_numpy

from LanguageSegmentLib import portions
from LanguageSegmentLib.binding import createReportNode, segmentsOf
from LanguageSegmentLib.links import segmentsIn
from LanguageSegmentLib.masks import boxOf, gridMatrix, reading, readMask, writeMask
from LanguageSegmentLib.portions import Portions, Work, allAtOnce, slabs
from LanguageSegmentLib.run import SegmentReportOptions, SegmentReportRun
from LanguageSegmentLib.volume_files import arrayOf, geometryOf, writeNode, writingNode
from LMISCore.errors import Cancelled, InputError
from LMISCore.volumes.files import read_volume


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step at a time, and a step for each eight slices."""
    monkeypatch.setattr(portions, "PORTION_SECONDS", 0.0)
    monkeypatch.setattr(portions, "SLAB_VOXELS", 1)


@pytest.fixture
def volume(slicer_session: SlicerSession, material: Material) -> Any:
    return load_volume(slicer_session, material.volume("oblique"))


@pytest.fixture
def started(volume: Any, material: Material) -> Iterator[Callable[..., SegmentReportRun]]:
    runs = []

    def start(**more: Any) -> SegmentReportRun:
        options = SegmentReportOptions(**{**material.options, **more})
        runs.append(SegmentReportRun(volume, createReportNode(REPORT), options, InProcessRunner()))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


def state_of(session: SlicerSession) -> list[tuple[str, int]]:
    """What a run may not touch before it lands."""
    return [(node.GetID(), node.GetMTime()) for node in session.nodes("vtkMRMLStorableNode")]


def test_work_stops_when_its_time_is_over_and_gives_its_result_in_the_end() -> None:
    now = [0.0]

    def work() -> Work[str]:
        for _ in range(5):
            now[0] += 1
            yield
        return "done"

    going = Portions(work(), lambda: now[0])
    assert going.go(2.5) and now[0] == 3
    assert not going.go(9) and going.result == "done"
    assert allAtOnce(work()) == "done"


def test_slabs_cover_an_axis_once_and_begin_at_whole_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "SLAB_VOXELS", 4_000_000)
    found = slabs((200, 512, 512))
    assert [number for each in found for number in range(each.start, each.stop)] == list(range(200))
    assert all(each.start % 8 == 0 and (each.stop - each.start) * 512 * 512 <= 4_200_000 for each in found)


def test_before_the_last_portion_the_scene_is_as_it_was_and_then_all_segments_are_there(
    started: Callable[..., SegmentReportRun], slicer_session: SlicerSession
) -> None:
    run = started()
    before, polls = state_of(slicer_session), 0
    while run.poll():
        polls += 1
        assert state_of(slicer_session) == before
    assert polls > 8
    result = run.result()
    assert len([row for row in result.rows if row["segment_id"]]) == 3
    assert state_of(slicer_session) != before


def test_a_run_cancelled_while_it_lands_puts_nothing_into_the_scene(
    started: Callable[..., SegmentReportRun], slicer_session: SlicerSession
) -> None:
    count = 0
    run = started()
    while run.poll():
        count += 1
    for node in run.result().segmentationNodes:
        slicer_session.scene.RemoveNode(node)
    for polls in range(count):
        run = started()
        before = state_of(slicer_session)
        for _ in range(polls):
            assert run.poll()
        run.cancel()
        with pytest.raises(Cancelled, match="nothing was written"):
            while run.poll():
                pass
        assert state_of(slicer_session) == before and slicer_session.nodes("vtkMRMLSegmentationNode") == []


@pytest.mark.parametrize("polls", [1, 3, 8])
def test_a_scene_closed_meanwhile_gets_nothing(
    started: Callable[..., SegmentReportRun], slicer_session: SlicerSession, polls: int
) -> None:
    run = started()
    for _ in range(polls):
        assert run.poll()
    slicer_session.scene.Clear(False)
    with pytest.raises(Cancelled):
        while run.poll():
            pass
    assert slicer_session.nodes("vtkMRMLTextNode") == slicer_session.nodes("vtkMRMLSegmentationNode") == []


def test_a_volume_changed_while_it_is_handed_over_is_told_and_no_file_stays(
    slicer_session: SlicerSession, tmp_path: Path
) -> None:
    node = slicer_session.volume((17, 4, 5))
    folder = tmp_path / "handed"
    writing = writingNode(folder / "volume.nrrd", node)
    next(writing)
    slicer.util.updateVolumeFromArray(node, np.zeros((2, 2, 2), np.int16))
    with pytest.raises(InputError, match="changed while it was handed"):
        allAtOnce(writing)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["uint8", "int16", "uint16", "int32", "float32", "float64", "int8", "uint32"])
@pytest.mark.parametrize("colours", [0, 3, 4])
def test_a_volume_is_written_as_it_is_whatever_its_numbers_and_position(
    slicer_session: SlicerSession, tmp_path: Path, kind: str, colours: int
) -> None:
    shape = (9, 4, 5, colours) if colours else (9, 4, 5)
    array = np.random.default_rng(1).integers(0, 100, shape).astype(kind)
    node = slicer_session.volume((9, 4, 5), AXES["oblique-left-handed"])
    if colours:
        other = slicer_session.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colour")
        other.CopyOrientation(node)
        node = other
    slicer.util.updateVolumeFromArray(node, array)
    writeNode(tmp_path / "volume.nrrd", node)
    found = read_volume(tmp_path / "volume.nrrd")
    np.testing.assert_array_equal(found.array, arrayOf(node))
    assert found.array.dtype == arrayOf(node).dtype and found.geometry.same_as(geometryOf(node))


@pytest.mark.parametrize("axes", list(AXES))
def test_a_mask_made_ready_in_portions_is_the_one_that_is_read_back(
    slicer_session: SlicerSession, material: Material, axes: str
) -> None:
    volume = slicer_session.volume((21, 6, 7), AXES[axes])
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("one", "one", (1.0, 0.0, 0.0))
    mask = np.zeros((21, 6, 7), dtype=bool)
    mask[2:20, 1:5, 2:6] = np.random.default_rng(2).random((18, 4, 4)) < 0.5
    box = boxOf(mask, gridMatrix(volume, node))
    assert box is not None and len(list(box.makingReady())) > 2
    writeMask(node, "one", box)
    there = slicer.util.arrayFromSegmentBinaryLabelmap(node, "one", volume) > 0
    np.testing.assert_array_equal(there, mask)
    # As read from the voxels, not as remembered.
    node.GetSegmentation().GetSegment("one").GetRepresentation("Binary labelmap").Modified()
    again = readMask(node, "one")
    assert again is not None and again is not box
    assert again.fingerprint == box.fingerprint and again.volume_ml == box.volume_ml


def test_a_mask_drawn_on_while_it_is_read_is_not_remembered(slicer_session: SlicerSession) -> None:
    volume = slicer_session.volume((21, 6, 7))
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("one", "one", (1.0, 0.0, 0.0))
    ones = boxOf(np.ones((21, 6, 7), dtype=bool), gridMatrix(volume, node))
    assert ones is not None
    writeMask(node, "one", ones)
    image = node.GetSegmentation().GetSegment("one").GetRepresentation("Binary labelmap")
    image.Modified()
    going = reading(node, "one")
    next(going)
    image.AllocateScalars(2, 1)
    assert allAtOnce(going) is None
    image.GetPointData().GetScalars().Fill(0)
    image.Modified()
    assert readMask(node, "one") is None


def test_a_run_again_replaces_masks_that_share_a_layer_and_leaves_the_others(
    started: Callable[..., SegmentReportRun], volume: Any, slicer_session: SlicerSession, material: Material
) -> None:
    run = started()
    while run.poll():
        pass
    result = run.result()
    (node,) = result.segmentationNodes
    keys = [row["key"] for row in result.rows if row["segment_id"]]
    node.GetSegmentation().CollapseBinaryLabelmaps(True)
    before = {key: mask_of(result.reportNode, key, volume) for key in keys}
    options = SegmentReportOptions(**{**material.options, "threshold": 0.1}, only=[keys[-1]], replaceEdited=True)
    again = SegmentReportRun(volume, result.reportNode, options, InProcessRunner())
    while again.poll():
        pass
    after = {key: mask_of(result.reportNode, key, volume) for key in keys}
    assert after[keys[-1]].all() and not before[keys[-1]].all()
    assert all((after[key] == before[key]).all() for key in keys[:-1])
    # Voxels left behind in the layer would come back in whatever segment gets their label.
    labels: dict[str, set[int]] = {}
    layers: dict[str, Any] = {}
    for _, segment in segmentsIn(node):
        layer = segment.GetRepresentation("Binary labelmap")
        layers[layer.GetAddressAsString("")] = layer
        labels.setdefault(layer.GetAddressAsString(""), {0}).add(segment.GetLabelValue())
    for address, layer in layers.items():
        found = np.unique(vtk_to_numpy(layer.GetPointData().GetScalars()))
        assert set(found.tolist()) <= labels[address]


def mask_of(reportNode: Any, key: str, volume: Any) -> np.ndarray:
    ((node, segmentId),) = segmentsOf(reportNode, key)
    found: np.ndarray = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volume)
    return found
