"""Marks that stay true while the scene changes, and nothing left behind by what goes."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from binding_makers import KEYS, TEXT, bound, box, draw, record, script, tag
from session import SlicerSession

from LanguageSegmentLib import history
from LanguageSegmentLib.binding import (
    bind,
    canStepBack,
    createReportNode,
    putSegments,
    reportNodeOf,
    reportNodes,
    segmentOf,
    stepBack,
)
from LanguageSegmentLib.observers import BindingObserver

IDS = ["lmis_findings-1", "lmis_findings-2"]


class Watched:
    """An observer and how often it told of a change."""

    def __init__(self, session: SlicerSession) -> None:
        self.told = 0
        self.observer = BindingObserver(session.scene, self._tell)

    def _tell(self) -> None:
        self.told += 1


@pytest.fixture
def watched(slicer_session: SlicerSession) -> Iterator[Watched]:
    made = Watched(slicer_session)
    yield made
    made.observer.close()


def bindings(segmentation: Any) -> list[str | None]:
    return [tag(segmentation, each, "Binding") for each in IDS]


def edited(segmentation: Any) -> list[bool]:
    return [tag(segmentation, each, "Edited") is not None for each in IDS]


def test_an_edited_report_marks_its_segments(slicer_session: SlicerSession, watched: Watched) -> None:
    report, segmentation, _ = bound(slicer_session)
    told = watched.told
    report.SetText(TEXT.replace("Opacity in", "No opacity in"))
    assert bindings(segmentation) == ["stale", "current"] and watched.told == told + 1
    report.SetText(TEXT.replace("Nodule", "Mass"))
    assert bindings(segmentation) == ["current", "stale"]
    report.SetText(TEXT)
    report.SetText("")
    assert bindings(segmentation) == ["orphan", "orphan"]
    report.SetText(TEXT)
    assert bindings(segmentation) == ["current", "current"]


def test_typing_a_sentence_letter_by_letter_keeps_its_key(slicer_session: SlicerSession, watched: Watched) -> None:
    report, segmentation, _ = bound(slicer_session)
    first = TEXT.index("Opacity")
    for end in range(first + 1, first + 9):
        report.SetText(TEXT[:first] + TEXT[end:])
    for letter in range(1, 6):
        report.SetText(TEXT[:first] + "Spots"[:letter] + TEXT[first + 8 :])
    assert segmentOf(report, KEYS[0]) == (segmentation, IDS[0])
    assert bindings(segmentation) == ["stale", "current"]


def test_a_brush_stroke_marks_its_segment_and_no_other(slicer_session: SlicerSession, watched: Watched) -> None:
    _, segmentation, volume = bound(slicer_session)
    told = watched.told
    draw(segmentation, IDS[1], volume)
    assert edited(segmentation) == [False, True] and watched.told > told
    told = watched.told
    draw(segmentation, IDS[1], volume)
    assert watched.told == told  # it is marked already


def test_a_script_marks_the_segment_it_changes(slicer_session: SlicerSession, watched: Watched) -> None:
    _, segmentation, volume = bound(slicer_session)
    script(segmentation, IDS[0], volume, box(3))
    assert edited(segmentation) == [True, False]


def test_what_the_module_writes_is_no_edit(slicer_session: SlicerSession, watched: Watched) -> None:
    _, segmentation, volume = bound(slicer_session)
    told = watched.told
    putSegments(segmentation, volume, [record(KEYS[0], box(2)), record(KEYS[1], box(3))])
    assert edited(segmentation) == [False, False] and watched.told == told
    stepBack(segmentation)
    assert edited(segmentation) == [False, False]


def test_edits_made_before_it_watched_are_marked_at_once(slicer_session: SlicerSession) -> None:
    report, segmentation, volume = bound(slicer_session)
    draw(segmentation, IDS[0], volume)
    report.SetText(TEXT.replace("Nodule", "Mass"))
    watched = Watched(slicer_session)
    assert edited(segmentation) == [True, False] and bindings(segmentation) == ["current", "stale"]
    watched.observer.close()


@pytest.mark.parametrize("name", ["x.mrb", "saved/x.mrml"])
def test_edits_are_marked_in_a_scene_that_is_loaded_or_imported(
    slicer_session: SlicerSession, watched: Watched, tmp_path: Path, name: str
) -> None:
    _, segmentation, volume = bound(slicer_session)
    watched.observer.close()
    draw(segmentation, IDS[0], volume)
    slicer_session.save(tmp_path / name)
    watching = Watched(slicer_session)
    slicer_session.load(tmp_path / name)
    slicer_session.add(tmp_path / name)
    first, second = slicer_session.nodes("vtkMRMLSegmentationNode")
    assert edited(first) == edited(second) == [True, False]
    assert reportNodeOf(second) is reportNodes()[1]
    reportNodes()[1].SetText("")
    assert bindings(first) == ["current", "current"] and bindings(second) == ["orphan", "orphan"]
    watching.observer.close()


def test_a_removed_report_unties_its_segmentations(slicer_session: SlicerSession, watched: Watched) -> None:
    report, segmentation, _ = bound(slicer_session)
    told = watched.told
    slicer_session.scene.RemoveNode(report)
    assert bindings(segmentation) == ["orphan", "orphan"] and watched.told > told
    assert segmentation.GetNodeReferenceID("languageSegmentReport") is None
    assert [each for each in segmentation.GetAttributeNames() if each.startswith("LanguageSegment.")] == []
    assert tag(segmentation, IDS[0], "Sentence") is not None


def test_a_removed_segmentation_takes_its_steps_with_it(slicer_session: SlicerSession, watched: Watched) -> None:
    report, segmentation, _ = bound(slicer_session)
    assert canStepBack(segmentation)
    slicer_session.scene.RemoveNode(segmentation)
    assert not canStepBack(segmentation) and segmentOf(report, KEYS[0]) is None


def test_closing_the_scene_frees_all_and_watching_goes_on(slicer_session: SlicerSession, watched: Watched) -> None:
    _, segmentation, _ = bound(slicer_session)
    slicer_session.scene.Clear(False)
    assert not canStepBack(segmentation) and reportNodes() == []
    report, segmentation, _ = bound(slicer_session)
    report.SetText(TEXT.replace("Nodule", "Mass"))
    assert bindings(segmentation) == ["current", "stale"]


def test_steps_go_with_their_node_when_nobody_watches(slicer_session: SlicerSession) -> None:
    gc.collect()  # what earlier tests left
    before = len(history._steps)
    bound(slicer_session)
    assert len(history._steps) == before + 1
    slicer_session.scene.Clear(False)
    gc.collect()
    assert len(history._steps) == before


def test_a_closed_observer_marks_nothing_more(slicer_session: SlicerSession, watched: Watched) -> None:
    report, segmentation, volume = bound(slicer_session)
    watched.observer.close()
    watched.observer.close()
    told = watched.told
    report.SetText("")
    draw(segmentation, IDS[0], volume)
    slicer_session.scene.RemoveNode(report)
    assert bindings(segmentation) == ["current", "current"] and edited(segmentation) == [False, False]
    assert watched.told == told


def test_a_text_node_that_is_no_report_is_left_alone(slicer_session: SlicerSession, watched: Watched) -> None:
    node = slicer_session.scene.AddNewNodeByClass("vtkMRMLTextNode")
    told = watched.told
    node.SetText("FINDINGS: Opacity.")
    assert watched.told == told and node.GetAttributeNames() == ()


def test_binding_and_a_new_report_are_told_of(slicer_session: SlicerSession, watched: Watched) -> None:
    told = watched.told
    report = createReportNode(TEXT)
    assert watched.told > told
    segmentation = slicer_session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    told = watched.told
    bind(segmentation, report)
    assert watched.told > told


def test_a_node_that_pythons_collector_takes_away_ends_nothing(tmp_path: Path) -> None:
    # In a process of its own: what this guards against is the end of the program.
    program = (
        "import gc, sys; from pathlib import Path\n"
        f"sys.path[:0] = {sys.path!r}\n"
        "from session import SlicerSession; from LanguageSegmentLib import history\n"
        "session = SlicerSession(Path.cwd())\n"
        "node = session.scene.AddNewNodeByClass('vtkMRMLSegmentationNode')\n"
        "history.saveStep(node, []); history.forgetSteps(node); history.saveStep(node, [])\n"
        "circle = [node]; circle.append(circle); session.scene.RemoveNode(node)\n"
        "del node, circle; gc.collect(); print(len(history._steps), len(history._forgetters))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert (result.returncode, result.stdout.strip().splitlines()[-1:]) == (0, ["0 0"])
