"""Sentences edited, segments made anew, steps back, and masks edited by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer.util
from binding_makers import (
    AXES,
    FIRST,
    GREEN,
    KEYS,
    RED,
    SECOND,
    SHAPE,
    TEXT,
    bound,
    box,
    draw,
    mask_of,
    record,
    script,
    tag,
)
from session import SlicerSession

from LanguageSegmentLib.binding import (
    bind,
    canStepBack,
    createReportNode,
    editedSegments,
    isEditedByHand,
    markBindings,
    markEdits,
    putSegment,
    putSegments,
    reportNodes,
    segmentOf,
    segmentState,
    sentenceOf,
    sentencesOf,
    stepBack,
)
from LanguageSegmentLib.history import MOST_STEPS
from LMISCore.errors import InputError
from LMISCore.text.report import State

IDS = ["lmis_findings-1", "lmis_findings-2"]


def states(segmentation: Any) -> list[str]:
    return [segmentState(segmentation, segment_id) for segment_id in IDS]


def test_a_rewritten_sentence_makes_its_segment_stale_and_writing_it_back_current(
    slicer_session: SlicerSession,
) -> None:
    report, segmentation, _ = bound(slicer_session)
    report.SetText(TEXT.replace("Opacity in", "No opacity in"))
    assert states(segmentation) == ["stale", "current"]
    sentence = sentenceOf(segmentation, IDS[0])
    assert sentence is not None and sentence.text == FIRST.replace("Opacity in", "No opacity in")
    assert sentence.state is State.STALE and tag(segmentation, IDS[0], "Sentence") == FIRST
    assert segmentOf(report, KEYS[0]) == (segmentation, IDS[0])
    markBindings(segmentation)
    assert [tag(segmentation, each, "Binding") for each in IDS] == ["stale", "current"]
    report.SetText(TEXT)
    assert states(segmentation) == ["current", "current"]
    markBindings(segmentation)
    assert tag(segmentation, IDS[0], "Binding") == "current"


def test_wrapping_a_sentence_anew_changes_nothing(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    report.SetText(TEXT.replace("in the right\nlower lobe", "in the\nright lower lobe"))
    assert states(segmentation) == ["current", "current"]


def test_a_sentence_put_in_before_shifts_numbers_but_no_tie(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    report.SetText(TEXT.replace("FINDINGS:\n", "FINDINGS:\nThe heart is large.\n\n"))
    assert [(each.key, each.id) for each in sentencesOf(report)][:2] == [
        ("findings-4", "findings-1"),
        ("findings-1", "findings-2"),
    ]
    assert states(segmentation) == ["current", "current"]
    assert segmentOf(report, "findings-4") is None


def test_a_deleted_sentence_leaves_an_orphan_that_finds_back(slicer_session: SlicerSession) -> None:
    report, segmentation, _ = bound(slicer_session)
    report.SetText(TEXT.replace(FIRST + "\n\n", ""))
    assert states(segmentation) == ["orphan", "current"]
    sentence = sentenceOf(segmentation, IDS[0])
    assert sentence is not None and (sentence.text, sentence.id) == (FIRST, "")
    report.SetText(TEXT)
    assert states(segmentation) == ["current", "current"]


def test_a_rerun_replaces_the_mask_in_place(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    report.SetText(TEXT.replace("Opacity in", "Large opacity in"))
    made = putSegment(
        segmentation,
        volume,
        sentenceKey=KEYS[0],
        mask=box(3),
        name="New name",
        colour=GREEN,
        tags={"State": "uncertain (forced)", "Network": "other"},
    )
    assert made == IDS[0] and segmentation.GetSegmentation().GetNumberOfSegments() == 2
    assert segmentation.GetSegmentation().GetNthSegmentID(0) == IDS[0]
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(3))
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), box(1))
    segment = segmentation.GetSegmentation().GetSegment(IDS[0])
    assert segment.GetName() == "New name" and segment.GetColor() == GREEN
    assert states(segmentation) == ["current", "current"]
    sentence = sentenceOf(segmentation, IDS[0])
    assert sentence is not None and sentence.state is State.UNCERTAIN
    # What the new run does not say must not stay from the old one.
    assert tag(segmentation, IDS[0], "Presence") is None and tag(segmentation, IDS[0], "Network") == "other"


def test_a_name_and_a_colour_that_the_user_chose_outlive_a_rerun(slicer_session: SlicerSession) -> None:
    _, segmentation, volume = bound(slicer_session)
    segment = segmentation.GetSegmentation().GetSegment(IDS[0])
    segment.SetName("肺 mine")
    segment.SetColor(0.1, 0.2, 0.3)
    putSegments(segmentation, volume, [record(KEYS[0], box(3), name="theirs", colour=GREEN)])
    assert segment.GetName() == "肺 mine" and segment.GetColor() == (0.1, 0.2, 0.3)


def test_a_run_that_finds_nothing_takes_the_segment_away_until_a_step_back(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    none = np.zeros(SHAPE, dtype=bool)
    assert putSegments(segmentation, volume, [record(KEYS[0], none), record(KEYS[2], None)]) == [None, None]
    assert segmentOf(report, KEYS[0]) is None and segmentOf(report, KEYS[1]) is not None
    assert stepBack(segmentation)
    assert segmentOf(report, KEYS[0]) == (segmentation, IDS[0])
    assert segmentation.GetSegmentation().GetNthSegmentID(0) == IDS[0]
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(0))


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_one_step_back_restores_the_previous_masks_names_and_tags(
    slicer_session: SlicerSession, axes: np.ndarray
) -> None:
    _, segmentation, volume = bound(slicer_session, axes)
    new = {"Network": "other"}
    putSegments(
        segmentation,
        volume,
        [record(KEYS[0], box(2), name="x", colour=GREEN, tags=new), record(KEYS[1], box(3), tags=new)],
    )
    assert stepBack(segmentation)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(0))
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), box(1))
    segment = segmentation.GetSegmentation().GetSegment(IDS[0])
    assert (segment.GetName(), segment.GetColor()) == (KEYS[0], RED)
    assert [tag(segmentation, each, "Network") for each in IDS] == ["tirnet", "tirnet"]
    assert editedSegments(segmentation) == []
    assert stepBack(segmentation)  # the run that made them
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert not stepBack(segmentation) and not canStepBack(segmentation)


def test_a_step_back_leaves_other_segments_as_they_are_now(slicer_session: SlicerSession) -> None:
    _, segmentation, volume = bound(slicer_session)
    putSegments(segmentation, volume, [record(KEYS[0], box(2))])
    mine = segmentation.GetSegmentation().AddEmptySegment("mine", "mine")
    script(segmentation, mine, volume, box(3))
    drawn = draw(segmentation, IDS[1], volume)
    assert stepBack(segmentation)
    np.testing.assert_array_equal(mask_of(segmentation, mine, volume), box(3))
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), drawn)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(0))


def test_a_step_back_restores_a_segment_that_shared_its_layer(slicer_session: SlicerSession) -> None:
    volume = slicer_session.volume(SHAPE)
    report = createReportNode(TEXT)
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    bind(node, report)
    masks = np.zeros((2, *SHAPE), dtype=bool)
    masks[0, :, :, :3] = masks[1, :, :, 5:] = True
    putSegments(node, volume, [record(KEYS[0], masks[0]), record(KEYS[1], masks[1])])
    node.GetSegmentation().CollapseBinaryLabelmaps(False)  # as saving does
    labels = [node.GetSegmentation().GetSegment(each).GetLabelValue() for each in IDS]
    assert labels[0] != labels[1]  # which is how a layer's segments are told apart
    putSegments(node, volume, [record(KEYS[1], np.ones(SHAPE, dtype=bool))])
    assert stepBack(node)
    for segment_id, mask in zip(IDS, masks, strict=True):
        np.testing.assert_array_equal(mask_of(node, segment_id, volume), mask)


def test_only_the_latest_steps_are_kept(slicer_session: SlicerSession) -> None:
    _, segmentation, volume = bound(slicer_session)
    for number in range(1, MOST_STEPS + 3):
        putSegments(segmentation, volume, [record(KEYS[0], box(number))])
    assert sum(stepBack(segmentation) for _ in range(MOST_STEPS + 3)) == MOST_STEPS
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(2))


def _by_script(segmentation: Any, segment_id: str, volume: Any) -> np.ndarray:
    script(segmentation, segment_id, volume, box(2))
    return box(2)


def _erased(segmentation: Any, segment_id: str, volume: Any) -> np.ndarray:
    segmentation.GetSegmentation().ClearSegment(segment_id)
    return np.zeros(SHAPE, dtype=bool)


EDITS = {"a brush stroke": draw, "a script": _by_script, "all erased": _erased}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_mask_edited_by_hand_is_noticed_and_kept_unless_asked(slicer_session: SlicerSession, edit: Any) -> None:
    _, segmentation, volume = bound(slicer_session)
    made = tag(segmentation, IDS[0], "Mask"), tag(segmentation, IDS[0], "VolumeMl")
    drawn = edit(segmentation, IDS[0], volume)
    assert isEditedByHand(segmentation, IDS[0]) and not isEditedByHand(segmentation, IDS[1])
    assert editedSegments(segmentation) == [IDS[0]] == markEdits(segmentation)
    assert tag(segmentation, IDS[0], "Edited") == "edited by hand"
    assert tag(segmentation, IDS[0], "OutOfDate") == "VolumeMl"
    assert (tag(segmentation, IDS[0], "Mask"), tag(segmentation, IDS[0], "VolumeMl")) == made
    records = [record(KEYS[1], box(3)), record(KEYS[0], box(3))]
    with pytest.raises(InputError, match="'findings-1' was edited by hand"):
        putSegments(segmentation, volume, records)
    with pytest.raises(InputError, match="edited by hand"):
        putSegments(segmentation, volume, records, replaceEdited=[KEYS[1]])
    if drawn.any():
        np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), drawn)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), box(1))  # nothing half-written
    putSegments(segmentation, volume, records, replaceEdited=[KEYS[0]])
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), box(3))
    assert tag(segmentation, IDS[0], "Edited") is None and tag(segmentation, IDS[0], "OutOfDate") is None
    assert editedSegments(segmentation) == []


def test_a_step_back_gives_an_edited_mask_up_only_if_asked_and_brings_a_replaced_one_back(
    slicer_session: SlicerSession,
) -> None:
    _, segmentation, volume = bound(slicer_session)
    drawn = draw(segmentation, IDS[0], volume)
    putSegments(segmentation, volume, [record(KEYS[0], box(3))], replaceEdited=True)
    again = draw(segmentation, IDS[0], volume)
    with pytest.raises(InputError, match="edited by hand"):
        stepBack(segmentation)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), again)
    assert stepBack(segmentation, replaceEdited=True)
    np.testing.assert_array_equal(mask_of(segmentation, IDS[0], volume), drawn)
    assert isEditedByHand(segmentation, IDS[0]) and tag(segmentation, IDS[0], "Edited") == "edited by hand"


def test_an_edit_taken_back_is_none(slicer_session: SlicerSession) -> None:
    _, segmentation, volume = bound(slicer_session)
    draw(segmentation, IDS[0], volume)
    assert markEdits(segmentation) == [IDS[0]]
    script(segmentation, IDS[0], volume, box(0))
    assert markEdits(segmentation) == [] and tag(segmentation, IDS[0], "Edited") is None


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES.keys())
def test_an_edit_of_a_session_that_nobody_watched_is_noticed_later(
    slicer_session: SlicerSession, tmp_path: Path, axes: np.ndarray
) -> None:
    _, segmentation, volume = bound(slicer_session, axes)
    draw(segmentation, IDS[1], volume)
    slicer_session.save(tmp_path / "x.mrb")
    slicer_session.load(tmp_path / "x.mrb")
    (segmentation,) = slicer_session.nodes("vtkMRMLSegmentationNode")
    assert tag(segmentation, IDS[1], "Edited") is None
    assert editedSegments(segmentation) == [IDS[1]]


def test_each_segment_tells_how_it_was_made(slicer_session: SlicerSession, tmp_path: Path) -> None:
    bound(slicer_session)
    slicer_session.save(tmp_path / "x.mrb")
    slicer_session.load(tmp_path / "x.mrb")
    (segmentation,) = slicer_session.nodes("vtkMRMLSegmentationNode")
    span = TEXT.index(SECOND), TEXT.index(SECOND) + len(SECOND)
    expected = {
        "Sentence": SECOND,
        "Field": "FINDINGS",
        "Span": f"{span[0]}-{span[1]}",
        "State": "affirmed",
        "Network": "tirnet",
        "Checkpoint": "0" * 64,
        "Version": "1.2",
        "Threshold": "0.5",
        "Presence": "0.93",
        "Date": "2025-01-02T03:04:05+00:00",
        "Binding": "current",
        "VolumeMl": f"{box(1).sum() * 0.7 * 1.1 * 2.5 / 1000:.3f}",
    }
    assert {key: tag(segmentation, IDS[1], key) for key in expected} == expected


def test_masks_follow_a_volume_under_a_transform(slicer_session: SlicerSession) -> None:
    volume = slicer_session.volume(SHAPE)
    transform = slicer_session.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[0, 3] = 30
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    report = createReportNode(TEXT)
    ours, theirs = (slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode") for _ in range(2))
    bind(ours, report)
    bind(theirs, report)
    theirs.GetSegmentation().AddEmptySegment("mine")  # not empty: its place in the patient is given
    for node in (ours, theirs):
        putSegments(node, volume, [record(KEYS[0], box(0))])
        np.testing.assert_array_equal(mask_of(node, IDS[0], volume), box(0))
        assert not isEditedByHand(node, IDS[0])
    assert ours.GetTransformNodeID() == transform.GetID() and theirs.GetTransformNodeID() is None


def test_what_cannot_be_written_is_refused_whole(slicer_session: SlicerSession) -> None:
    _, segmentation, volume = bound(slicer_session)
    good = record(KEYS[1], box(3))
    for wrong, words in (
        (record("findings-9", box(0)), "findings-9"),
        (record(KEYS[0], box(0)[1:]), "mask must be bool"),
        (record(KEYS[1], box(0)), "two records"),
    ):
        with pytest.raises(ValueError, match=words):
            putSegments(segmentation, volume, [good, wrong])
    loose = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    with pytest.raises(ValueError, match="call bind first"):
        putSegments(loose, volume, [good])
    np.testing.assert_array_equal(mask_of(segmentation, IDS[1], volume), box(1))
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    with pytest.raises(InputError, match="expected Binary labelmap"):
        putSegments(segmentation, volume, [record(KEYS[2], box(3))])
    assert len(reportNodes()) == 1
