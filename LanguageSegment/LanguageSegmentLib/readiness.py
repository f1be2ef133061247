"""What is missing before a report can be segmented, in words for a tool tip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from LanguageSegmentLib.explanation import isExplanation
from LanguageSegmentLib.translation import tr as _


def missing(volumeNode: Any, report: str, weightsProblem: str = "") -> list[str]:
    """Return one sentence for each thing that is missing; empty if Apply can be pressed.

    Args:
        volumeNode: the chosen volume or None.
        report: the text.
        weightsProblem: why the weights cannot be used, "" if they can.
    """
    found = []
    if volumeNode is None:
        found.append(_("Choose a volume."))
    elif volumeNode.GetImageData() is None or volumeNode.GetImageData().GetNumberOfPoints() == 0:
        found.append(_("The volume holds no image; choose another."))
    elif isExplanation(volumeNode):
        found.append(_("This volume is an explanation map; choose the scan."))
    if not report.strip():
        found.append(_("Type, paste or load the report."))
    if weightsProblem:
        found.append(weightsProblem)
    return found


def applyTip(found: Sequence[str]) -> str:
    """Return the tool tip of Apply for what is missing."""
    if found:
        return "\n".join([_("Apply needs more:"), *found])
    return _("Segment what the report's sentences say (Ctrl+Enter).")


def needed(rowChosen: bool, running: bool, possible: bool, otherwise: str) -> str:
    """Return why a button for the chosen sentence is off; "" if it is on.

    Args:
        rowChosen: whether a row is chosen.
        running: whether the module is at work on something that the button would disturb.
        possible: whether the chosen sentence allows it.
        otherwise: what to say if not.
    """
    if not rowChosen:
        return _("Choose a sentence in the table first.")
    if running:
        return _("Wait for the run to end, or cancel it.")
    return "" if possible else otherwise
