"""The findings as a table: one row for each sentence of a report, made from what stands in the scene.

Nothing is remembered beside the scene, so the table is the same after saving, loading, importing or a reload.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from LanguageSegmentLib import tags
from LanguageSegmentLib.links import keyOf, segmentationsOf, segmentsIn, sentenceOf
from LanguageSegmentLib.masks import readMask
from LanguageSegmentLib.report_nodes import BoundSentence, isReportNode, sentencesOf
from LanguageSegmentLib.row_store import StoredRow, storedRows
from LanguageSegmentLib.sentence_keys import plain_words
from LanguageSegmentLib.translation import tr as _
from LMISCore.spreadsheet import cell
from LMISCore.text.report import State

NOT_RUN = "not run"
FORCEABLE = frozenset(
    state.value
    for state in (State.NEGATED, State.UNCERTAIN, State.HISTORICAL, State.NORMAL, State.ABSENT, State.NOT_COVERED)
)
CSV_COLUMNS = (
    "id", "field", "sentence", "state", "reason", "forced", "segment", "segment_id", "presence", "volume_ml",
    "volume_is_nominal", "edited_by_hand", "agreement",
)  # fmt: skip


@dataclass(frozen=True)
class TableRow:
    """One sentence and its segment.

    Attributes:
        sentence: as the report has it.
        state: affirmed, negated, uncertain, not covered, absent, stale (edited since it was run) or "not run".
        reason: why, "" where nobody knows.
        forced: whether a mask was asked for whatever the state.
        segmentationNode, segmentId: None without a segment.
        name: of the segment.
        colour: red, green, blue from 0 to 1, None without a segment.
        visible: whether the segment is shown.
        presence: score from 0 to 1, None if the network was not asked.
        volumeMl: of the mask as it stands, mL; None without a segment.
        nominal: whether that is only nominal, since the volume's spacing is.
        edited: whether the mask was edited by hand.
        agreement: in words, "" if that was not measured.
        verdict: the same in a word, "" if there is none.
        prompt: what was sent to the network, None if nothing was.
    """

    sentence: BoundSentence
    state: str
    reason: str = ""
    forced: bool = False
    segmentationNode: Any = None
    segmentId: str | None = None
    name: str = ""
    colour: tuple[float, float, float] | None = None
    visible: bool = False
    presence: float | None = None
    volumeMl: float | None = None
    nominal: bool = False
    edited: bool = False
    agreement: str = ""
    verdict: str = ""
    prompt: str | None = None

    @property
    def key(self) -> str:
        """Of the sentence, see ``BoundSentence.key``."""
        return self.sentence.key

    @property
    def canBeForced(self) -> bool:
        """Whether the sentence has no segment because of what it says or what was found."""
        return self.segmentId is None and self.state in FORCEABLE


def tableRows(reportNode: Any, volumeNode: Any = None) -> list[TableRow]:
    """Return a report's rows in its order; empty without a report.

    Args:
        reportNode: the report.
        volumeNode: where a sentence has segments in several segmentations, that of this volume counts.
    """
    if not isReportNode(reportNode):
        return []
    stored = storedRows(reportNode)
    segments: dict[str, tuple[Any, str, Any]] = {}
    for node in sorted(segmentationsOf(reportNode), key=lambda node: not _isOf(node, volumeNode)):
        for segmentId, segment in segmentsIn(node):
            key = keyOf(node, segment)
            if key is not None:
                segments.setdefault(key, (node, segmentId, segment))
    return [
        _withSegment(sentence, stored.get(sentence.key), *segments[sentence.key])
        if sentence.key in segments
        else _withoutSegment(sentence, stored.get(sentence.key))
        for sentence in sentencesOf(reportNode)
    ]


def _isOf(segmentationNode: Any, volumeNode: Any) -> bool:
    role = segmentationNode.GetReferenceImageGeometryReferenceRole()
    return volumeNode is not None and segmentationNode.GetNodeReference(role) is volumeNode


def rowOfSegment(rows: Sequence[TableRow], segmentationNode: Any, segmentId: str) -> int | None:
    """Return the number of a segment's row, None if no row has it."""
    for number, row in enumerate(rows):
        if row.segmentationNode is segmentationNode and row.segmentId == segmentId:
            return number
    return None


def _withoutSegment(sentence: BoundSentence, stored: StoredRow | None) -> TableRow:
    if stored is None:
        return TableRow(sentence, NOT_RUN)
    if stored.words != plain_words(sentence.text):
        return TableRow(sentence, State.STALE.value, _("The sentence was edited since it was run."))
    reason = stored.reason
    if stored.state == State.AFFIRMED.value:
        reason = _("No voxel reaches the threshold.")
    return TableRow(
        sentence,
        stored.state,
        reason,
        stored.forced,
        presence=stored.presence,
        nominal=stored.nominal,
        agreement=stored.agreement,
        verdict=stored.verdict,
        prompt=stored.prompt,
    )


def _withSegment(
    sentence: BoundSentence, stored: StoredRow | None, node: Any, segmentId: str, segment: Any
) -> TableRow:
    bound = sentenceOf(node, segmentId)
    stale = bound is not None and bound.state is State.STALE
    edited = tags.readTag(segment, tags.EDITED) is not None
    display = node.GetDisplayNode()
    fresh = stored is not None and not stale and stored.words == plain_words(sentence.text)
    reason = stored.reason if stored is not None and fresh else ""
    if stale:
        reason = _("The sentence was edited since its segment was made.")
    state = bound.state.value if bound is not None and bound.state is not None else State.AFFIRMED.value
    presence = _number(tags.readTag(segment, tags.PRESENCE))
    agreement = tags.readTag(segment, tags.AGREEMENT) or (stored.agreement if stored is not None and fresh else "")
    return TableRow(
        sentence,
        state,
        reason,
        (tags.readTag(segment, tags.STATE) or "").endswith("(forced)"),
        node,
        segmentId,
        segment.GetName() or "",
        tuple(segment.GetColor()),
        display is not None and bool(display.GetVisibility()) and bool(display.GetSegmentVisibility(segmentId)),
        presence,
        _volume(node, segmentId, segment, edited),
        stored is not None and stored.nominal,
        edited,
        "" if edited else agreement,
        "" if edited or stored is None or not fresh else stored.verdict,
        None if stale else tags.readTag(segment, "Prompt") or None,
    )


def _volume(node: Any, segmentId: str, segment: Any, edited: bool) -> float | None:
    """The tag tells of the mask as it was made; one drawn since is counted."""
    told = None if edited else _number(tags.readTag(segment, tags.VOLUME_ML))
    if told is not None:
        return told
    mask = readMask(node, segmentId)
    return 0.0 if mask is None else float(mask.volume_ml)


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def csvText(rows: Sequence[TableRow]) -> str:
    """Return the rows as CSV with a header, numbers with a decimal point; empty cells where there is nothing."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        writer.writerow(
            cell(value)
            for value in (
                row.sentence.id,
                row.sentence.field,
                " ".join(row.sentence.text.split()),
                row.state,
                row.reason,
                row.forced,
                row.name,
                row.segmentId or "",
                "" if row.presence is None else f"{row.presence:.4f}",
                "" if row.volumeMl is None else f"{row.volumeMl:.3f}",
                "" if row.volumeMl is None else row.nominal,
                "" if row.segmentId is None else row.edited,
                row.agreement,
            )
        )
    return stream.getvalue()
