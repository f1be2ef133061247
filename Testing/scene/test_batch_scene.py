"""The batch table of a scene: kept with it, run by LMISCore's batch, landed volume by volume, gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer.util
from logic_makers import REPORT, Material, load_volume
from session import SlicerSession

from LanguageSegmentLib.batch_pairs import BatchPair, addPair, pairsOf, removePair
from LanguageSegmentLib.batch_run import BatchResult, BatchRun
from LanguageSegmentLib.report_nodes import createReportNode
from LMISCore.cohorts.folder import CohortFolder
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.warm import Predictors
from LMISCore.volumes.files import read_volume
from LMISCore.worker import job_of, report_on

POSITIONS = ("axis-aligned", "oblique", "left-handed")


class HereRunner:
    """A worker that is this process; ``during`` is called at each of its lines."""

    predictors = Predictors()

    def __init__(self, during: Callable[[HereRunner, dict[str, Any]], None] = lambda runner, line: None) -> None:
        self._during = during
        self._waiting: Any = None
        self._stopped = False
        self.closed = 0

    def start(self, job: dict[str, Any], onMessage: Callable[[dict[str, Any]], None]) -> None:
        self._waiting = (job, onMessage)

    def poll(self) -> bool:
        if self._waiting is None:
            return False
        (job, onMessage), self._waiting = self._waiting, None

        def send(event: str, /, **values: Any) -> None:
            self._during(self, {"type": event, **values})
            onMessage({"type": event, **values})

        report_on(send, lambda: job_of(job), lambda: self._stopped, self.predictors)
        return False

    def cancel(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self.closed += 1


def made_pairs(session: SlicerSession, material: Material, positions: tuple[str, ...] = POSITIONS) -> list[BatchPair]:
    found = []
    for number, position in enumerate(positions):
        text = REPORT if number else "Infection in the right lung."
        report = createReportNode(text, f"Report {position}", session.scene)
        found.append(addPair(load_volume(session, material.volume(position)), report))
    return found


def settings(material: Material) -> dict[str, Any]:
    return {
        "checkpoint": str(material.checkpoint),
        "text_encoder": str(material.encoder),
        "threshold": material.threshold,
        "device": "cpu",
    }


def run(pairs: list[BatchPair], folder: Path, material: Material, runner: HereRunner | None = None) -> BatchResult:
    going = BatchRun(pairs, folder, settings(material), runner or HereRunner())
    while going.poll():
        pass
    return going.result()


def test_the_table_lies_in_the_scene_and_is_saved_with_it(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    pairs = made_pairs(slicer_session, material)
    assert [pair.name for pair in pairs] == ["axis-aligned", "oblique", "left-handed"]
    other = addPair(load_volume(slicer_session, material.volume("oblique")), pairs[0].reportNode)
    assert other.name == "oblique-2"
    assert addPair(pairs[1].volumeNode, pairs[0].reportNode).name == "oblique"
    removePair(pairs[2].volumeNode)
    assert [(pair.name, pair.reportNode.GetName()) for pair in pairsOf(slicer_session.scene)] == [
        ("axis-aligned", "Report axis-aligned"),
        ("oblique", "Report axis-aligned"),
        ("oblique-2", "Report axis-aligned"),
    ]
    slicer_session.scene.RemoveNode(pairs[0].reportNode)
    assert pairsOf(slicer_session.scene) == []


def test_a_pair_needs_a_volume_of_the_scene_and_a_report(slicer_session: SlicerSession, material: Material) -> None:
    volume = load_volume(slicer_session, material.volume("oblique"))
    for given in ((None, None), (volume, None), (volume, createReportNode("  ", "Empty", slicer_session.scene))):
        with pytest.raises(InputError):
            addPair(*given)
    assert pairsOf(slicer_session.scene) == []
    with pytest.raises(InputError, match="batch table is empty"):
        BatchRun([], Path(), {}, HereRunner())


def test_each_volume_gets_the_segments_that_a_run_of_its_own_gives(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    pairs = made_pairs(slicer_session, material)
    result = run(pairs, tmp_path, material)
    assert result.failures == {} and result.message == "3 of 3 cases are done." and len(result.landed) == 3
    predictor = HereRunner.predictors.get(str(material.checkpoint), "cpu", text_encoder=str(material.encoder))
    for pair, position in zip(pairs, POSITIONS, strict=True):
        landed = result.landed[pair.name]
        assert landed.reportNode is pair.reportNode
        expected = predictor.segment(
            read_volume(material.volume(position)), pair.reportNode.GetText(), mask_threshold=material.threshold
        )
        masks = {row.segment_id: int(row.mask.sum()) for row in expected.rows if row.mask is not None}
        found = {}
        for row in landed.rows:
            if row["segment_id"] is not None:
                node = slicer_session.scene.GetNodeByID(row["segmentation_id"])
                mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, row["segment_id"], pair.volumeNode)
                found[f"lmis_{row['id']}"] = int(np.asarray(mask).sum())
        assert found == masks and masks
    assert {path.name for path in result.folder.iterdir()} >= {"results.csv", "cases.csv", "errors.csv"}


def test_a_run_that_was_stopped_lands_what_is_done_and_goes_on_with_the_rest(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    pairs = made_pairs(slicer_session, material)

    def stop(runner: HereRunner, line: dict[str, Any]) -> None:
        if line["type"] == "progress" and line["done"] == 1:
            runner.cancel()

    result = run(pairs, tmp_path, material, HereRunner(stop))
    assert list(result.landed) == ["axis-aligned"] and result.failures == {} and result.message == ""
    done = CohortFolder(result.folder).case("axis-aligned") / "axis-aligned.seg.nrrd"
    made = done.stat().st_mtime_ns
    handed = (tmp_path / "inputs" / "axis-aligned.nrrd").stat().st_mtime_ns
    again = run(pairs, tmp_path, material)
    assert list(again.landed) == ["axis-aligned", "oblique", "left-handed"]
    assert done.stat().st_mtime_ns == made
    # A volume that did not change keeps its file, so that its result is known without reading it again.
    assert (tmp_path / "inputs" / "axis-aligned.nrrd").stat().st_mtime_ns == handed
    assert again.landed["axis-aligned"].segmentationNodes == result.landed["axis-aligned"].segmentationNodes


def test_a_run_that_is_stopped_before_any_volume_is_done_is_cancelled(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    going = BatchRun(made_pairs(slicer_session, material), tmp_path, settings(material), HereRunner())
    going.cancel()
    with pytest.raises(Cancelled):
        while going.poll():
            pass
    assert not slicer_session.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")


def test_a_volume_that_cannot_be_run_is_told_and_the_others_land(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    pairs = made_pairs(slicer_session, material)
    slicer.util.updateVolumeFromArray(pairs[1].volumeNode, np.full((6, 14, 18), np.nan, dtype=np.float32))
    result = run(pairs, tmp_path, material)
    assert list(result.landed) == ["axis-aligned", "left-handed"] and list(result.failures) == ["oblique"]
    assert "oblique" in result.failures["oblique"] and result.message == "2 of 3 cases are done, 1 failed."


@pytest.mark.parametrize("what", ["report", "volume", "removed"])
def test_what_was_changed_meanwhile_gets_no_segments(
    slicer_session: SlicerSession, material: Material, tmp_path: Path, what: str
) -> None:
    pairs = made_pairs(slicer_session, material, POSITIONS[:2])

    def change(runner: HereRunner, line: dict[str, Any]) -> None:
        if line["type"] != "result":
            return
        if what == "report":
            pairs[0].reportNode.SetText("Infection in the left lung.")
        elif what == "volume":
            pairs[0].volumeNode.GetImageData().Modified()
        else:
            slicer_session.scene.RemoveNode(pairs[0].volumeNode)

    result = run(pairs, tmp_path, material, HereRunner(change))
    assert list(result.landed) == ["oblique"] and "meanwhile" in result.failures["axis-aligned"]


def test_nothing_lands_in_a_scene_that_was_closed(
    slicer_session: SlicerSession, material: Material, tmp_path: Path
) -> None:
    pairs = made_pairs(slicer_session, material, POSITIONS[:2])

    def close(runner: HereRunner, line: dict[str, Any]) -> None:
        if line["type"] == "progress" and line["done"] == 1:
            slicer_session.scene.Clear(0)

    runner = HereRunner(close)
    with pytest.raises(Cancelled, match="scene was closed"):
        run(pairs, tmp_path, material, runner)
    assert not slicer_session.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode") and runner.closed
