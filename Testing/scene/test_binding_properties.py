"""Random sequences of all that binds, edits, runs, undoes, renames, deletes, saves and imports.

After each step both directions of every query agree, and what stands in the scene is what a model of it says.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from binding_makers import GREEN, SHAPE, Mask, box, draw, record, tag, voxels
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from session import SlicerSession

from LanguageSegmentLib.binding import (
    bind,
    createReportNode,
    fieldsOf,
    isEditedByHand,
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
    stepBack,
    unbind,
)
from LanguageSegmentLib.history import MOST_STEPS
from LanguageSegmentLib.observers import BindingObserver
from LMISCore.errors import InputError

FIELDS = ["", "FINDINGS", "IMPRESSION"]
WORDS = [
    "Opacity in the left lung",
    'Nodule "x" | right',
    "No 肺炎 🫁 seen",
    "Effusion,\nsmall, of 50 %",
    "Mass: é \\n",
]
NAMES = ["a", "b | c", "报告 🫁", "", "q\"'"]

# What the test knows a node by; IDs and names change.
MARK = "Test.Node"
REPORTS = ["r1", "r2"]
SEGMENTATIONS = ["s1", "s2", "s3"]


@dataclass(frozen=True)
class Made:
    """What a segment should be: the words it was made from, its mask as made and as it is."""

    words: str
    made: Mask
    mask: Mask

    @property
    def edited(self) -> bool:
        return not np.array_equal(self.made, self.mask)


@dataclass
class Holder:
    """What a segmentation should be."""

    report: str | None = None
    segments: dict[str, Made] = field(default_factory=dict)
    steps: list[dict[str, Made | None]] = field(default_factory=list)


class Binding(RuleBasedStateMachine):
    """Two reports and three segmentations over one volume."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.session = SlicerSession(Path(self.folder.name) / "session")
        self.model = {name: Holder() for name in SEGMENTATIONS}
        self.texts: dict[str, str] = {}
        self.observer: BindingObserver | None = None
        self.saved = 0

    @initialize(watched=st.booleans(), words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=5))
    def start(self, watched: bool, words: list[str]) -> None:
        if watched:
            self.observer = BindingObserver(self.session.scene)
        self.session.volume(SHAPE)
        for name in REPORTS:
            self._new_report(name, [words, words[::-1], []] if name == "r1" else [[], words, words[:1]])
        for name, report, fields in zip(SEGMENTATIONS, ["r1", "r1", "r2"], [set(), {"IMPRESSION"}, set()], strict=True):
            self._new_segmentation(name)
            self.tie(name, report, fields)
            self.segment(name, [0, 1, 2], [0, 1, 2], False)

    def teardown(self) -> None:
        if self.observer is not None:
            self.observer.close()
        self.session.close()
        self.folder.cleanup()

    # Acts.

    @rule(name=st.sampled_from(SEGMENTATIONS), report=st.sampled_from(REPORTS), fields=st.sets(st.sampled_from(FIELDS)))
    def tie(self, name: str, report: str, fields: set[str]) -> None:
        bind(self.node(name), self.node(report), sorted(fields))
        self.model[name].report = report
        if fields:
            assert set(fieldsOf(self.node(name))) == fields

    @rule(
        name=st.sampled_from(SEGMENTATIONS),
        numbers=st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True),
        shapes=st.lists(st.integers(-1, 7), min_size=3, max_size=3),
        replace_edited=st.booleans(),
    )
    def segment(self, name: str, numbers: list[int], shapes: list[int], replace_edited: bool) -> None:
        holder, node = self.model[name], self.node(name)
        if holder.report is None:
            return
        sentences = sentencesOf(self.node(holder.report))
        chosen = [sentences[number] for number in numbers if number < len(sentences)]
        masks = [None if shape < 0 else box(shape) for shape in shapes[: len(chosen)]]
        records = [record(each.key, mask, colour=GREEN) for each, mask in zip(chosen, masks, strict=True)]
        old = {each.key: next((i for n, i in self._segments(each.key, holder) if n is node), None) for each in chosen}
        edited = [i for i in old.values() if i is not None and holder.segments[i].edited]
        if edited and not replace_edited:
            with pytest.raises(InputError, match="edited by hand"):
                putSegments(node, self.volume, records)
            return
        ids = putSegments(node, self.volume, records, replaceEdited=replace_edited)
        touched: dict[str, Made | None] = {}
        for each, mask, segment_id in zip(chosen, masks, ids, strict=True):
            before = old[each.key]
            assert (segment_id is None) == (mask is None)
            if before is not None:
                assert segment_id in (before, None)  # in place
                touched[before] = holder.segments.pop(before)
            if mask is not None and segment_id is not None:
                touched.setdefault(segment_id, None)
                holder.segments[segment_id] = Made(each.text, mask, mask)
        holder.steps = [*holder.steps, touched][-MOST_STEPS:]

    @rule(name=st.sampled_from(SEGMENTATIONS), replace_edited=st.booleans())
    def undo(self, name: str, replace_edited: bool) -> None:
        holder, node = self.model[name], self.node(name)
        if not holder.steps:
            assert not stepBack(node)
            return
        now = [holder.segments[i] for i in holder.steps[-1] if i in holder.segments]
        if any(made.edited for made in now) and not replace_edited:
            with pytest.raises(InputError, match="edited by hand"):
                stepBack(node)
            return
        assert stepBack(node, replace_edited)
        for segment_id, made in holder.steps.pop().items():
            holder.segments.pop(segment_id, None)
            if made is not None:
                holder.segments[segment_id] = made

    @rule(name=st.sampled_from(SEGMENTATIONS), number=st.integers(0, 5))
    def draw(self, name: str, number: int) -> None:
        segments = self.model[name].segments
        if segments:
            segment_id = sorted(segments)[number % len(segments)]
            drawn = draw(self.node(name), segment_id, self.volume)
            segments[segment_id] = replace(segments[segment_id], mask=drawn)

    @rule(
        report=st.sampled_from(REPORTS), field=st.integers(0, 2), place=st.integers(0, 4), words=st.sampled_from(WORDS)
    )
    def rewrite(self, report: str, field: int, place: int, words: str) -> None:
        self._edit(report, field, place, 1, [words])

    @rule(
        report=st.sampled_from(REPORTS), field=st.integers(0, 2), place=st.integers(0, 4), words=st.sampled_from(WORDS)
    )
    def put_in(self, report: str, field: int, place: int, words: str) -> None:
        self._edit(report, field, place, 0, [words])

    @rule(report=st.sampled_from(REPORTS), field=st.integers(0, 2), place=st.integers(0, 4))
    def take_out(self, report: str, field: int, place: int) -> None:
        self._edit(report, field, place, 1, [])

    def _edit(self, report: str, field: int, place: int, instead: int, words: list[str]) -> None:
        parts = self._parts(report)
        parts[field][place : place + instead] = words
        self.node(report).SetText(_text(parts))
        self.texts[report] = _text(parts)

    @rule(node=st.sampled_from(REPORTS + SEGMENTATIONS), name=st.sampled_from(NAMES))
    def rename(self, node: str, name: str) -> None:
        self.node(node).SetName(name)
        for segment_id in self.model[node].segments if node in self.model else ():
            self.node(node).GetSegmentation().GetSegment(segment_id).SetName(name)

    @rule(
        what=st.sampled_from(["tie", "segment", "segmentation", "report"]),
        name=st.sampled_from(SEGMENTATIONS),
        number=st.integers(0, 5),
        tie_again=st.booleans(),
    )
    def delete(self, what: str, name: str, number: int, tie_again: bool) -> None:
        """Delete one thing; with ``tie_again`` make a tie that goes with it anew."""
        holder, report = self.model[name], self.model[name].report
        if what == "segment" and holder.segments:
            segment_id = sorted(holder.segments)[number % len(holder.segments)]
            self.node(name).GetSegmentation().RemoveSegment(segment_id)
            del holder.segments[segment_id]
        elif what == "segmentation":
            self.session.scene.RemoveNode(self.node(name))
            self._new_segmentation(name)
        elif what == "report" and report is not None:
            parts = self._parts(report)
            self.session.scene.RemoveNode(self.node(report))
            self._new_report(report, parts)
            for each in self.model.values():
                each.report = None if each.report == report else each.report
        elif what == "tie":
            unbind(self.node(name))
            holder.report = None
        if tie_again and report is not None:
            self.tie(name, report, set())

    @rule(bundle=st.booleans())
    def save_and_load(self, bundle: bool) -> None:
        self.session.load(self._save(bundle))
        self._forget_steps()

    @rule(bundle=st.booleans(), keep_imported=st.booleans())
    def save_and_import(self, bundle: bool, keep_imported: bool) -> None:
        """Import a scene beside itself, see that each half keeps to itself, and go on with one of them."""
        path = self._save(bundle)
        kinds = ("vtkMRMLTextNode", "vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode")
        before = [node for kind in kinds for node in self.session.nodes(kind)]
        self.session.add(path)
        after = [node for kind in kinds for node in self.session.nodes(kind)]
        imported = [node for node in after if node not in before]
        assert len(imported) == len(before) == 6
        for half in (before, imported):
            for node in half:
                if node.IsA("vtkMRMLSegmentationNode"):
                    report = reportNodeOf(node)
                    assert report is None or report in half
        self.queries_agree()
        for node in before if keep_imported else imported:
            self.session.scene.RemoveNode(node)
        if keep_imported:
            self._forget_steps()

    # What must hold.

    @invariant()
    def queries_agree(self) -> None:
        segmentations = self.session.nodes("vtkMRMLSegmentationNode")
        for report in reportNodes(self.session.scene):
            tied = segmentationsOf(report)
            assert tied == [node for node in segmentations if reportNodeOf(node) is report]
            sentences = sentencesOf(report)
            assert len({each.key for each in sentences}) == len(sentences)
            for name in {each.field for each in sentences} | set(FIELDS):
                holders = segmentationsOf(report, name)
                assert holders == [node for node in tied if name in fieldsOf(node)]
                assert segmentationOf(report, name) is (holders[0] if holders else None)
            for each in sentences:
                assert each.span.of(report.GetText()) == each.text
                found = segmentsOf(report, each.key)
                assert segmentOf(report, each.key) == (found[0] if found else None)
                for node, segment_id in found:
                    back = sentenceOf(node, segment_id)
                    assert node in tied and back is not None
                    assert (back.key, back.id, back.text, back.span) == (each.key, each.id, each.text, each.span)
        for node in segmentations:
            self._segments_lead_back(node)

    def _segments_lead_back(self, node: Any) -> None:
        report = reportNodeOf(node)
        for number in range(node.GetSegmentation().GetNumberOfSegments()):
            segment_id = node.GetSegmentation().GetNthSegmentID(number)
            sentence, state = sentenceOf(node, segment_id), segmentState(node, segment_id)
            assert sentence is not None
            assert (state == "orphan") == (not sentence.id)
            if state != "orphan":
                assert report is not None and (node, segment_id) in segmentsOf(report, sentence.key)
                made_from = tag(node, segment_id, "Sentence") or ""
                assert (state == "current") == (made_from.split() == sentence.text.split())
            if self.observer is not None:
                assert tag(node, segment_id, "Binding") == state

    @invariant()
    def the_scene_is_as_the_model_says(self) -> None:
        for name, text in self.texts.items():
            assert self.node(name).GetText() == text
        for name, holder in self.model.items():
            node = self.node(name)
            report = reportNodeOf(node)
            assert (None if report is None else report.GetAttribute(MARK)) == holder.report
            segmentation = node.GetSegmentation()
            ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
            assert sorted(ids) == sorted(holder.segments)
            for segment_id, made in holder.segments.items():
                np.testing.assert_array_equal(voxels(node, segment_id, self.volume), made.mask)
                assert tag(node, segment_id, "Sentence") == made.words
                assert isEditedByHand(node, segment_id) == made.edited
                if self.observer is not None:
                    assert (tag(node, segment_id, "Edited") is not None) == made.edited

    # Helpers.

    @property
    def volume(self) -> Any:
        return self.session.nodes("vtkMRMLScalarVolumeNode")[0]

    def node(self, mark: str) -> Any:
        kind = "vtkMRMLTextNode" if mark in REPORTS else "vtkMRMLSegmentationNode"
        return next(node for node in self.session.nodes(kind) if node.GetAttribute(MARK) == mark)

    def _new_report(self, name: str, parts: list[list[str]]) -> None:
        node = createReportNode(_text(parts), name, self.session.scene)
        node.SetAttribute(MARK, name)
        self.texts[name] = _text(parts)

    def _new_segmentation(self, name: str) -> None:
        node = self.session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.SetAttribute(MARK, name)
        self.model[name] = Holder()

    def _segments(self, key: str, holder: Holder) -> list[tuple[Any, str]]:
        assert holder.report is not None
        return segmentsOf(self.node(holder.report), key)

    def _parts(self, report: str) -> list[list[str]]:
        """Return the sentences by field, as :func:`_text` wrote them."""
        parts: list[list[str]] = [[], [], []]
        for each in sentencesOf(self.node(report)):
            parts[FIELDS.index(each.field)].append(each.text.removesuffix("."))
        return parts

    def _save(self, bundle: bool) -> Path:
        self.saved += 1
        path = Path(self.folder.name) / str(self.saved) / ("scene.mrb" if bundle else "scene.mrml")
        path.parent.mkdir()
        self.session.save(path)
        return path

    def _forget_steps(self) -> None:
        for holder in self.model.values():
            holder.steps.clear()


def _text(parts: list[list[str]]) -> str:
    said = ["\n\n".join(f"{words}." for words in part) for part in parts]
    return f"{said[0]}\n\nFINDINGS:\n{said[1]}\n\nIMPRESSION:\n{said[2]}\n"


def _search(examples: int, steps: int, shrinks: bool) -> None:
    run_state_machine_as_test(
        Binding,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not shrinks,
            # Making a failing sequence short can take minutes; the long search does it.
            phases=[Phase.generate, *([Phase.shrink] if shrinks else [])],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_both_directions_agree_whatever_is_done() -> None:
    _search(examples=15, steps=40, shrinks=False)


@pytest.mark.slow
def test_both_directions_agree_whatever_is_done_for_long() -> None:
    _search(examples=400, steps=50, shrinks=True)
