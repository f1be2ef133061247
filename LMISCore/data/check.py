"""Everything wrong with a data set, each complaint with its row and file, before a training finds it.

Every file is opened once: what training would refuse, and what it would take and should not.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from LMISCore.data.manifest import CASE_PATTERN, SPLITS, read_rows, text_hash
from LMISCore.data.rows import Row
from LMISCore.data.slices import read_slice
from LMISCore.errors import Cancelled, InputError
from LMISCore.volumes.files import read_volume

Progress = Callable[[int, int, str], object]
STOPS, LOOK = "stops a training", "look at it"


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        kind: a few words, the same for all complaints of a kind.
        sentence: one plain sentence with row and file.
        stops: whether a training would refuse the set, or its figures could not be believed.
    """

    kind: str
    sentence: str
    stops: bool


@dataclass
class SplitReport:
    """What one split holds.

    Attributes:
        rows: its rows whose files could all be read.
        empty: how many of these have an empty mask.
        sizes: "H x W" -> pictures.
        mask_values: smallest and largest value of any mask.
        patients, cases, pictures, sentences: how many distinct ones.
        per_picture: fewest, mean and most rows of a picture.
        text_hash: of names and sentences, in the order in which training reads them.
    """

    rows: int = 0
    empty: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    mask_values: tuple[float, float] = (0.0, 0.0)
    patients: int = 0
    cases: int = 0
    pictures: int = 0
    sentences: int = 0
    per_picture: tuple[int, float, int] = (0, 0.0, 0)
    text_hash: str = ""

    def line(self, name: str) -> str:
        """The split in one line."""
        if not self.rows:
            return f"{name}: no rows"
        sizes = ", ".join(f"{size} ({count})" for size, count in self.sizes.most_common(3))
        rest = f" and {len(self.sizes) - 3} more" if len(self.sizes) > 3 else ""
        low, mean, high = self.per_picture
        return (
            f"{name}: {self.rows} rows, {self.pictures} pictures, {self.cases} cases, {self.patients} patients; "
            f"{self.empty} empty masks; values of masks {self.mask_values[0]:g} to {self.mask_values[1]:g}; "
            f"sizes {sizes}{rest}; "
            f"{self.sentences} distinct sentences, {low} to {high} a picture (mean {mean:.2f}); "
            f"text sha256 {self.text_hash}"
        )


@dataclass
class DataReport:
    """Counts by split, and all complaints in the order in which they came up."""

    splits: dict[str, SplitReport] = field(default_factory=dict)
    complaints: list[Complaint] = field(default_factory=list)

    @property
    def stopping(self) -> list[Complaint]:
        """The complaints that a training would stop at."""
        return [each for each in self.complaints if each.stops]

    def complain(self, kind: str, sentence: str, stops: bool = False) -> None:
        """Note something that is wrong; ``stops`` says whether a training would end over it."""
        self.complaints.append(Complaint(kind, sentence, stops))


@dataclass(frozen=True)
class _Seen:
    row: Row
    picture: str
    mask: str


def check_data(source: str | Path, pattern: str = CASE_PATTERN, progress: Progress | None = None) -> DataReport:
    """Read a whole data set and say all that is wrong with it.

    Args:
        source, pattern: as for ``read_pairs``.
        progress: called with (done, total, stage); returning False stops.

    Raises:
        InputError: if there is no data set at ``source``, or a manifest lacks a column.
        Cancelled: if the progress callback returned False.
    """
    source = Path(source)
    report = DataReport()
    rows = list(_all_rows(source, pattern, report))
    seen: dict[str, list[_Seen]] = {}
    for number, row in enumerate(rows, start=1):
        if row.split not in SPLITS:
            _unknown_split(row, report)
            continue
        found = _read(row, report.splits.setdefault(row.split, SplitReport()), report)
        if found is not None:
            seen.setdefault(row.split, []).append(found)
        if progress is not None and progress(number, len(rows), "checking") is False:
            raise Cancelled("The check was stopped.")
    _across_splits(seen, report)
    for split, entries in seen.items():
        _within_split(entries, report)
        _count(report.splits[split], entries)
    _whole_splits(source, report)
    return report


def _all_rows(source: Path, pattern: str, report: DataReport) -> Iterator[Row]:
    """Rows that name files; a table or a row that cannot be read becomes a complaint."""
    if source.is_file():
        from LMISCore.data.manifest_files import read_manifest, rows_of

        rows: Iterator[Row] = iter(rows_of(read_manifest(source), pattern))
    else:
        rows = _folder_rows(source, pattern, report)
    for row in rows:
        if row.problem:
            report.complain("rows that cannot be read", row.problem, stops=True)
        else:
            yield row


def _folder_rows(source: Path, pattern: str, report: DataReport) -> Iterator[Row]:
    for split in SPLITS:
        try:
            yield from read_rows(source, split, pattern)
        except InputError as error:
            if not source.exists():
                raise
            report.complain("tables that cannot be read", str(error), stops=split != "Test")


