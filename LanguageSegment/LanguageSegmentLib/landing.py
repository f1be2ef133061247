"""Putting a finished run into the scene: which segmentation each sentence goes to, and what is kept as it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from LanguageSegmentLib.binding import (
    SegmentRecord,
    bind,
    createReportNode,
    editedSegments,
    fieldsOf,
    markReportNode,
    putSegments,
    reportNodeOf,
    segmentationsOf,
    segmentsOf,
    sentencesOf,
)
from LanguageSegmentLib.hierarchy import putIntoStudy
from LanguageSegmentLib.links import isTied, segmentsIn
from LanguageSegmentLib.masks import MaskBox, gridMatrix, hasGridOf, reading
from LanguageSegmentLib.portions import Work
from LanguageSegmentLib.report_nodes import nodesOf
from LanguageSegmentLib.report_sources import ReportSource
from LanguageSegmentLib.row_store import storeRows
from LanguageSegmentLib.translation import tr as _
from LanguageSegmentLib.volume_files import hasNominalSpacing
from LMISCore.errors import InputError
from LMISCore.volumes.packed import read_masks
from LMISCore.volumes.segmentation import TAG_PREFIX


@dataclass
class SegmentReportResult:
    """What came of a report.

    Attributes:
        reportNode: the report's text node.
        segmentationNodes: those that hold a segment of the sentences that were run.
        rows: one per sentence that was run, in the report's order, as ``SentenceResult.to_dict`` has them, and with
            "key", the sentence's key; "segmentation_id", the ID of the node that holds its segment; "segment_id", the
            segment's own; None where it has none.
        provenance: checkpoint, intensity, device, thresholds and the rest.
        messages: sentences for the user.
        log: what the worker told on its way: device, intensity, memory.
        records: by sentence key, name, colour, tags and terminology of each segment that was made, without its mask.
        writtenNodes: segmentations that were written to, each as one step that can be undone; also those that lost
            segments only.
        probabilities: by sentence key, the file of its kept probability in thousandths, where they were to be kept.
    """

    reportNode: Any
    segmentationNodes: list[Any]
    rows: list[dict[str, Any]]
    provenance: dict[str, Any]
    messages: list[str]
    log: list[str] = field(default_factory=list)
    records: dict[str, SegmentRecord] = field(default_factory=dict)
    probabilities: dict[str, Path] = field(default_factory=dict)
    writtenNodes: list[Any] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class MadeSegment:
    """A segment as the worker made it.

    Attributes:
        name, colour: of the segment; red, green, blue from 0 to 1.
        mask: never empty.
        tags: plain text by key.
        terminology: Slicer's terminology entry as text, or None.
    """

    name: str
    colour: tuple[float, float, float]
    mask: MaskBox
    tags: Mapping[str, str]
    terminology: str | None = None


@dataclass
class Landing:
    """A finished run and where it is to go; see ``SegmentReportOptions`` for the choices.

    Attributes:
        scene: that of the volume.
        volumeNode: that was segmented.
        source: the report.
        rows: of the worker.
        segments: that the worker made, by its segment ids.
        provenance: of the worker.
        messages, log: sentences so far.
        probabilities: by sentence id, files of kept probabilities.
    """

    scene: Any
    volumeNode: Any
    source: ReportSource
    rows: Sequence[Mapping[str, Any]]
    segments: Mapping[str, MadeSegment]
    provenance: dict[str, Any]
    segmentationNode: Any = None
    onePerField: bool = False
    replaceEdited: bool = False
    messages: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    probabilities: Mapping[str, Path] = field(default_factory=dict)


def land(landing: Landing) -> SegmentReportResult:
    """Write a run's segments into the scene, in place where their sentences have segments already.

    A sentence that has no mask any more loses its segment; one whose segment was edited by hand keeps it, unless
    edited ones are to be replaced. If something goes wrong, nodes that were made are taken away again.

    Raises:
        InputError: if a segmentation cannot take the segments.
    """
    made: list[Any] = []
    try:
        return _Lander(landing, made).land()
    except BaseException:
        for node in reversed(made):
            landing.scene.RemoveNode(node)
        raise


class _Lander:
    def __init__(self, landing: Landing, made: list[Any]) -> None:
        self._landing = landing
        self._made = made
        self._messages = list(landing.messages)
        self._written: list[Any] = []
        if landing.source.node is None:
            self._report = createReportNode(landing.source.text, landing.source.name, landing.scene)
            made.append(self._report)
        else:
            self._report = landing.source.node
            markReportNode(self._report)
        self._keys = {sentence.id: sentence.key for sentence in sentencesOf(self._report)}

    def land(self) -> SegmentReportResult:
        landing = self._landing
        rows = [{**row, "key": self._keys[row["id"]], "segmentation_id": None} for row in landing.rows]
        masks = {row["key"]: landing.segments.get(row["segment_id"] or "") for row in rows}
        groups: dict[str, tuple[Any, list[dict[str, Any]]]] = {}
        for row in rows:
            node = self._target(row, masks[row["key"]] is not None)
            row["segment_id"] = None
            if node is not None:
                groups.setdefault(node.GetID(), (node, []))[1].append(row)
        nodes = []
        records: dict[str, SegmentRecord] = {}
        for node, members in groups.values():
            records.update(self._put(node, members, masks))
            if any(row["segment_id"] for row in members):
                nodes.append(node)
        kept = {self._keys[name]: path for name, path in landing.probabilities.items()}
        storeRows(self._report, rows, hasNominalSpacing(landing.volumeNode))
        return SegmentReportResult(
            self._report, nodes, rows, landing.provenance, self._messages, landing.log, records, kept, self._written
        )

    def _target(self, row: Mapping[str, Any], hasMask: bool) -> Any:
        """The segmentation that a row's segment is in or goes to; None where it has none and needs none."""
        landing = self._landing
        if landing.segmentationNode is not None:
            if reportNodeOf(landing.segmentationNode) is not self._report:
                bind(landing.segmentationNode, self._report)
            return landing.segmentationNode
        own = self._ofVolume()
        there = [node for node, _ in segmentsOf(self._report, row["key"]) if node in own]
        if there:
            return there[0]
        if not hasMask:
            return None
        of = [node for node in segmentationsOf(self._report, row["field"]) if node in own]
        if landing.onePerField:
            of = [node for node in of if fieldsOf(node) == [row["field"]]]
        return of[0] if of else self._newSegmentation(row["field"])

    def _ofVolume(self) -> list[Any]:
        """The report's segmentations of the volume; one that refers to no volume may be of a scan that was removed."""
        volumeNode = self._landing.volumeNode
        bound = segmentationsOf(self._report)
        referred = [node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) for node in bound]
        own = [node for node, volume in zip(bound, referred, strict=True) if volume is volumeNode]
        free = [node for node, volume in zip(bound, referred, strict=True) if volume is None]
        return own or [node for node in free if hasGridOf(node, volumeNode)]

    def _newSegmentation(self, fieldName: str) -> Any:
        landing = self._landing
        own = landing.onePerField
        name = " ".join(filter(None, [landing.volumeNode.GetName(), fieldName if own else "", "segments"]))
        node = landing.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", landing.scene.GenerateUniqueName(name))
        self._made.append(node)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(landing.volumeNode)
        putIntoStudy(node, landing.volumeNode)
        bind(node, self._report, [fieldName] if own else [])
        return node

    def _put(
        self, node: Any, rows: Iterable[dict[str, Any]], masks: Mapping[str, MadeSegment | None]
    ) -> dict[str, SegmentRecord]:
        landing = self._landing
        edited = set() if landing.replaceEdited else set(editedSegments(node))
        written: list[dict[str, Any]] = []
        records: list[SegmentRecord] = []
        for row in rows:
            there = {segmentId for other, segmentId in segmentsOf(self._report, row["key"]) if other is node}
            if there & edited:
                name = node.GetSegmentation().GetSegment(sorted(there & edited)[0]).GetName()
                self._messages.append(
                    _("The segment {name!r} was edited by hand and is kept as it is.").format(name=name)
                )
                row["segment_id"], row["segmentation_id"] = sorted(there & edited)[0], node.GetID()
                continue
            data = masks[row["key"]]
            if data is not None or there:
                written.append(row)
                records.append(_record(row["key"], data))
        if records:
            self._written.append(node)
        ids = putSegments(node, landing.volumeNode, records, replaceEdited=landing.replaceEdited) if records else []
        for row, segmentId in zip(written, ids, strict=True):
            row["segment_id"] = segmentId
            row["segmentation_id"] = None if segmentId is None else node.GetID()
        return {each.sentenceKey: replace(each, mask=None) for each in records if each.mask is not None}


