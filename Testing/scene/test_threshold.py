"""Cutting segments again from kept probabilities gives what a run at that threshold gives, and can be undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer.util
from logic_makers import REPORT, InProcessRunner, Material, load_volume
from session import SlicerSession

from LanguageSegmentLib import tags
from LanguageSegmentLib.binding import segmentOf, sentencesOf
from LanguageSegmentLib.findings_table import tableRows
from LanguageSegmentLib.history import MOST_STEPS
from LanguageSegmentLib.landing import SegmentReportResult
from LanguageSegmentLib.marks import markEdits
from LanguageSegmentLib.run import SegmentReportOptions, SegmentReportRun
from LanguageSegmentLib.steps import Steps
from LanguageSegmentLib.threshold import KeptProbabilities
from LMISCore.errors import InputError


class Runs:
    """A volume, and runs of a report on it whose probabilities are kept."""

    def __init__(self, session: SlicerSession, material: Material) -> None:
        self.volume = load_volume(session, material.volume("oblique"))
        self.kept = KeptProbabilities()
        self.steps = Steps(self.kept)
        self.material = material
        self.result = self.run(REPORT)

    @property
    def report(self) -> Any:
        return self.result.reportNode

    def run(self, report: Any, **changes: Any) -> SegmentReportResult:
        options = SegmentReportOptions(**{**self.material.options, "probabilityFolder": self.kept.folder, **changes})
        before = self.steps.before(report if not isinstance(report, str) else None)
        run = SegmentReportRun(self.volume, report, options, InProcessRunner())
        while run.poll():
            pass
        result = run.result()
        self.kept.take(result, self.volume)
        self.steps.done(before, result.writtenNodes)
        return result

    def recut(self, threshold: float, keys: list[str] | None = None) -> None:
        kind = ("threshold", *(keys or []))
        going, before = self.steps.isGoingOn(kind), self.steps.before(self.report)
        self.steps.done(before, self.kept.recut(threshold, keys, newStep=not going), kind)

    def masks(self) -> dict[str, np.ndarray]:
        found = {}
        for sentence in sentencesOf(self.report):
            segment = segmentOf(self.report, sentence.key)
            if segment is not None:
                found[sentence.key] = slicer.util.arrayFromSegmentBinaryLabelmap(*segment, self.volume)
        return found

    def tag(self, key: str, name: str) -> str | None:
        found = segmentOf(self.report, key)
        assert found is not None
        return tags.readTag(found[0].GetSegmentation().GetSegment(found[1]), name)


@pytest.fixture
def runs(slicer_session: SlicerSession, material: Material) -> Iterator[Runs]:
    made = Runs(slicer_session, material)
    yield made
    made.kept.clear()


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all((one[key] == other[key]).all() for key in one)


@pytest.mark.parametrize("change", [-0.002, 0.001])
def test_cutting_again_gives_the_masks_and_figures_of_a_run_at_that_threshold(runs: Runs, change: float) -> None:
    threshold = round(runs.material.threshold + change, 3)
    first = runs.masks()
    runs.recut(threshold)
    cut, volumes = runs.masks(), [row.volumeMl for row in tableRows(runs.report)]
    assert not _same(cut, first)
    runs.run(runs.report, threshold=threshold)
    assert _same(runs.masks(), cut)
    assert [row.volumeMl for row in tableRows(runs.report)] == pytest.approx(volumes, abs=1e-3, nan_ok=True)
    assert runs.tag("findings-1", tags.THRESHOLD) == f"{threshold:g}"


def test_cutting_again_keeps_the_other_tags_and_is_no_hand_edit(runs: Runs) -> None:
    before = {name: runs.tag("findings-1", name) for name in (tags.PRESENCE, tags.STATE, tags.CHECKPOINT, "Prompt")}
    (node,) = runs.result.segmentationNodes
    runs.recut(0.1)
    assert {name: runs.tag("findings-1", name) for name in before} == before
    assert markEdits(node) == [] and all(mask.all() for mask in runs.masks().values())


def test_one_sentence_is_cut_alone(runs: Runs) -> None:
    before = runs.masks()
    runs.recut(0.1, ["findings-1"])
    after = runs.masks()
    assert after["findings-1"].all() and (after["findings-3"] == before["findings-3"]).all()
    assert runs.kept.threshold(["findings-1"]) == 0.1
    assert runs.kept.threshold(["findings-3"]) == runs.material.threshold
    assert runs.kept.threshold(["findings-2"]) is None


def test_a_segment_that_lost_its_last_voxel_comes_back_when_the_threshold_sinks(runs: Runs) -> None:
    runs.recut(round(runs.material.threshold, 3))
    before = runs.masks()
    runs.recut(0.99)
    assert runs.masks() == {}
    row = tableRows(runs.report)[0]
    assert (row.state, row.reason) == ("affirmed", "No voxel reaches the threshold.")
    runs.recut(round(runs.material.threshold, 3))
    assert before and _same(runs.masks(), before)


def test_a_slider_drawn_along_is_one_step_back(runs: Runs) -> None:
    first = runs.masks()
    for threshold in (0.3, 0.99, 0.2, 0.6, 0.1, 0.4, 0.1):
        runs.recut(threshold)
    assert runs.steps.goBack()
    assert _same(runs.masks(), first) and runs.kept.threshold() == runs.material.threshold
    assert runs.steps.goBack() and runs.masks() == {} and not runs.steps.goBack()


def test_a_step_back_over_a_run_brings_back_what_the_slider_cuts(runs: Runs) -> None:
    first, rows = runs.masks(), [row.state for row in tableRows(runs.report)]
    runs.report.SetText(REPORT.replace("Infection in the left lung", "No infection in the left lung"))
    runs.run(runs.report, only=["findings-1"])
    assert "findings-1" not in runs.masks() and "findings-1" not in runs.kept.keys()
    assert runs.steps.goBack() and _same(runs.masks(), first)
    assert [row.state for row in tableRows(runs.report)] == ["stale", *rows[1:]]
    runs.recut(0.1)
    assert runs.masks()["findings-1"].all()


def test_a_step_back_over_a_forced_sentence_brings_back_what_was_found(runs: Runs) -> None:
    before = tableRows(runs.report)
    runs.run(runs.report, only=["findings-2"], force=["findings-2"])
    assert tableRows(runs.report)[1].forced and "findings-2" in runs.masks()
    assert runs.steps.goBack() and tableRows(runs.report) == before
    assert (before[1].state, before[1].forced) == ("negated", False)


def test_a_segment_edited_by_hand_is_left_alone(runs: Runs) -> None:
    (node,) = runs.result.segmentationNodes
    drawn = np.zeros((6, 14, 18), dtype=np.uint8)
    drawn[1, 2:5, 3:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, "lmis_findings-1", runs.volume)
    markEdits(node)
    runs.recut(0.1)
    assert runs.masks()["findings-1"].sum() == drawn.sum() and runs.masks()["findings-3"].all()


def test_what_cannot_be_cut_is_refused_in_one_sentence(runs: Runs) -> None:
    with pytest.raises(InputError, match=r"The threshold is 0\.01; give a number from 0\.05 to 1"):
        runs.kept.recut(0.01)
    for file in Path(runs.kept.folder).rglob("*.npz"):
        file.unlink()
    before = runs.masks()
    with pytest.raises(InputError, match=r"\.npz is missing or damaged"):
        runs.recut(0.2)
    assert _same(runs.masks(), before)


def test_nothing_is_cut_for_nodes_that_left_the_scene(runs: Runs, slicer_session: SlicerSession) -> None:
    slicer_session.scene.RemoveNode(runs.volume)
    assert runs.kept.recut(0.2) == []
    assert runs.steps.canGoBack()
    slicer_session.scene.RemoveNode(runs.result.segmentationNodes[0])
    assert not runs.steps.canGoBack() and not runs.steps.goBack()


def test_the_files_go_when_all_is_forgotten(runs: Runs) -> None:
    folder = runs.kept.folder
    assert len(list(folder.rglob("*.npz"))) == 3
    runs.kept.clear()
    assert not folder.exists() and runs.kept.keys() == [] and runs.kept.threshold() is None
    assert runs.kept.recut(0.2) == []


def test_files_stay_only_as_long_as_a_step_back_may_want_them(runs: Runs) -> None:
    for number in range(9):
        runs.run(runs.report, only=["findings-1"], threshold=0.2 + 0.1 * (number % 2))
        assert len(list(runs.kept.folder.rglob("*.npz"))) <= 3 + 1 + MOST_STEPS
    for _ in range(MOST_STEPS):
        assert runs.steps.goBack()
        runs.kept.recut(0.1)


def test_a_full_or_locked_disk_is_told_in_one_sentence(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refuse(**_: Any) -> Any:
        raise OSError(28, "No space left on device")

    runs.kept.clear()
    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(InputError, match=r"No temporary folder could be made \(No space left on device\); free disk"):
        runs.kept.folder  # noqa: B018