def _unknown_split(row: Row, report: DataReport) -> None:
    if row.split:
        report.complain(
            "unknown splits", f"{row.place} has the split {row.split!r}; expected one of {', '.join(SPLITS)}.", True
        )
    else:
        report.complain("rows without a split", f"{row.place} has no split; run lmis data split.")


def _read(row: Row, split: SplitReport, report: DataReport) -> _Seen | None:
    """Open a row's files; None if one cannot be used."""
    missing = list(row.missing())
    for sentence in missing:
        report.complain("missing files", sentence, stops=True)
    if missing:
        return None
    try:
        item = read_slice(row.pair())
        values = np.unique(read_volume(row.mask, missing=0).array)
    except InputError as error:
        report.complain("files that cannot be used", f"{row.place}: {error}", stops=True)
        return None
    _check_mask(row, values, item.truth, report)
    if not item.truth.any():
        split.empty += 1
        report.complain("empty masks", f"{row.place}: the mask {row.mask} is empty.")
    if item.lungs is not None and not (item.lungs > 0).any() and item.truth.any():
        report.complain("empty lung masks", f"{row.place}: the lung mask {row.lungs} is empty, the mask is not.")
    if not row.text.strip():
        report.complain("rows without a sentence", f"{row.place}: {row.image.name} has no sentence.")
    low, high = float(values[0]), float(values[-1])
    known = split.mask_values if split.rows else (low, high)
    split.mask_values = (min(known[0], low), max(known[1], high))
    split.sizes[" x ".join(map(str, item.truth.shape))] += 1
    split.rows += 1
    return _Seen(row, _digest(row.image), _digest(row.mask))


def _check_mask(row: Row, values: np.ndarray, truth: np.ndarray, report: DataReport) -> None:
    if float(values[0]) < 0:
        report.complain(
            "negative mask values", f"{row.place}: {row.mask} holds {values[0]:g}; only what is above 0 is inside."
        )
    if len(values) > 2:
        shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
        report.complain(
            "masks of more than two values",
            f"{row.place}: {row.mask} holds {len(values)} values ({shown}); all above 0 count as one finding.",
        )
    if truth.all():
        report.complain("full masks", f"{row.place}: {row.mask} has no pixel outside the finding.")


def _across_splits(seen: dict[str, list[_Seen]], report: DataReport) -> None:
    """A patient or a picture in two splits: what was learned would be measured."""
    patients: dict[str, _Seen] = {}
    pictures: dict[str, _Seen] = {}
    told: set[tuple[str, str, str]] = set()
    for entry in (entry for split in SPLITS for entry in seen.get(split, [])):
        row = entry.row
        for kind, name, owners, shown in (
            ("patients in two splits", row.patient, patients, f"patient {row.patient}"),
            ("pictures in two splits", entry.picture, pictures, f"the picture {row.image}"),
        ):
            first = owners.setdefault(name, entry).row
            if first.split != row.split and (kind, name, row.split) not in told:
                told.add((kind, name, row.split))
                report.complain(
                    kind, f"{row.place}: {shown} is in {row.split} and, by {first.place}, in {first.split}.", stops=True
                )


def _within_split(entries: Sequence[_Seen], report: DataReport) -> None:
    """The same question twice: counted double when the answer is the same, a contradiction when it is not."""
    first: dict[tuple[str, str], _Seen] = {}
    for entry in entries:
        key = (entry.picture, entry.row.text.strip())
        before = first.setdefault(key, entry)
        if before is entry:
            continue
        where = f"{entry.row.place}: {entry.row.image} has the same picture and sentence as row {before.row.number}"
        if before.mask == entry.mask:
            report.complain("duplicates", f"{where}, and the same mask.")
        else:
            report.complain("contradictions", f"{where}, but another mask.")


def _count(split: SplitReport, entries: Sequence[_Seen]) -> None:
    rows = [entry.row for entry in entries]
    pairs = sorted((row.pair() for row in rows), key=lambda pair: (pair.case, pair.order, pair.image.name))
    per_picture = Counter(entry.picture for entry in entries).values()
    split.patients = len({row.patient for row in rows})
    split.cases = len({row.case for row in rows})
    split.pictures = len(per_picture)
    split.sentences = len({row.text for row in rows})
    split.per_picture = (min(per_picture), len(rows) / len(per_picture), max(per_picture))
    split.text_hash = text_hash(pairs)


def _whole_splits(source: Path, report: DataReport) -> None:
    for name in SPLITS:
        split = report.splits.get(name, SplitReport())
        if not split.rows:
            report.complain("empty splits", f"{source} has no usable row of {name}.", stops=name != "Test")
        elif split.empty == split.rows:
            report.complain(
                "splits without foreground", f"None of the {split.rows} masks of {name} in {source} has a pixel.", True
            )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
