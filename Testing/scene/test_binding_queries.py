"""Report, fields, sentences and segments find each other, in both directions, after all that a scene goes through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binding_makers import AXES, FIRST, KEYS, LAST, SECOND, TEXT, THIRD, bound, box, mask_of, record
from session import SlicerSession

from LanguageSegmentLib.binding import (
    bind,
    createReportNode,
    fieldsOf,
    isEditedByHand,
    isReportNode,
    putSegments,
    reportNodeOf,
    reportNodes,
    segmentationOf,
    segmentationsOf,
    segmentOf,
    segmentsOf,
    segmentState,
    sentenceOf,
    sentencesOf,
    unbind,
)

IDS = ["lmis_findings-1", "lmis_findings-2"]
SAVED = {"a bundle": "患者 scene.mrb", "a scene file": "saved scene/患者.mrml"}


def check_tie(report: Any, segmentation: Any) -> None:
    """All queries between one report and one segmentation of it, as :func:`bound` makes them."""
    assert isReportNode(report) and report.GetText() == TEXT
    assert reportNodeOf(segmentation) is report
    assert segmentationsOf(report) == [segmentation]
    assert fieldsOf(segmentation) == ["FINDINGS", "IMPRESSION"]
    assert segmentationOf(report, "FINDINGS") is segmentation and segmentationOf(report, "HISTORY") is None
    assert [(each.key, each.text) for each in sentencesOf(report)] == list(
        zip(KEYS, [FIRST, SECOND, THIRD, LAST], strict=True)
    )
    for key, segment_id, text in zip(KEYS[:2], IDS, [FIRST, SECOND], strict=True):
        assert segmentOf(report, key) == (segmentation, segment_id)
        sentence = sentenceOf(segmentation, segment_id)
        assert sentence is not None and (sentence.key, sentence.text, sentence.field) == (key, text, "FINDINGS")
        assert sentence.span.of(report.GetText()) == text
        assert segmentState(segmentation, segment_id) == "current"
        assert not isEditedByHand(segmentation, segment_id)
    assert segmentOf(report, KEYS[2]) is None


def test_report_and_segments_find_each_other(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    check_tie(report, segmentation)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(0))
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), box(1))


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
@pytest.mark.parametrize("name", SAVED.values(), ids=SAVED.keys())
def test_the_tie_survives_saving_and_loading(
    slicer_session: SlicerSession, tmp_path: Path, name: str, axes: np.ndarray
) -> None:
    bound(slicer_session, axes)
    slicer_session.save(tmp_path / name)
    slicer_session.load(tmp_path / name)
    (report,) = reportNodes()
    (segmentation,) = slicer_session.nodes("vtkMRMLSegmentationNode")
    check_tie(report, segmentation)


@pytest.mark.parametrize("name", SAVED.values(), ids=SAVED.keys())
def test_each_tie_stays_with_its_own_nodes_when_imported_ids_clash(
    slicer_session: SlicerSession, tmp_path: Path, name: str
) -> None:
    bound(slicer_session)
    slicer_session.save(tmp_path / name)
    slicer_session.scene.Clear(False)
    other, segmentation, _ = bound(slicer_session, text=TEXT)  # takes the IDs that the saved nodes had
    before = other.GetID(), segmentation.GetID()
    slicer_session.add(tmp_path / name)
    reports = reportNodes()
    segmentations = slicer_session.nodes("vtkMRMLSegmentationNode")
    assert len(reports) == len(segmentations) == 2
    assert (reports[0].GetID(), segmentations[0].GetID()) == before
    for report, node in zip(reports, segmentations, strict=True):
        check_tie(report, node)


def test_importing_the_same_scene_twice_ties_each_copy_to_its_own_report(
    slicer_session: SlicerSession, tmp_path: Path
) -> None:
    bound(slicer_session)
    slicer_session.save(tmp_path / "x.mrb")
    slicer_session.add(tmp_path / "x.mrb")
    for report, node in zip(reportNodes(), slicer_session.nodes("vtkMRMLSegmentationNode"), strict=True):
        check_tie(report, node)


def test_names_do_not_matter(slicer_session: SlicerSession, tmp_path: Path) -> None:
    report, segmentation, _ = bound(slicer_session)
    report.SetName("Befund | 报告")
    segmentation.SetName("")
    segmentation.GetSegmentation().GetSegment(IDS[0]).SetName(SECOND)
    check_tie(report, segmentation)
    slicer_session.save(tmp_path / "x.mrb")
    slicer_session.load(tmp_path / "x.mrb")
    check_tie(reportNodes()[0], slicer_session.nodes("vtkMRMLSegmentationNode")[0])


def _copied(session: SlicerSession, node: Any) -> Any:
    """Copy a node as cloning it in the Data module does."""
    copy = session.scene.CreateNodeByClass(node.GetClassName())
    copy.UnRegister(None)
    copy.Copy(node)
    session.scene.AddNode(copy)
    return copy


def test_a_copied_segmentation_belongs_to_the_same_report_behind_the_original(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    copy = _copied(slicer_session, segmentation)
    assert copy is not segmentation and segmentationsOf(report) == [segmentation, copy]
    assert segmentationOf(report, "FINDINGS") is segmentation and fieldsOf(copy) == fieldsOf(segmentation)
    assert segmentsOf(report, KEYS[0]) == [(segmentation, IDS[0]), (copy, IDS[0])]
    assert segmentOf(report, KEYS[0]) == (segmentation, IDS[0])
    sentence = sentenceOf(copy, IDS[1])
    assert sentence is not None and sentence.key == KEYS[1]


def test_a_copied_report_has_no_segments_until_it_is_bound(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    copy = _copied(slicer_session, report)
    assert isReportNode(copy) and segmentationsOf(copy) == []
    check_tie(report, segmentation)
    bind(segmentation, copy)
    check_tie(copy, segmentation)
    assert segmentationsOf(report) == []


def test_a_field_can_own_a_segmentation_and_the_others_share_one(slicer_session: SlicerSession) -> None:
    report = createReportNode(TEXT)
    shared, own = (slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode") for _ in range(2))
    bind(shared, report)
    bind(own, report, ["IMPRESSION"])
    assert (fieldsOf(shared), fieldsOf(own)) == (["FINDINGS"], ["IMPRESSION"])
    assert segmentationOf(report, "FINDINGS") is shared and segmentationOf(report, "IMPRESSION") is own
    bind(shared, report, ["IMPRESSION", "FINDINGS"])  # a field has one owner: the latest
    assert (fieldsOf(shared), fieldsOf(own)) == (["IMPRESSION", "FINDINGS"], [])
    assert segmentationOf(report, "IMPRESSION") is shared


def test_text_without_headings_is_a_field_without_a_name(slicer_session: SlicerSession) -> None:
    report = createReportNode("Opacity on the left.")
    segmentation = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bind(segmentation, report, [""])
    assert fieldsOf(segmentation) == [""] and segmentationOf(report, "") is segmentation


def test_two_reports_with_the_same_keys_do_not_take_each_others_segments(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    other = createReportNode("FINDINGS: Mass on the right.")
    second = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bind(second, other)
    assert second.GetSegmentation().CopySegmentFromSegmentation(segmentation.GetSegmentation(), IDS[0])
    assert segmentOf(other, "findings-1") is None
    assert segmentState(second, IDS[0]) == "orphan"
    sentence = sentenceOf(second, IDS[0])
    assert sentence is not None and sentence.text == FIRST and sentence.id == ""
    putSegments(second, volume, [record("findings-1", box(2))])
    found = segmentOf(other, "findings-1")
    assert found is not None and found[1] != IDS[0]
    check_tie(report, segmentation)


def test_an_untied_segmentation_still_tells_its_sentences(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    unbind(segmentation)
    assert reportNodeOf(segmentation) is None and segmentationsOf(report) == []
    assert fieldsOf(segmentation) == ["FINDINGS"] and segmentState(segmentation, IDS[0]) == "orphan"
    sentence = sentenceOf(segmentation, IDS[1])
    assert sentence is not None and (sentence.key, sentence.text) == (KEYS[1], SECOND)
    bind(segmentation, report)
    check_tie(report, segmentation)


def test_a_deleted_report_leaves_segments_that_no_later_report_takes(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    number = report.GetID()
    slicer_session.scene.RemoveNode(report)
    later = createReportNode(TEXT)
    segmentation.SetNodeReferenceID("languageSegmentReport", number)  # as a damaged scene has it
    later.GetScene().RemoveNode(later)
    assert reportNodeOf(segmentation) is None and segmentState(segmentation, IDS[0]) == "orphan"
    other = createReportNode(TEXT)
    segmentation.SetNodeReferenceID("languageSegmentReport", other.GetID())
    assert reportNodeOf(segmentation) is None and segmentationsOf(other) == []


def test_a_deleted_segmentation_leaves_a_report_without_segments(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    slicer_session.scene.RemoveNode(segmentation)
    assert segmentationsOf(report) == [] and segmentOf(report, KEYS[0]) is None
    again = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bind(again, report)
    putSegments(again, volume, [record(KEYS[0], box(0)), record(KEYS[1], box(1))])
    check_tie(report, again)


def test_only_reports_and_segmentations_of_one_scene_can_be_tied(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    plain = slicer_session.scene.AddNewNodeByClass("vtkMRMLTextNode")
    with pytest.raises(ValueError, match="report node only"):
        bind(segmentation, plain)
    with pytest.raises(ValueError, match="only a vtkMRMLSegmentationNode"):
        bind(volume, report)
    with pytest.raises(ValueError, match="not one text"):
        bind(segmentation, report, "FINDINGS")
    with pytest.raises(ValueError, match="no segment 'x'"):
        sentenceOf(segmentation, "x")
    slicer_session.scene.RemoveNode(report)
    with pytest.raises(ValueError, match="one scene"):
        bind(segmentation, report)
