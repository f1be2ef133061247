"""What a run gives: one row per sentence of the report, a mask on the rows that have one, and how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from LMISCore.inference.agreement import Agreement
from LMISCore.inference.naming import segment_term
from LMISCore.inference.summary import finding_values, summarise
from LMISCore.text.prompts import Prompt
from LMISCore.text.reader import named_in
from LMISCore.text.report import Sentence, State
from LMISCore.text.terminology import Colour
from LMISCore.volumes.fingerprint import fingerprint
from LMISCore.volumes.permille import STEPS
from LMISCore.volumes.segmentation import SegmentData
from LMISCore.volumes.volume import Geometry


@dataclass
class SentenceResult:
    """One sentence and what became of it.

    Attributes:
        sentence: with its place in the report.
        field: the report's field it stands in, "" for text without headers.
        state: of the text, or ABSENT when the network did not find what an affirmed sentence names.
        reason: why it has this state, in phrases parted by semicolons.
        prompt: what was sent to the network and which head-feet levels chose the slices; None where none was sent.
        forced: whether the user asked for a mask whatever the state.
        presence: score in [0, 1]; None where the network was not asked.
        mask: ``(K, J, I)`` bool on the volume's grid, never empty; None where there is no segment. Equal prompts
            share one array.
        permille: ``(K, J, I)`` uint16, the probability in thousandths on the volume's grid, only when it was to be
            kept; :func:`LMISCore.volumes.permille.cut` cuts a mask from it.
        volume_ml: of the mask, mL; see ``CaseResult.spacing_known``.
        slices: how many slices the mask touches.
        asked_slices: how many slices the sentence was asked on.
        segment_id: stable id from the sentence's id, None without a segment.
        name, colour: of the segment.
        agreement: whether a second mask, asked for without place, bears out what the words say; one for each affirmed
            finding, empty where that was not asked.
    """

    sentence: Sentence
    field: str
    state: State
    reason: str
    prompt: Prompt | None = None
    forced: bool = False
    presence: float | None = None
    mask: np.ndarray | None = None
    permille: np.ndarray | None = None
    volume_ml: float | None = None
    slices: int | None = None
    asked_slices: int | None = None
    segment_id: str | None = None
    name: str = ""
    colour: Colour | None = None
    agreement: tuple[Agreement, ...] = ()

    @property
    def probability(self) -> np.ndarray | None:
        """``(K, J, I)`` float32, rounded down to thousandths; None unless it was to be kept."""
        return None if self.permille is None else self.permille.astype(np.float32) / np.float32(STEPS)

    def add_reason(self, phrase: str) -> None:
        """Put a phrase behind the reasons there are."""
        self.reason = f"{self.reason}; {phrase}" if self.reason else phrase

    def to_dict(self) -> dict[str, Any]:
        """The row as plain JSON values, without arrays."""
        return {
            "id": self.sentence.id,
            "field": self.field,
            "span": [self.sentence.span.start, self.sentence.span.end],
            "sentence": self.sentence.text,
            "state": self.state.value,
            "reason": self.reason,
            "forced": self.forced,
            "prompt": self.prompt.text if self.prompt else None,
            "prompt_source": self.prompt.source if self.prompt else None,
            "prompt_reason": self.prompt.reason if self.prompt else "",
            "levels": sorted(self.prompt.levels) if self.prompt else [],
            "presence": None if self.presence is None else round(self.presence, 4),
            "segment_id": self.segment_id,
            "segment": self.name if self.segment_id else None,
            "colour": None if self.colour is None else [round(channel, 4) for channel in self.colour],
            "volume_ml": None if self.volume_ml is None else round(self.volume_ml, 3),
            "slices": self.slices,
            "asked_slices": self.asked_slices,
            "agreement": [agreement.to_dict() for agreement in self.agreement],
            "findings": [finding_values(finding) for finding in named_in(self.sentence)],
        }


@dataclass
class CaseResult:
    """One volume and its report.

    Attributes:
        geometry: of the volume, and so of every mask.
        rows: one per sentence, in the report's order.
        provenance: checkpoint, intensity, device, thresholds and the rest, as plain JSON values.
        warnings: sentences for the user.
        spacing_known: False when mm, and so mL, are only nominal.
        language: code of the report's language.
    """

    geometry: Geometry
    rows: list[SentenceResult]
    provenance: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    spacing_known: bool = True
    language: str = "en"

    @property
    def segments(self) -> list[SentenceResult]:
        """The rows that have a mask."""
        return [row for row in self.rows if row.mask is not None]

    def row(self, sentence_id: str) -> SentenceResult:
        """Return one sentence's row.

        Raises:
            KeyError: naming the ids there are, if it is none of them.
        """
        for row in self.rows:
            if row.sentence.id == sentence_id:
                return row
        raise KeyError(f"no sentence {sentence_id!r}; there are {', '.join(r.sentence.id for r in self.rows)}")

    def segment_data(self) -> list[SegmentData]:
        """The segments as files store them, each explaining itself by its tags."""
        return [
            SegmentData(
                row.segment_id or "",
                row.name,
                row.colour or (1.0, 1.0, 1.0),
                row.mask,
                self.tags(row),
                segment_term(row.sentence).entry(),
            )
            for row in self.segments
            if row.mask is not None
        ]

    def tags(self, row: SentenceResult) -> dict[str, str]:
        """Provenance of one segment as plain text."""
        about = self.provenance
        intensity = about["intensity"]
        return {
            "Sentence": row.sentence.text,
            "Field": row.field,
            "Span": f"{row.sentence.span.start}-{row.sentence.span.end}",
            "State": row.state.value + (" (forced)" if row.forced else ""),
            "Prompt": row.prompt.text if row.prompt else "",
            "Network": about["network"],
            "Checkpoint": about["checkpoint_hash"],
            "Version": about["version"],
            "Threshold": f"{about['thresholds']['mask']:g}",
            "Presence": "" if row.presence is None else f"{row.presence:.4f}",
            "Intensity": f"{intensity['convention']}, {intensity['kind']}: {intensity['reason']}",
            "Date": about["date"],
            "Device": f"{about['device']['name']}, {about['precision']['name']}",
            "Cleanup": about["cleanup"],
            "VolumeMl": "" if row.volume_ml is None else f"{row.volume_ml:.3f}",
            # By which an edit of the mask is noticed, whatever program made it.
            "Mask": "" if row.mask is None else fingerprint(row.mask, self.geometry.matrix()),
            "PromptSource": row.prompt.source if row.prompt else "",
            "PromptReason": row.prompt.reason if row.prompt else "",
            "Agreement": "; ".join(agreement.words for agreement in row.agreement),
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values."""
        return {
            "rows": [row.to_dict() for row in self.rows],
            "segments": len(self.segments),
            "summary": summarise(self.rows),
            "language": self.language,
            "geometry": {
                "size": list(self.geometry.size),
                "spacing_mm": list(self.geometry.spacing),
                "origin_lps_mm": list(self.geometry.origin),
                "direction": list(self.geometry.direction),
                "spacing_known": self.spacing_known,
            },
            "provenance": self.provenance,
            "warnings": list(self.warnings),
        }
