"""A .seg.nrrd file alone: its segments tell their sentences, find a report's again, or make one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from binding_makers import FIRST, KEYS, LAST, SECOND, TEXT, bound, box, draw, mask_of, record, save_segmentation, tag
from session import SlicerSession

from LanguageSegmentLib.binding import (
    bind,
    createReportNode,
    editedSegments,
    fieldsOf,
    markEdits,
    putSegments,
    rebuildReport,
    reportNodeOf,
    segmentationOf,
    segmentOf,
    segmentState,
    sentenceOf,
    sentencesOf,
)
from LMISCore.errors import InputError
from LMISCore.inference.result import CaseResult, SentenceResult
from LMISCore.text.report import State, parse_report
from LMISCore.volumes.segmentation import write_segmentation
from LMISCore.volumes.volume import Geometry

IDS = ["lmis_findings-1", "lmis_findings-2", "lmis_impression-1"]
TEXTS = [FIRST, SECOND, LAST]


def _geometry(left_handed: bool) -> Geometry:
    return Geometry(
        (9, 8, 7), (0.7, 1.1, 2.5), (-12.3, 45.6, -78.9), (1, 0, 0, 0, 1, 0, 0, 0, -1 if left_handed else 1)
    )


def written_by_core(path: Path, left_handed: bool = False) -> None:
    """Write what ``lmis segment`` writes for the report: masks for its sentences that state a finding."""
    rows = []
    for number, sentence in enumerate(parse_report(TEXT).sentences):
        row = SentenceResult(sentence, sentence.field, State.AFFIRMED, "")
        if sentence.id != "findings-3":
            row.mask, row.segment_id, row.name = box(number), f"lmis_{sentence.id}", sentence.id
            row.colour, row.volume_ml = (1.0, 0.5, 0.0), 1.0
        rows.append(row)
    about: dict[str, Any] = {
        "network": "tirnet",
        "checkpoint_hash": "0" * 64,
        "version": "1.2",
        "thresholds": {"mask": 0.5},
        "intensity": {"convention": "x", "kind": "hu", "reason": "y"},
        "date": "2025-01-02",
        "device": {"name": "cpu"},
        "precision": {"name": "float32"},
        "cleanup": "none",
    }
    result = CaseResult(_geometry(left_handed), rows, about)
    write_segmentation(path, result.segment_data(), result.geometry)


def saved_by_slicer(session: SlicerSession, path: Path) -> None:
    _, segmentation, volume = bound(session)
    putSegments(segmentation, volume, [record("impression-1", box(3))])
    save_segmentation(session, segmentation, path)
    session.scene.Clear(False)


@pytest.fixture(params=["LMISCore", "LMISCore, left-handed", "Slicer"])
def alone(request: pytest.FixtureRequest, slicer_session: SlicerSession, tmp_path: Path) -> Any:
    """A segmentation loaded from a file, without its report."""
    path = tmp_path / "患者.seg.nrrd"
    if request.param == "Slicer":
        saved_by_slicer(slicer_session, path)
    else:
        written_by_core(path, "left" in request.param)
    return slicer_session.segmentation_from(path)


def check(report: Any, segmentation: Any) -> None:
    assert reportNodeOf(segmentation) is report
    assert fieldsOf(segmentation) == ["FINDINGS", "IMPRESSION"]
    assert segmentationOf(report, "IMPRESSION") is segmentation
    by_text = {each.text: each for each in sentencesOf(report)}
    for segment_id, text in zip(IDS, TEXTS, strict=True):
        assert segmentOf(report, by_text[text].key) == (segmentation, segment_id)
        sentence = sentenceOf(segmentation, segment_id)
        assert sentence is not None and sentence.text == text and sentence.state is State.AFFIRMED
        assert segmentState(segmentation, segment_id) == "current"
    assert editedSegments(segmentation) == []


def test_segments_tell_their_sentences_without_a_report(alone: Any) -> None:
    assert reportNodeOf(alone) is None and fieldsOf(alone) == ["FINDINGS", "IMPRESSION"]
    for segment_id, text in zip(IDS, TEXTS, strict=True):
        sentence = sentenceOf(alone, segment_id)
        assert sentence is not None
        assert (sentence.text, sentence.key, sentence.id) == (text, segment_id.removeprefix("lmis_"), "")
        assert (sentence.field, sentence.state) == ("IMPRESSION" if text == LAST else "FINDINGS", State.AFFIRMED)
        assert sentence.span.of(TEXT) == text
        assert segmentState(alone, segment_id) == "orphan"


def test_segments_find_their_sentences_in_a_report_that_is_loaded_beside(alone: Any) -> None:
    # Numbers and places differ from those in the file's tags.
    report = createReportNode("FINDINGS:\nThe heart is large.\n\n" + TEXT.removeprefix("FINDINGS:\n"))
    bind(alone, report)
    check(report, alone)
    assert segmentOf(report, "findings-2") == (alone, "lmis_findings-1")


def test_a_report_is_made_again_from_the_tags(alone: Any) -> None:
    report = rebuildReport(alone)
    assert [each.text for each in sentencesOf(report)] == TEXTS
    check(report, alone)


def test_a_rerun_replaces_the_segment_of_a_file(slicer_session: SlicerSession, alone: Any) -> None:
    report = createReportNode(TEXT)
    bind(alone, report)
    volume = slicer_session.volume()
    assert putSegments(alone, volume, [record(KEYS[1], box(2))]) == [IDS[1]]
    np.testing.assert_array_equal(mask_of(alone, IDS[1], volume), box(2))
    check(report, alone)


def test_an_edit_of_a_file_is_noticed_after_it_was_saved_and_loaded(
    slicer_session: SlicerSession, alone: Any, tmp_path: Path
) -> None:
    draw(alone, IDS[0], slicer_session.volume())
    save_segmentation(slicer_session, alone, tmp_path / "edited.seg.nrrd")
    again = slicer_session.segmentation_from(tmp_path / "edited.seg.nrrd")
    assert markEdits(again) == [IDS[0]] and "VolumeMl" in str(tag(again, IDS[0], "OutOfDate"))


def test_the_same_words_twice_in_a_field_go_to_the_nearest_place(slicer_session: SlicerSession, tmp_path: Path) -> None:
    text = "FINDINGS:\nNodule.\n\nMass.\n\nNodule.\n"
    report = createReportNode(text)
    segmentation = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bind(segmentation, report)
    volume = slicer_session.volume()
    putSegments(segmentation, volume, [record("findings-3", box(0)), record("findings-1", box(1))])
    save_segmentation(slicer_session, segmentation, tmp_path / "x.seg.nrrd")
    slicer_session.scene.Clear(False)
    segmentation = slicer_session.segmentation_from(tmp_path / "x.seg.nrrd")
    report = createReportNode(text)
    bind(segmentation, report)
    for key in ("findings-1", "findings-3"):
        assert segmentOf(report, key) == (segmentation, f"lmis_{key}")


def test_segments_that_tell_no_sentence_make_no_report(slicer_session: SlicerSession) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    node.GetSegmentation().AddEmptySegment("a")
    with pytest.raises(InputError, match="No segment of mine tells of a sentence"):
        rebuildReport(node)
    assert sentenceOf(node, "a") is None and segmentState(node, "a") == "orphan" and fieldsOf(node) == []