def _record(key: str, made: MadeSegment | None) -> SegmentRecord:
    if made is None:
        return SegmentRecord(key, None, "", (1.0, 1.0, 1.0))
    tags = {name.removeprefix(TAG_PREFIX): value for name, value in made.tags.items()}
    return SegmentRecord(key, made.mask, made.name, made.colour, tags, made.terminology)


def gettingReady(volumeNode: Any, about: Sequence[Mapping[str, Any]], path: str | None) -> Work[dict[str, MadeSegment]]:
    """Do in portions what would hold the window up when the segments land; the scene is not touched.

    Args:
        volumeNode: that was segmented.
        about: "segment_data" of the worker.
        path: of its masks, None if there are none.

    Returns:
        the segments by the worker's ids, their masks made ready.

    Raises:
        InputError: if the file is missing or damaged.
    """
    packed = {} if path is None else read_masks(path)
    yield
    matrix = gridMatrix(volumeNode)
    made = {}
    for each in about:
        mask = MaskBox(packed[each["id"]], matrix)
        yield from mask.makingReady()
        red, green, blue = each["colour"]
        made[each["id"]] = MadeSegment(each["name"], (red, green, blue), mask, each["tags"], each["terminology"])
    # What is compared and kept to step back to: looked at once, these masks are remembered.
    for node in nodesOf(volumeNode.GetScene(), "vtkMRMLSegmentationNode"):
        for segmentId, _segment in segmentsIn(node) if isTied(node) else ():
            box = yield from reading(node, segmentId)
            if box is not None:
                box.measure()
            yield
    return made


def countMessage(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many of the worker's rows have a segment, in a sentence."""
    count = sum(row["segment_id"] is not None for row in rows)
    if not count:
        return _("None of the {total} sentences has a segment.").format(total=len(rows))
    if count == 1:
        return _("1 of {total} sentences has a segment.").format(total=len(rows))
    return _("{count} of {total} sentences have a segment.").format(count=count, total=len(rows))


def checkChoices(segmentationNode: Any, onePerField: bool) -> None:
    """Refuse a segmentation that cannot take a report's segments, before anything is run.

    Raises:
        InputError: if it is no segmentation, or each field is to get its own beside it.
    """
    if segmentationNode is None:
        return
    if not segmentationNode.IsA("vtkMRMLSegmentationNode"):
        raise InputError(
            _("The node {name!r} is no segmentation; choose a segmentation node.").format(
                name=segmentationNode.GetName()
            )
        )
    if onePerField:
        raise InputError(_("A segmentation was given and one for each field was asked for; choose one of the two."))
