"""What a scene of reports and segmentations should be, kept beside the real one and compared with it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from binding_makers import Mask, tag, voxels
from hypothesis.stateful import RuleBasedStateMachine, invariant
from session import SlicerSession

from LanguageSegmentLib.binding import (
    createReportNode,
    fieldsOf,
    isEditedByHand,
    reportNodeOf,
    reportNodes,
    segmentationOf,
    segmentationsOf,
    segmentOf,
    segmentsOf,
    segmentState,
    sentenceOf,
    sentencesOf,
)
from LanguageSegmentLib.observers import BindingObserver

FIELDS = ["", "FINDINGS", "IMPRESSION"]
WORDS = [
    "Opacity in the left lung",
    'Nodule "x" | right',
    "No 肺炎 🫁 seen",
    "Effusion,\nsmall, of 50 %",
    "Mass: é \\n",
]
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


class ModelledScene(RuleBasedStateMachine):
    """Two reports and three segmentations over one volume, what they should be, and that they are."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.session = SlicerSession(Path(self.folder.name) / "session")
        self.model = {name: Holder() for name in SEGMENTATIONS}
        self.texts: dict[str, str] = {}
        self.observer: BindingObserver | None = None
        self.saved = 0

    def teardown(self) -> None:
        if self.observer is not None:
            self.observer.close()
        self.session.close()
        self.folder.cleanup()

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

    def new_report(self, name: str, parts: list[list[str]]) -> None:
        node = createReportNode(report_text(parts), name, self.session.scene)
        node.SetAttribute(MARK, name)
        self.texts[name] = report_text(parts)

    def new_segmentation(self, name: str) -> None:
        node = self.session.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
        node.SetAttribute(MARK, name)
        self.model[name] = Holder()

    def segments_of(self, key: str, holder: Holder) -> list[tuple[Any, str]]:
        assert holder.report is not None
        return segmentsOf(self.node(holder.report), key)

    def parts_of(self, report: str) -> list[list[str]]:
        """Return the sentences by field, as :func:`_text` wrote them."""
        parts: list[list[str]] = [[], [], []]
        for each in sentencesOf(self.node(report)):
            parts[FIELDS.index(each.field)].append(each.text.removesuffix("."))
        return parts

    def remove_whole(self, node: Any) -> None:
        """Remove a node with those that store and show it, which each import would double otherwise."""
        with_it = [node.GetNthStorageNode(number) for number in range(node.GetNumberOfStorageNodes())]
        if node.IsA("vtkMRMLDisplayableNode"):
            with_it += [node.GetNthDisplayNode(number) for number in range(node.GetNumberOfDisplayNodes())]
        for each in [node, *with_it]:
            if each is not None:
                self.session.scene.RemoveNode(each)

    def save(self, bundle: bool) -> Path:
        self.saved += 1
        path = Path(self.folder.name) / str(self.saved) / ("scene.mrb" if bundle else "scene.mrml")
        path.parent.mkdir()
        self.session.save(path)
        return path

    def forget_steps(self) -> None:
        for holder in self.model.values():
            holder.steps.clear()


def report_text(parts: list[list[str]]) -> str:
    said = ["\n\n".join(f"{words}." for words in part) for part in parts]
    return f"{said[0]}\n\nFINDINGS:\n{said[1]}\n\nIMPRESSION:\n{said[2]}\n"
