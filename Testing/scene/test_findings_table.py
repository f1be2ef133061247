"""The findings table is made of the scene alone, so it outlives saving and loading; and what its cells say."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer.util
from binding_makers import FIRST, KEYS, LAST, SECOND, SHAPE, TEXT, bound, box, record
from session import SlicerSession

from LanguageSegmentLib import tags
from LanguageSegmentLib.binding import bind, putSegments, reportNodes, sentencesOf
from LanguageSegmentLib.findings_table import NOT_RUN, csvText, rowOfSegment, tableRows
from LanguageSegmentLib.focus import setVisible
from LanguageSegmentLib.marks import markEdits
from LanguageSegmentLib.row_store import agreementText, agreementVerdict, restoreText, storedRows, storedText, storeRows
from LanguageSegmentLib.table_text import cellTexts, cellTips, columnTitles


def _ran(report: Any, **states: str) -> list[dict[str, Any]]:
    """Rows as a run gives them, for all sentences or those named by key with - as _."""
    words = {sentence.key: sentence.text for sentence in sentencesOf(report)}
    wanted = {name.replace("_", "-"): state for name, state in states.items()}
    return [
        {
            "key": key,
            "sentence": words[key],
            "state": state,
            "reason": f"because {state}",
            "forced": False,
            "presence": None if state == "negated" else 0.25,
            "prompt": "sent",
        }
        for key, state in wanted.items()
    ]


@pytest.fixture
def scene(slicer_session: SlicerSession) -> tuple[Any, Any, Any]:
    report, segmentation, volume = bound(slicer_session)
    storeRows(
        report,
        _ran(report, findings_1="affirmed", findings_2="affirmed", findings_3="negated", impression_1="absent"),
    )
    return report, segmentation, volume


def test_each_sentence_has_a_row_with_its_segment_or_why_it_has_none(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, _volume = scene
    rows = tableRows(report)
    assert [row.key for row in rows] == KEYS
    assert [row.state for row in rows] == ["affirmed", "affirmed", "negated", "absent"]
    assert [row.segmentId is not None for row in rows] == [True, True, False, False]
    assert rows[0].segmentationNode is segmentation and rows[0].presence == 0.93 and rows[0].visible
    assert rows[0].reason == "because affirmed"
    assert rows[3].reason == "because absent" and rows[3].presence == 0.25 and rows[3].prompt == "sent"
    assert [row.canBeForced for row in rows] == [False, False, True, True]


def test_there_are_no_rows_without_a_report_and_not_run_ones_before_a_run(slicer_session: SlicerSession) -> None:
    from LanguageSegmentLib.binding import createReportNode

    assert tableRows(None) == [] and tableRows(slicer_session.volume()) == []
    rows = tableRows(createReportNode(TEXT))
    assert {row.state for row in rows} == {NOT_RUN} and not any(row.canBeForced for row in rows)


@pytest.mark.parametrize("name", ["scene.mrb", "scene/scene.mrml"])
def test_the_rows_are_the_same_after_saving_and_loading(
    scene: tuple[Any, Any, Any], slicer_session: SlicerSession, tmp_path: Path, name: str
) -> None:
    before = csvText(tableRows(scene[0]))
    slicer_session.save(tmp_path / name)
    slicer_session.load(tmp_path / name)
    (report,) = reportNodes(slicer_session.scene)
    assert csvText(tableRows(report)) == before


def test_an_edited_sentence_is_stale_with_and_without_a_segment(scene: tuple[Any, Any, Any]) -> None:
    report, _segmentation, _volume = scene
    report.SetText(TEXT.replace("lung, 50 %", "lung, 60 %").replace("Bilateral", "Unilateral"))
    assert [row.state for row in tableRows(report)] == ["stale", "affirmed", "negated", "stale"]


def test_a_mask_edited_by_hand_is_counted_anew(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, volume = scene
    before = tableRows(report)[0]
    mask = np.zeros((7, 8, 9), dtype=np.uint8)
    mask[2, 2, 2:6] = 1
    assert before.segmentId is not None
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, before.segmentId, volume)
    markEdits(segmentation)
    row = tableRows(report)[0]
    spacing = float(np.prod(volume.GetSpacing())) / 1000
    assert row.edited and row.volumeMl == pytest.approx(4 * spacing) and row.volumeMl != before.volumeMl
    assert "(edited)" in cellTexts(row)[2]


def test_hiding_a_segment_shows_in_its_row_and_back(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, _volume = scene
    ids = [row.segmentId or "" for row in tableRows(report)]
    setVisible(segmentation, ids[0], False)
    assert [row.visible for row in tableRows(report)] == [False, True, False, False]
    segmentation.GetDisplayNode().SetVisibility(False)
    assert not any(row.visible for row in tableRows(report))
    setVisible(segmentation, ids[0], True)
    assert [row.visible for row in tableRows(report)] == [True, False, False, False]


def test_of_two_segmentations_that_of_the_chosen_volume_counts(
    scene: tuple[Any, Any, Any], slicer_session: SlicerSession
) -> None:
    report, first, volume = scene
    other = slicer_session.volume(SHAPE, name="another")
    second = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "of another")
    bind(second, report)
    putSegments(second, other, [record("findings-1", box(1))])
    assert [row.segmentationNode for row in tableRows(report, other)[:2]] == [second, first]
    for chosen in (volume, None):
        assert [row.segmentationNode for row in tableRows(report, chosen)[:2]] == [first, first]


def test_the_row_of_a_segment_is_found(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, volume = scene
    rows = tableRows(report)
    assert rowOfSegment(rows, segmentation, rows[1].segmentId or "") == 1
    assert rowOfSegment(rows, segmentation, "other") is None and rowOfSegment(rows, volume, "x") is None


def test_rows_of_one_sentence_run_again_leave_the_others(scene: tuple[Any, Any, Any]) -> None:
    report = scene[0]
    before = storedText(report)
    storeRows(report, _ran(report, impression_1="negated"))
    assert [storedRows(report)[key].state for key in KEYS] == ["affirmed", "affirmed", "negated", "negated"]
    restoreText(report, before)
    assert storedRows(report)["impression-1"].state == "absent"
    restoreText(report, None)
    assert storedRows(report) == {}


def test_rows_of_deleted_sentences_go_and_what_cannot_be_read_counts_as_nothing(scene: tuple[Any, Any, Any]) -> None:
    report = scene[0]
    report.SetText(f"FINDINGS:\n{FIRST}\n")
    storeRows(report, [])
    assert list(storedRows(report)) == ["findings-1"]
    for text in ("no JSON", "[]", '{"a": 1}', '{"a": {"words": "x"}}'):
        restoreText(report, text)
        assert storedRows(report) == {}


def test_the_csv_holds_one_line_for_each_sentence(scene: tuple[Any, Any, Any]) -> None:
    lines = list(csv.DictReader(io.StringIO(csvText(tableRows(scene[0])))))
    assert [line["sentence"] for line in lines] == [" ".join(text.split()) for text in (
        FIRST, SECOND, "No pleural effusion.", LAST)]  # fmt: skip
    assert lines[0]["presence"] == "0.9300" and float(lines[0]["volume_ml"]) > 0 and lines[2]["volume_ml"] == ""
    assert lines[0]["edited_by_hand"] == "False" and lines[2]["edited_by_hand"] == ""


def test_no_cell_of_the_csv_is_a_formula(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, _volume = scene
    name = tableRows(report)[0].segmentId or ""
    segmentation.GetSegmentation().GetSegment(name).SetName("=1+1")
    assert next(csv.DictReader(io.StringIO(csvText(tableRows(report)))))["segment"] == "'=1+1"


def test_cells_say_what_is_nominal_forced_or_missing(scene: tuple[Any, Any, Any]) -> None:
    report, segmentation, _volume = scene
    storeRows(report, [{**row, "forced": True} for row in _ran(report, findings_1="negated")], nominal=True)
    segment = segmentation.GetSegmentation().GetSegment(tableRows(report)[0].segmentId or "")
    tags.writeTags(segment, {tags.STATE: "negated (forced)", tags.AGREEMENT: "side agrees"})
    cells = cellTexts(tableRows(report)[0])
    assert len(cells) == len(columnTitles()) == len(cellTips(tableRows(report)[0]))
    assert cells[1] == "negated (forced)" and cells[4].endswith("(nominal)") and cells[5] == "side agrees"
    empty = cellTexts(tableRows(report)[2])
    assert empty[2:] == ["", "", "", ""]
    assert cellTips(tableRows(report)[2])[2] == "The sentence has no segment."


def test_the_gravest_verdict_stands_in_the_cell_and_the_words_in_its_tip(scene: tuple[Any, Any, Any]) -> None:
    report = scene[0]
    told = [
        {"verdict": "agrees", "words": "side agrees"},
        {"verdict": "contradicts", "words": "text says left, 93 % of the mask is on the right"},
    ]
    (row,) = _ran(report, findings_1="affirmed")
    storeRows(report, [{**row, "agreement": told}])
    first = tableRows(report)[0]
    assert cellTexts(first)[5] == "contradicts" and "93 % of the mask" in cellTips(first)[5]
    assert agreementVerdict(told[:1]) == agreementVerdict(told[0]) == "agrees"
    assert agreementVerdict(None) == agreementVerdict("side agrees") == agreementVerdict([]) == ""


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (0.934, "93 %"),
        ("side  agrees\n", "side agrees"),
        ({"text": "left, as said"}, "left, as said"),
        (["side agrees", "size differs"], "side agrees; size differs"),
        ({"side": "agrees", "size": None}, "agrees"),
    ],
)
def test_an_agreement_is_shown_as_one_line(value: Any, words: str) -> None:
    assert agreementText(value) == words
