"""What a run puts into a scene and what it leaves alone: reruns, edits, fields, chosen sentences, closed scenes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from logic_makers import REPORT, InProcessRunner, Material, load_volume
from session import SlicerSession

from LanguageSegmentLib.binding import (
    createReportNode,
    fieldsOf,
    isReportNode,
    reportNodeOf,
    segmentState,
    sentencesOf,
    stepBack,
)
from LanguageSegmentLib.runner import SubprocessRunner
from LanguageSegmentLib.scripting import segmentReport, startSegmentReport
from LMISCore.errors import Cancelled, InputError, LMISError, OutOfMemoryError


@pytest.fixture
def volumeNode(slicer_session: SlicerSession, material: Material) -> Any:
    return load_volume(slicer_session, material.volume("oblique"))


@pytest.fixture
def segment(material: Material) -> Callable[..., Any]:
    """segmentReport with the tiny weights, in this process."""

    def run(volumeNode: Any, report: Any, **changes: Any) -> Any:
        return segmentReport(volumeNode, report, **{"runner": InProcessRunner(), **material.options, **changes})

    return run


def _segments(node: Any) -> dict[str, np.ndarray]:
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    return {name: slicer.util.arrayFromSegmentBinaryLabelmap(node, name) for name in ids}


def _contents(session: SlicerSession) -> list[str]:
    kinds = ("vtkMRMLSegmentationNode", "vtkMRMLTextNode", "vtkMRMLSegmentationDisplayNode")
    return sorted(node.GetID() for kind in kinds for node in session.nodes(kind))


def _ids(result: Any) -> list[str]:
    return [row["id"] for row in result.rows if row["segment_id"]]


def test_a_text_becomes_a_report_node_to_which_the_segmentation_is_tied(volumeNode: Any, segment: Any) -> None:
    result = segment(volumeNode, REPORT)
    assert isReportNode(result.reportNode) and result.reportNode.GetText() == REPORT
    (node,) = result.segmentationNodes
    assert reportNodeOf(node) is result.reportNode and node.GetName() == "oblique segments"
    assert _ids(result) == ["findings-1", "findings-3", "impression-1"]
    assert [row["state"] for row in result.rows] == ["affirmed", "negated", "affirmed", "not covered", "affirmed"]
    assert result.messages[0] == "3 of 5 sentences have a segment."


def test_a_text_node_that_the_user_made_serves_as_report(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any
) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLTextNode", "typed")
    node.SetText(REPORT)
    result = segment(volumeNode, node)
    assert result.reportNode is node and len(slicer_session.nodes("vtkMRMLTextNode")) == 1


@pytest.mark.parametrize("name", ["report.txt", "report.json"])
def test_a_report_file_is_read_by_its_path(volumeNode: Any, segment: Any, tmp_path: Path, name: str) -> None:
    text = '{"FINDINGS": "Infection in the left lung."}' if name.endswith("json") else "Infection in the left lung."
    (tmp_path / name).write_text(text, encoding="utf-8")
    for path in (tmp_path / name, str(tmp_path / name)):
        result = segment(volumeNode, path)
        assert len(_ids(result)) == 1 and result.reportNode.GetName().startswith("report")


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (None, "is nothing"),
        (7, "is a int"),
        ("", "is empty"),
        ("nowhere/report.txt", "No report file at nowhere"),
    ],
)
def test_what_is_no_report_is_refused_in_one_sentence(volumeNode: Any, segment: Any, report: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        segment(volumeNode, report)
    assert "\n" not in str(raised.value)


def test_a_second_run_writes_into_the_same_segments(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any, material: Material
) -> None:
    first = segment(volumeNode, REPORT)
    (node,) = first.segmentationNodes
    before, contents = _segments(node), _contents(slicer_session)
    second = segment(volumeNode, first.reportNode, threshold=material.threshold * 0.9)
    assert second.segmentationNodes == [node] and _contents(slicer_session) == contents
    after = _segments(node)
    assert list(after) == list(before)
    assert all((after[name] >= before[name]).all() and after[name].sum() > before[name].sum() for name in before)
    assert stepBack(node)
    assert all((_segments(node)[name] == before[name]).all() for name in before)


def test_one_sentence_is_run_alone_and_gets_the_mask_of_a_run_of_all(volumeNode: Any, segment: Any) -> None:
    whole = segment(volumeNode, REPORT)
    (node,) = whole.segmentationNodes
    before = _segments(node)
    segment(volumeNode, whole.reportNode, threshold=0.0, force=["findings-2"])
    runner = InProcessRunner()
    key = next(row["key"] for row in whole.rows if row["id"] == "findings-3")
    alone = segment(volumeNode, whole.reportNode, only=[key], runner=runner)
    assert runner.jobs[0]["only"] == ["findings-3"] and [row["id"] for row in alone.rows] == ["findings-3"]
    after = _segments(node)
    assert (after["lmis_findings-3"] == before["lmis_findings-3"]).all()
    assert after["lmis_findings-1"].all() and after["lmis_findings-2"].all()


def test_a_sentence_is_named_by_the_key_that_it_keeps_when_others_come_before_it(volumeNode: Any, segment: Any) -> None:
    result = segment(volumeNode, REPORT)
    key = result.rows[2]["key"]
    result.reportNode.SetText(REPORT.replace("No effusion.", "No effusion. The spine is normal."))
    runner = InProcessRunner()
    again = segment(volumeNode, result.reportNode, only=[key], runner=runner)
    assert key == "findings-3" and runner.jobs[0]["only"] == ["findings-4"]
    assert [(row["key"], row["segment_id"]) for row in again.rows] == [(key, "lmis_findings-3")]


def test_a_sentence_that_no_longer_has_a_mask_loses_its_segment(volumeNode: Any, segment: Any) -> None:
    result = segment(volumeNode, REPORT)
    (node,) = result.segmentationNodes
    result.reportNode.SetText(REPORT.replace("Infection in the left lung.", "No infection in the left lung."))
    assert segmentState(node, "lmis_findings-1") == "stale"
    again = segment(volumeNode, result.reportNode)
    assert list(_segments(node)) == ["lmis_findings-3", "lmis_impression-1"]
    assert again.rows[0]["state"] == "negated" and again.rows[0]["segment_id"] is None


def test_a_segment_edited_by_hand_is_kept_unless_edited_ones_are_to_be_replaced(volumeNode: Any, segment: Any) -> None:
    result = segment(volumeNode, REPORT)
    (node,) = result.segmentationNodes
    before = _segments(node)
    drawn = np.zeros_like(before["lmis_findings-1"])
    drawn[1, 2:5, 3:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, "lmis_findings-1", volumeNode)
    kept = segment(volumeNode, result.reportNode, threshold=0.0)
    assert _segments(node)["lmis_findings-1"].sum() == drawn.sum() and _segments(node)["lmis_findings-3"].all()
    assert any("edited by hand and is kept" in message for message in kept.messages)
    assert kept.rows[0]["segment_id"] == "lmis_findings-1"
    segment(volumeNode, result.reportNode, threshold=0.0, replaceEdited=True)
    assert _segments(node)["lmis_findings-1"].all()


def test_each_field_can_have_a_segmentation_of_its_own(volumeNode: Any, segment: Any) -> None:
    result = segment(volumeNode, REPORT, onePerField=True)
    assert [fieldsOf(node) for node in result.segmentationNodes] == [["FINDINGS"], ["IMPRESSION"]]
    assert [node.GetName() for node in result.segmentationNodes] == [
        "oblique FINDINGS segments",
        "oblique IMPRESSION segments",
    ]
    again = segment(volumeNode, result.reportNode, onePerField=True)
    assert again.segmentationNodes == result.segmentationNodes


def test_one_field_can_be_run_alone(volumeNode: Any, segment: Any) -> None:
    assert _ids(segment(volumeNode, REPORT, fields=["IMPRESSION"])) == ["impression-1"]
    with pytest.raises(InputError, match="no field 'HISTORY'; it has 'FINDINGS', 'IMPRESSION'"):
        segment(volumeNode, REPORT, fields=["HISTORY"])


def test_a_segmentation_given_takes_the_segments(slicer_session: SlicerSession, volumeNode: Any, segment: Any) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    result = segment(volumeNode, REPORT, segmentationNode=node)
    assert result.segmentationNodes == [node] and len(_segments(node)) == 3
    with pytest.raises(InputError, match="choose one of the two"):
        segment(volumeNode, REPORT, segmentationNode=node, onePerField=True)


def test_an_organ_bounds_what_head_feet_words_mean(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any
) -> None:
    organ = slicer_session.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "lungs")
    organ.CopyOrientation(volumeNode)
    mask = np.zeros((6, 14, 18), dtype=np.uint8)
    mask[0:3] = 1
    slicer.util.updateVolumeFromArray(organ, mask)
    report = "Infection in the upper left lung."
    by_volume = segment(volumeNode, report, threshold=0.0).rows[0]
    by_organ = segment(volumeNode, report, threshold=0.0, organNode=organ).rows[0]
    assert (by_volume["slices"], by_organ["slices"]) == (2, 1)
    slicer.util.updateVolumeFromArray(organ, np.zeros_like(mask))
    with pytest.raises(InputError, match="'lungs' marks no voxel"):
        segment(volumeNode, report, organNode=organ)


def test_an_unknown_sentence_is_refused_with_those_there_are(volumeNode: Any, segment: Any) -> None:
    with pytest.raises(InputError, match=r"'findings-9' to run again; this report has findings-1, findings-2"):
        segment(volumeNode, REPORT, only=["findings-9"])
    with pytest.raises(InputError, match="a list of sentence ids"):
        segment(volumeNode, REPORT, only="findings-1")


def test_no_volume_and_an_empty_volume_are_refused(slicer_session: SlicerSession, segment: Any) -> None:
    empty = slicer_session.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    for given, words in ((None, "No volume was given"), (empty, "The volume 'empty' holds no image")):
        with pytest.raises(InputError, match=words):
            segment(given, REPORT)


def test_a_refusal_leaves_the_scene_as_it_was(slicer_session: SlicerSession, volumeNode: Any, segment: Any) -> None:
    before = _contents(slicer_session)
    with pytest.raises(InputError, match="threshold"):
        segment(volumeNode, REPORT, threshold=3.0)
    assert _contents(slicer_session) == before


def test_cancelling_by_the_progress_callback_leaves_the_scene_as_it_was(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any
) -> None:
    before = _contents(slicer_session)
    runner = InProcessRunner()
    with pytest.raises(Cancelled):
        segment(volumeNode, REPORT, runner=runner, progress=lambda done, total, stage: stage != "segmenting")
    assert _contents(slicer_session) == before and runner.closed


def test_nothing_lands_in_a_scene_that_was_closed_meanwhile(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any
) -> None:
    with pytest.raises(Cancelled, match="The scene was closed"):
        segment(volumeNode, REPORT, runner=InProcessRunner(lambda: slicer_session.scene.Clear(False)))
    assert _contents(slicer_session) == []


def _remove_volume(session: SlicerSession, volumeNode: Any, reportNode: Any) -> None:
    session.scene.RemoveNode(volumeNode)


def _remove_report(session: SlicerSession, volumeNode: Any, reportNode: Any) -> None:
    session.scene.RemoveNode(reportNode)


def _edit_report(session: SlicerSession, volumeNode: Any, reportNode: Any) -> None:
    reportNode.SetText("No infection.")


def _move_volume(session: SlicerSession, volumeNode: Any, reportNode: Any) -> None:
    volumeNode.SetOrigin(1, 2, 3)


def _paint_volume(session: SlicerSession, volumeNode: Any, reportNode: Any) -> None:
    slicer.util.arrayFromVolume(volumeNode)[:] = 0
    slicer.util.arrayFromVolumeModified(volumeNode)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_remove_volume, "The volume was removed"),
        (_remove_report, "The report was removed"),
        (_edit_report, "The report was changed"),
        (_move_volume, "The volume was changed"),
        (_paint_volume, "The volume was changed"),
    ],
)
def test_nothing_lands_for_what_is_no_longer_there_as_it_was(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any, change: Any, words: str
) -> None:
    reportNode = createReportNode(REPORT)
    once: list[Any] = [lambda: change(slicer_session, volumeNode, reportNode)]
    with pytest.raises(LMISError, match=words):
        segment(volumeNode, reportNode, runner=InProcessRunner(lambda: once.pop()() if once else None))
    assert slicer_session.nodes("vtkMRMLSegmentationNode") == []


class _FailingRunner(InProcessRunner):
    def poll(self) -> bool:
        assert self._waiting is not None
        self._waiting[1]({"type": "error", "kind": "out_of_memory", "message": "Too large."})
        return False


def test_the_kind_of_a_failure_becomes_the_kind_of_the_error(volumeNode: Any, segment: Any) -> None:
    with pytest.raises(OutOfMemoryError, match=re.escape("Too large.")):
        segment(volumeNode, REPORT, runner=_FailingRunner())


def test_a_crashed_worker_is_one_sentence_and_leaves_no_temporary_file(
    slicer_session: SlicerSession, volumeNode: Any, segment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import tempfile

    script = tmp_path / "crash.py"
    script.write_text("import os, sys; print('last words', file=sys.stderr, flush=True); os.abort()", encoding="utf-8")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = _contents(slicer_session)
    with pytest.raises(LMISError, match=r"^The worker process was ended by signal 6; memory") as raised:
        segment(volumeNode, REPORT, runner=SubprocessRunner([sys.executable, str(script)]))
    assert "\n" not in str(raised.value) and "last words" in raised.value.__notes__
    assert _contents(slicer_session) == before and not list(folder.iterdir())


def test_a_run_can_be_polled_and_its_result_taken_once_it_has_ended(volumeNode: Any, material: Material) -> None:
    from LanguageSegmentLib.run import SegmentReportOptions

    options = SegmentReportOptions(**material.options)
    run = startSegmentReport(volumeNode, createReportNode(REPORT), options, runner=InProcessRunner())
    with pytest.raises(LMISError, match="has not ended"):
        run.result()
    while run.poll():
        pass
    assert not run.poll()
    assert len(run.result().segmentationNodes) == 1
    assert [sentence.key for sentence in sentencesOf(run.result().reportNode)] == [
        row["key"] for row in run.result().rows
    ]
