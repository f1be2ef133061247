"""From a volume node and a report to segments: the voxels that ``lmis segment`` marks, wherever the volume lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from logic_makers import (
    AXES,
    REPORT,
    InProcessRunner,
    Material,
    load_volume,
    places_in_file,
    places_in_scene,
)
from session import SlicerSession

from LanguageSegmentLib.binding import sentenceOf
from LanguageSegmentLib.runner import SubprocessRunner
from LanguageSegmentLib.sample import loadSample
from LanguageSegmentLib.scripting import segmentReport
from LanguageSegmentLib.tags import readTag
from LMISCore.cli.main import main
from LMISCore.errors import InputError
from LMISCore.volumes.segmentation import read_segmentation


def _by_command(material: Material, volume: Path, out: Path, *more: str) -> dict[str, np.ndarray]:
    """Places that ``lmis segment`` marks, by sentence id."""
    report = out.with_suffix(".txt")
    report.write_text(REPORT, encoding="utf-8")
    options = ["--checkpoint", str(material.checkpoint), "--text-encoder", str(material.encoder), "--device", "cpu"]
    options += ["--threshold", repr(material.threshold), "--no-overlay", "--json", *more]
    assert main(["segment", str(volume), "--report", str(report), "--out", str(out), *options]) == 0
    segments, geometry, _ = read_segmentation(out / f"{volume.stem}.seg.nrrd")
    return {segment.id.removeprefix("lmis_"): places_in_file(segment.mask, geometry) for segment in segments}


def _in_scene(result: Any, volumeNode: Any) -> dict[str, np.ndarray]:
    nodes = {node.GetID(): node for node in result.segmentationNodes}
    return {
        row["id"]: places_in_scene(nodes[row["segmentation_id"]], row["segment_id"], volumeNode)
        for row in result.rows
        if row["segment_id"]
    }


def _assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys() and found
    for name, places in expected.items():
        np.testing.assert_allclose(found[name], places, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("position", AXES)
def test_a_loaded_volume_gets_the_voxels_that_the_command_marks_in_its_file(
    slicer_session: SlicerSession, material: Material, tmp_path: Path, position: str
) -> None:
    volumeNode = load_volume(slicer_session, material.volume(position))
    result = segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **material.options)
    expected = _by_command(material, material.volume(position), tmp_path / "out")
    assert expected.keys() == {"findings-1", "findings-3", "impression-1"}
    assert all(0 < len(places) < 6 * 14 * 18 for places in expected.values())
    _assert_same(_in_scene(result, volumeNode), expected)


def test_slicer_turns_a_left_handed_file_over_so_that_indices_would_not_do(
    slicer_session: SlicerSession, material: Material
) -> None:
    volumeNode = load_volume(slicer_session, material.volume("left-handed"))
    right = load_volume(slicer_session, material.volume("axis-aligned"))
    turned, plain = slicer.util.arrayFromVolume(volumeNode), slicer.util.arrayFromVolume(right)
    assert (turned[::-1] == plain).all() and not (turned == plain).all()


def test_a_worker_process_gives_the_same_voxels(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    volumeNode = load_volume(slicer_session, material.volume("oblique-left-handed"))
    stages: list[str] = []
    result = segmentReport(
        volumeNode,
        REPORT,
        runner=SubprocessRunner(environment={"OMP_NUM_THREADS": "1"}),
        progress=lambda done, total, stage: stages.append(stage),
        **material.options,
    )
    _assert_same(
        _in_scene(result, volumeNode), _by_command(material, material.volume("oblique-left-handed"), tmp_path / "o")
    )
    assert {"segmenting", "writing"} <= set(stages)
    assert any(line.startswith("Device: cpu") for line in result.log)


def test_a_volume_that_was_changed_in_the_scene_counts_and_not_its_file(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    volumeNode = load_volume(slicer_session, material.volume("oblique"))
    slicer.util.arrayFromVolume(volumeNode)[:] = slicer.util.arrayFromVolume(
        load_volume(slicer_session, material.volume("axis-aligned"))
    )[::-1, ::-1]
    slicer.util.arrayFromVolumeModified(volumeNode)
    result = segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **material.options)
    expected = _by_command(material, material.volume("oblique"), tmp_path / "out")
    assert not np.array_equal(_in_scene(result, volumeNode)["findings-1"], expected["findings-1"])


def test_segments_get_the_parent_transform_of_their_volume(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    volumeNode = load_volume(slicer_session, material.volume("oblique"))
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 500.0)
    matrix.SetElement(1, 1, -1.0)
    transform = slicer_session.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(matrix)
    volumeNode.SetAndObserveTransformNodeID(transform.GetID())
    result = segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **material.options)
    (node,) = result.segmentationNodes
    assert node.GetTransformNodeID() == transform.GetID()
    bounds, image = np.zeros(6), np.zeros(6)
    node.GetRASBounds(bounds)
    volumeNode.GetRASBounds(image)
    assert bounds[0] >= image[0] - 1e-3 > 400 and bounds[1] <= image[1] + 1e-3
    volumeNode.SetAndObserveTransformNodeID(None)
    node.SetAndObserveTransformNodeID(None)
    _assert_same(_in_scene(result, volumeNode), _by_command(material, material.volume("oblique"), tmp_path / "out"))


@pytest.mark.parametrize("kind", [np.int8, np.uint32, np.float32, np.float64, np.uint8])
def test_every_kind_of_number_that_slicer_holds_is_segmented(
    slicer_session: SlicerSession, material: Material, kind: type
) -> None:
    volumeNode = slicer_session.volume((5, 6, 7))
    slicer.util.updateVolumeFromArray(volumeNode, np.arange(210).reshape(5, 6, 7).clip(0, 100).astype(kind))
    result = segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **{**material.options, "threshold": 0.0})
    assert all(len(places) == 210 for places in _in_scene(result, volumeNode).values())


def test_a_colour_picture_is_segmented_and_claims_no_millilitres(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    from PIL import Image

    array = np.random.default_rng(1).integers(0, 255, (14, 18, 4)).astype(np.uint8)
    Image.fromarray(array).save(tmp_path / "picture.png")
    # slicer-core has no reader for PNG; the application gives it the identity in LPS and names the file.
    volumeNode = slicer_session.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "picture")
    slicer.util.updateVolumeFromArray(volumeNode, array[np.newaxis])
    volumeNode.SetIJKToRASDirections(-1, 0, 0, 0, -1, 0, 0, 0, 1)
    storage = slicer_session.scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "picture.png"))
    volumeNode.SetAndObserveStorageNodeID(storage.GetID())
    runner = InProcessRunner()
    result = segmentReport(volumeNode, REPORT, runner=runner, **material.options)
    assert runner.jobs[0]["nominal_spacing"] is True
    expected = _by_command(material, tmp_path / "picture.png", tmp_path / "out")
    _assert_same(_in_scene(result, volumeNode), expected)


def test_numbers_that_are_no_colours_are_refused_in_one_sentence(slicer_session: SlicerSession) -> None:
    volumeNode = slicer_session.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "field")
    slicer.util.updateVolumeFromArray(volumeNode, np.zeros((3, 4, 5, 2), dtype=np.float32))
    with pytest.raises(InputError, match=r"'field' holds 2 numbers per voxel; expected 1"):
        segmentReport(volumeNode, REPORT, runner=InProcessRunner())


def test_each_segment_tells_its_sentence_and_how_it_came_about(
    slicer_session: SlicerSession, material: Material
) -> None:
    volumeNode = load_volume(slicer_session, material.volume("oblique"))
    result = segmentReport(volumeNode, REPORT, runner=InProcessRunner(), **material.options)
    (node,) = result.segmentationNodes
    row = result.rows[0]
    sentence = sentenceOf(node, row["segment_id"])
    assert sentence is not None and sentence.text == "Infection in the left lung." and sentence.key == row["key"]
    segment = node.GetSegmentation().GetSegment(row["segment_id"])
    assert readTag(segment, "Checkpoint") == result.provenance["checkpoint_hash"]
    assert readTag(segment, "Threshold") == f"{material.threshold:g}"
    assert readTag(segment, "State") == "affirmed" and readTag(segment, "Network") == "tirnet"
    assert result.provenance["volume"] == volumeNode.GetName()
    assert segment.GetName() == row["segment"]


@pytest.mark.slow
def test_the_bundled_weights_mark_the_same_voxels_in_the_scene_as_by_the_command(
    slicer_session: SlicerSession, tmp_path: Path
) -> None:
    volumeNode, reportNode = loadSample()
    result = segmentReport(volumeNode, reportNode, device="cpu")
    assert main(["segment", "--sample", "--out", str(tmp_path), "--device", "cpu", "--no-overlay"]) == 0
    segments, geometry, _ = read_segmentation(tmp_path / "chest_ct.seg.nrrd")
    expected = {segment.id.removeprefix("lmis_"): places_in_file(segment.mask, geometry) for segment in segments}
    _assert_same(_in_scene(result, volumeNode), expected)
