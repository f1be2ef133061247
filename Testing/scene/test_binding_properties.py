"""Random sequences of all that binds, edits, runs, undoes, renames, deletes, saves and imports.

After each step both directions of every query agree, and what stands in the scene is what a model of it says.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from binding_makers import GREEN, SHAPE, box, draw, record
from binding_model import FIELDS, REPORTS, SEGMENTATIONS, WORDS, Made, ModelledScene, report_text
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from LanguageSegmentLib.binding import bind, fieldsOf, putSegments, reportNodeOf, sentencesOf, stepBack, unbind
from LanguageSegmentLib.history import MOST_STEPS
from LanguageSegmentLib.observers import BindingObserver
from LMISCore.errors import InputError

NAMES = ["a", "b | c", "报告 🫁", "", "q\"'"]


class Binding(ModelledScene):
    """All that is done to reports and segmentations, in any order."""

    @initialize(watched=st.booleans(), words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=5))
    def start(self, watched: bool, words: list[str]) -> None:
        if watched:
            self.observer = BindingObserver(self.session.scene)
        self.session.volume(SHAPE)
        for name in REPORTS:
            self.new_report(name, [words, words[::-1], []] if name == "r1" else [[], words, words[:1]])
        for name, report, fields in zip(SEGMENTATIONS, ["r1", "r1", "r2"], [set(), {"IMPRESSION"}, set()], strict=True):
            self.new_segmentation(name)
            self.tie(name, report, fields)
            self.segment(name, [0, 1, 2], [0, 1, 2], False, False)
            self.segment(name, [0, 1], [3, 4], False, False)

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
        then_undo=st.booleans(),
    )
    def segment(self, name: str, numbers: list[int], shapes: list[int], replace_edited: bool, then_undo: bool) -> None:
        holder, node = self.model[name], self.node(name)
        if holder.report is None:
            return
        sentences = sentencesOf(self.node(holder.report))
        chosen = [sentences[number] for number in numbers if number < len(sentences)]
        masks = [None if shape < 0 else box(shape) for shape in shapes[: len(chosen)]]
        records = [record(each.key, mask, colour=GREEN) for each, mask in zip(chosen, masks, strict=True)]
        old = {each.key: next((i for n, i in self.segments_of(each.key, holder) if n is node), None) for each in chosen}
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
        if then_undo:
            self.undo(name, replace_edited)

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
        parts = self.parts_of(report)
        parts[field][place : place + instead] = words
        self.node(report).SetText(report_text(parts))
        self.texts[report] = report_text(parts)

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
            self.remove_whole(self.node(name))
            self.new_segmentation(name)
        elif what == "report" and report is not None:
            parts = self.parts_of(report)
            self.remove_whole(self.node(report))
            self.new_report(report, parts)
            for each in self.model.values():
                each.report = None if each.report == report else each.report
        elif what == "tie":
            unbind(self.node(name))
            holder.report = None
        if tie_again and report is not None:
            self.tie(name, report, set())

    @rule(bundle=st.booleans())
    def save_and_load(self, bundle: bool) -> None:
        self.session.load(self.save(bundle))
        self.forget_steps()

    @rule(bundle=st.booleans(), keep_imported=st.booleans())
    def save_and_import(self, bundle: bool, keep_imported: bool) -> None:
        """Import a scene beside itself, see that each half keeps to itself, and go on with one of them."""
        path = self.save(bundle)
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
            self.remove_whole(node)
        if keep_imported:
            self.forget_steps()


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
