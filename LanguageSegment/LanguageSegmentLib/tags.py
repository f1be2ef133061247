"""Tags of a segment: what a mask was made of and what became of it since, readable in any program that shows tags.

Slicer ends a tag at the first ``|``, so every value is percent-encoded, as in the files that LMISCore writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import vtk

from LMISCore.volumes.segmentation import TAG_PREFIX, decode_tag, encode_tag

# Made with the mask. The first dozen are LMISCore's own, see ``LMISCore.inference.result.CaseResult.tags``.
SENTENCE = "Sentence"
FIELD = "Field"
SPAN = "Span"
STATE = "State"
NETWORK = "Network"
CHECKPOINT = "Checkpoint"
VERSION = "Version"
THRESHOLD = "Threshold"
PRESENCE = "Presence"
DATE = "Date"
MASK = "Mask"
"""Fingerprint of the mask as the network made it, see ``LMISCore.volumes.fingerprint``."""
VOLUME_ML = "VolumeMl"
"""Volume of the mask as the network made it, mL."""
NAME = "Name"
"""Name the segment was given; another name is the user's and is kept."""
COLOUR = "Colour"
"""Colour the segment was given, as three numbers."""
KEY = "SentenceKey"
"""Key of the sentence in its report node."""
REPORT = "Report"
"""Identity of the report node, which tells its keys from another report's."""

# Kept up to date afterwards.
BINDING = "Binding"
"""``current``, ``stale`` or ``orphan``, see ``LanguageSegmentLib.marks.segmentState``."""
EDITED = "Edited"
"""``edited by hand`` while the mask is not the one the network made; absent otherwise."""
EDITED_DATE = "EditedDate"
OUT_OF_DATE = "OutOfDate"
"""Which figures in the other tags do not describe the edited mask."""
AGREEMENT = "Agreement"
"""How far the sentence and its mask agree, for whoever measures it."""

EDITED_BY_HAND = "edited by hand"

MADE = (
    SENTENCE, FIELD, SPAN, STATE, NETWORK, CHECKPOINT, VERSION, THRESHOLD, PRESENCE, DATE,
    "Prompt", "Intensity", "Device", "Cleanup",
    MASK, VOLUME_ML, NAME, COLOUR, KEY, REPORT, AGREEMENT,
)  # fmt: skip
"""All that is written with a mask: what a new mask does not say again is removed with the old one."""


def readTag(segment: Any, key: str) -> str | None:
    """Return one of our tags as plain text, None if the segment does not have it."""
    value = vtk.mutable("")
    return decode_tag(str(value)) if segment.GetTag(TAG_PREFIX + key, value) else None


def writeTags(segment: Any, tags: Mapping[str, str | None]) -> None:
    """Set tags of ours to plain text of any characters; None removes a tag. What stands already is not touched.

    Raises:
        ValueError: if a key is not of letters and digits, which is all that survives in every file.
    """
    for key, text in tags.items():
        if not key.isalnum() or not key.isascii():
            raise ValueError(f"tag key {key!r} must be of letters and digits")
        if readTag(segment, key) == text:
            continue
        if text is None:
            segment.RemoveTag(TAG_PREFIX + key)
        else:
            segment.SetTag(TAG_PREFIX + key, encode_tag(text))
