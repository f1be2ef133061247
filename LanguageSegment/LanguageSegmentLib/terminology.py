"""Names, colours and codes of segments for Slicer, from the terminology that LMISCore ships."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from LMISCore.errors import InputError
from LMISCore.resources import resource
from LMISCore.text.terminology import term_for

FILES = ("LanguageSegment.term.json", "LanguageSegmentRegions.term.json")


@dataclass(frozen=True)
class TerminologyChoice:
    """What a segment of a finding is called.

    Attributes:
        serialised: for ``vtkSegment.SetTerminology``.
        name: of the finding with a capital letter; "Lesion" where it is not known.
        colour: recommended; red, green, blue from 0 to 1.
        note: why the code is a more general one; "" where it is the finding's own.
    """

    serialised: str
    name: str
    colour: tuple[float, float, float]
    note: str = ""


def entryFor(findingName: str | None, side: Collection[str] | None = None) -> TerminologyChoice:
    """Return name, colour and code for the segment of a finding.

    Args:
        findingName: or a synonym, in any number; what is not known is coded as a lesion.
        side: of "left" and "right"; both for a finding on both sides.
    """
    term = term_for(findingName, side or ())
    name = term.name or term.type.meaning
    return TerminologyChoice(term.serialised(), name[:1].upper() + name[1:], term.colour, term.note)


def registerTerminology(terminologiesLogic: Any) -> None:
    """Load the findings and their regions into Slicer's terminologies, as lists to choose from; again does no harm.

    Args:
        terminologiesLogic: vtkSlicerTerminologiesModuleLogic, ``slicer.modules.terminologies.logic()``.

    Raises:
        InputError: if Slicer does not take a file.
    """
    for name in FILES:
        path = resource("terminology", name)
        if not terminologiesLogic.LoadContextFromFile(str(path)):
            raise InputError(f"Slicer could not load the terminology {path}; install the extension again.")
