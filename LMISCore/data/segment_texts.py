"""What a case's masks are asked with: the sentence in each segment's tags, or the report of a mask without any.

The Slicer module and ``lmis segment`` write the sentence of each segment into the file (``LanguageSegment.Sentence``).
The text is what would be sent to a network for that sentence: on axial slices without its head-feet words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from LMISCore.data.report_text import read_report_text
from LMISCore.data.volume_cases import VolumeCase
from LMISCore.errors import InputError
from LMISCore.text.findings import Vocabulary, assess
from LMISCore.text.prompts import prompt_for
from LMISCore.text.report_types import Sentence, Span
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.fingerprint import fingerprint, same_mask
from LMISCore.volumes.segmentation import TAG_PREFIX, SegmentData, read_segmentation
from LMISCore.volumes.volume import Geometry

# Words of the module's tags, see LanguageSegmentLib.tags.
SENTENCE, BINDING, EDITED, NETWORK, MASK = (
    TAG_PREFIX + key for key in ("Sentence", "Binding", "Edited", "Network", "Mask")
)
DRAWN, CORRECTED, UNCHANGED, REPORT = "drawn by hand", "edited by hand", "as the network made it", "report"
_LUNGS = frozenset({"lung", "lungs", "lung mask", "lungs mask"})


@dataclass(eq=False)
class TextMask:
    """One text and its mask ``(K, J, I)`` bool on the volume's grid.

    Attributes:
        key: of letters, digits, ``_``, ``.`` and ``-``; distinct within the case.
        levels: of "upper", "mid", "lower": head-feet thirds that the sentence speaks of; empty means all slices.
        origin: whose mask it is.
    """

    key: str
    text: str
    mask: np.ndarray
    levels: frozenset[str]
    origin: str


@dataclass
class CaseTexts:
    """All of a case.

    Attributes:
        found: its texts with their masks.
        lungs: ``(K, J, I)`` non-zero inside, or None.
        notes: a sentence for each segment that was left out.
    """

    found: list[TextMask] = field(default_factory=list)
    lungs: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)


def read_texts(
    case: VolumeCase, grid: Geometry, plane: str, vocabulary: Vocabulary | None = None, edited_only: bool = False
) -> CaseTexts:
    """Read a case's segments, or its mask with its report.

    Args:
        case: its files.
        grid: of its volume.
        plane: of the slices that will be cut.
        vocabulary: findings that count; None takes all.
        edited_only: leave out segments that are as the network made them.

    Raises:
        InputError: if a file cannot be read or does not lie on ``grid``.
    """
    texts = CaseTexts()
    if case.segments is not None:
        segments, _, _ = read_segmentation(case.segments, grid)
        for segment in segments:
            _add_segment(texts, case, segment, grid, plane, vocabulary, edited_only)
    elif case.mask is not None and case.report is not None:
        text = read_report_text(case.report, vocabulary, plane)
        if text:
            texts.found.append(TextMask("report", text, _on_grid(case.mask, case, grid) > 0, frozenset(), REPORT))
        else:
            texts.notes.append(f"{case.report} affirms no finding that counts; left out.")
    if case.lungs is not None:
        texts.lungs = _on_grid(case.lungs, case, grid)
    return texts


def _add_segment(
    texts: CaseTexts,
    case: VolumeCase,
    segment: SegmentData,
    grid: Geometry,
    plane: str,
    vocabulary: Vocabulary | None,
    edited_only: bool,
) -> None:
    where = f"The segment {segment.name!r} of {case.segments}"
    sentence = " ".join(segment.tags.get(SENTENCE, "").split())
    binding = segment.tags.get(BINDING, "")
    origin = _origin(segment, grid)
    if not sentence:
        if segment.name.strip().lower() in _LUNGS and case.lungs is None:
            texts.lungs = segment.mask
        else:
            texts.notes.append(f"{where} tells no sentence; left out.")
    elif binding == "stale":
        texts.notes.append(f"{where} was made for an earlier wording of its sentence; left out.")
    elif binding == "orphan":
        texts.notes.append(f"{where} belongs to a sentence that was taken out of the report; left out.")
    elif edited_only and origin == UNCHANGED:
        texts.notes.append(f"{where} is as the network made it; left out.")
    elif not segment.mask.any():
        texts.notes.append(f"{where} is empty; left out.")
    else:
        findings = () if vocabulary is None else assess(sentence, vocabulary)
        prompt = prompt_for(Sentence("text-1", sentence, Span(0, len(sentence)), "", findings), plane)
        key = f"{len(texts.found) + 1}_{re.sub(r'[^A-Za-z0-9_.-]+', '_', segment.id)}"
        texts.found.append(TextMask(key, prompt.text, segment.mask, prompt.levels, origin))


def _origin(segment: SegmentData, grid: Geometry) -> str:
    made = segment.tags.get(MASK, "")
    # The mask itself tells of an edit by a program that does not write our tags.
    if segment.tags.get(EDITED) or _differs(made, segment, grid):
        return CORRECTED
    return UNCHANGED if segment.tags.get(NETWORK) else DRAWN


def _differs(made: str, segment: SegmentData, grid: Geometry) -> bool:
    """Whether a mask is not the one whose fingerprint it carries."""
    return bool(made) and not same_mask(made, fingerprint(segment.mask, grid.matrix()))


def _on_grid(path: Path, case: VolumeCase, grid: Geometry) -> np.ndarray:
    volume = read_volume(path, missing=0)
    _require_grid(volume.geometry, grid, path, case.volume)
    if volume.is_colour:
        raise InputError(f"The mask {path} is in colour; expected one number a voxel; save it again.")
    return volume.array


def _require_grid(found: Geometry, wanted: Geometry, path: object, volume: object) -> None:
    # NIfTI keeps origins in single precision.
    if not found.same_as(wanted, 1e-4):
        raise InputError(
            f"{path} does not lie on the voxels of {volume}; expected the same size, spacing, origin and direction; "
            "export it again with the volume's own geometry."
        )
