"""One row of a data set, and what its picture's name tells of scan, person and slice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from LMISCore.errors import InputError

SPLITS = ("Train", "Val", "Test")
CASE_PATTERN = r"^(?P<case>(?P<patient>[A-Za-z]+_\d+)\w*?)_s(?P<slice>\d+)$"


@dataclass(frozen=True)
class Pair:
    """One row: a picture, its mask and its sentence.

    Attributes:
        image, mask: picture files; the mask is 0 outside and anything else inside.
        lungs: lung mask, where the set has one (one label for both lungs, or 127 for the right and 255 for the left).
        text: the sentence as the set gives it.
        case, patient: scan and person; slices of one case belong together, and no patient may be in two splits.
        order: position of the slice in its case (the row's number where the name tells none).
    """

    image: Path
    mask: Path
    lungs: Path | None
    text: str
    case: str
    patient: str
    order: int


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A case pattern as a regular expression.

    Raises:
        InputError: if it is none.
    """
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(
            f"The case pattern {pattern!r} is no regular expression ({error}); expected one with the groups case, "
            "patient and slice."
        ) from error


def names_of(stem: str, pattern: re.Pattern[str], row: int) -> tuple[str, str, int]:
    """Case, patient and slice number that a picture's name tells; itself and its row where it tells none.

    Raises:
        InputError: if what stands for the slice is no number.
    """
    match = pattern.match(stem)
    if match is None:
        return stem, stem, row
    groups = match.groupdict()
    case = groups.get("case") or stem
    number = groups.get("slice") or str(row)
    if not number.isdecimal():
        raise InputError(
            f"The case pattern {pattern.pattern!r} takes {number!r} of {stem} for the slice's number; expected digits."
        )
    return case, groups.get("patient") or case, int(number)
