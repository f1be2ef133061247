"""One row of a data set's table before any file is opened: what it names, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from LMISCore.data.pair import Pair


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        table: the file it stands in.
        number: its line there, counted from 1 with the header.
        named: what the row calls its picture or mask.
        split: Train, Val or Test; as written where it is none of them, "" where none is given.
        image, mask, lungs: files, which may be missing.
        text: sentence.
        case, patient, order: as in :class:`Pair`.
        problem: why the row cannot be read at all, a sentence; "" where it can.
    """

    table: Path
    number: int
    named: str = ""
    split: str = ""
    image: Path = Path()
    mask: Path = Path()
    lungs: Path | None = None
    text: str = ""
    case: str = ""
    patient: str = ""
    order: int = 0
    problem: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.table} row {self.number}"

    def missing(self) -> Iterator[str]:
        """A sentence for each file that is not there."""
        for file in (self.image, self.mask, self.lungs):
            # Unlike Path.is_file this answers False for a name too long to look up.
            if file is not None and not os.path.isfile(file):
                yield f"{self.place} names {self.named or file.name}, but {file} does not exist."

    def pair(self) -> Pair:
        """The row as training and evaluation take it."""
        return Pair(self.image, self.mask, self.lungs, self.text, self.case, self.patient, self.order)
