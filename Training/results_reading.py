"""The reading of RESULTS.md, made from the records: what may be called a difference, and what may not.

Two conditions: the interval of the paired difference leaves out zero, which is about the pictures, and the difference
is larger than what other seeds of the unchanged network make of the same figure, which is about chance in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from LMISCore.evaluation import conditions as asked
from LMISCore.metrics.bootstrap import Interval
from Training.results_figures import Figure, Table, difference, is_difference, mean_dice, seed_range
from Training.results_sections import SETS
from Training.results_table import Row

WORDS: Mapping[Figure, str] = {"mean_dice": "mean Dice", "on_named_side": "foreground on the named side"}


@dataclass(frozen=True)
class Finding:
    """One compared row and figure.

    Attributes:
        row: what was changed.
        figure: which figure.
        found: row minus base.
        seeds: how far other seeds of the base spread that figure; None where they were not run.
    """

    row: Row
    figure: Figure
    found: Interval
    seeds: float | None

    @property
    def is_more_than_chance(self) -> bool:
        """Whether the difference is larger than the seeds' spread, too."""
        return self.seeds is not None and abs(self.found.estimate) > self.seeds

    @property
    def chance(self) -> str:
        """What is known of chance in training."""
        return "no other seed was run" if self.seeds is None else f"seeds {self.seeds:.3f}"

    def __str__(self) -> str:
        found = self.found
        return (
            f"{self.row.title}, {self.row.change}: {WORDS[self.figure]} {found.estimate:+.3f} "
            f"[{found.low:+.3f}, {found.high:+.3f}]"
        )


def findings(rows: Table, group: str) -> Iterator[Finding]:
    """All compared rows of a group."""
    for row in rows.group(group):
        record, base = rows.records.get(row.id), rows.records.get(row.base)
        if record is None or base is None:
            continue
        for figure in WORDS:
            found = difference(record, base, figure)
            if found is not None:
                yield Finding(row, figure, found, seed_range(rows, row.base, figure))


def which_network(rows: Table) -> list[str]:
    """For each data set the order of the networks, and which of the distances to the first are differences."""
    lines = []
    for data, title in SETS.items():
        there = [row for row in rows.group("main", data) if row.id in rows.records]
        if not there:
            continue
        ranked = sorted(there, key=lambda row: -mean_dice(rows.records[row.id]))
        order = ", ".join(f"{row.title} {mean_dice(rows.records[row.id]):.3f}" for row in ranked)
        ahead = [words for row in ranked[1:] if (words := _ahead(rows, ranked[0], row))]
        unclear = len(ranked) - 1 - len(ahead)
        lines.append(
            f"- {title}: mean Dice {order}. "
            + (
                f"{ranked[0].title[0].upper()}{ranked[0].title[1:]} is ahead of {'; of '.join(ahead)}. "
                if ahead
                else ""
            )
            + (
                f"{unclear} of the {len(ranked) - 1} distances to {ranked[0].title} could be chance. "
                if unclear
                else ""
            )
            + ("" if any(len(rows.seeds(row.id)) > 1 for row in there) else _one_seed(rows))
        )
    return [line.rstrip() for line in lines]


def _one_seed(rows: Table) -> str:
    """What has to be said where no network was trained with another seed."""
    spreads = [found for row in rows.group("main") if (found := seed_range(rows, row.id)) is not None]
    known = f" (elsewhere up to {max(spreads):.3f} of mean Dice)" if spreads else ""
    return f"One seed each: what another one would change{known} is not in these intervals."


def _ahead(rows: Table, first: Row, other: Row) -> str:
    """By how much the first row is better, where that is a difference; empty where not."""
    found = difference(rows.records[first.id], rows.records[other.id], "mean_dice")
    spread = max((seed_range(rows, row.id) or 0.0 for row in (first, other)), default=0.0)
    if found is None or not is_difference(found) or abs(found.estimate) <= spread:
        return ""
    return f"{other.title} by {found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"


def who_listens(rows: Table) -> list[str]:
    """With lungs: how much of each answer lies on the named side, and what mirrored words do."""
    lines = []
    for data, title in SETS.items():
        parts = [part for row in rows.group("main", data) if (part := _listens(row, rows.records.get(row.id)))]
        if parts:
            lines.append(f"- {title}: {'; '.join(parts)}.")
    return lines


def what_text_does(rows: Table) -> list[str]:
    """TIRNet against the same network trained without text, on each data set."""
    parts = []
    for data, title in SETS.items():
        pair = [row for row in rows.group("main", data) if row.network == "tirnet" and row.id in rows.records]
        if len(pair) == 2:
            reads, blind = sorted(pair, key=lambda row: len(row.overrides))
            found = difference(rows.records[reads.id], rows.records[blind.id], "mean_dice")
            if found is not None:
                clear = is_difference(found) and abs(found.estimate) > (seed_range(rows, reads.id) or 0.0)
                words = "a difference" if clear else "could be chance"
                parts.append(f"{title} {found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {words}")
    return [f"- TIRNet's mean Dice, minus that of its image-only form: {'; '.join(parts)}."] if parts else []


def _listens(row: Row, record: Mapping[str, Any] | None) -> str:
    if record is None or record["test"]["obedience"] is None:
        return ""
    side, low, high = record["test"]["obedience"]["on_named_side"]
    if side is None:
        return f"{row.title} marks nothing when asked for one lung"
    fall = record["test"]["differences"][asked.SWAPPED]["mean_dice"]
    swapped = f", exchanging left and right changes its mean Dice by {fall[0]:+.3f} [{fall[1]:+.3f}, {fall[2]:+.3f}]"
    return f"{row.title} puts {side:.3f} [{low:.3f}, {high:.3f}] of what it marks on the named side" + (
        swapped if fall[0] is not None else ""
    )


def what_helps(rows: Table, group: str) -> list[str]:
    """The differences of a group of changes, sorted by how far they can be believed."""
    every = list(findings(rows, group))
    if not every:
        return ["- Nothing of this was run yet."]
    clear = [finding for finding in every if is_difference(finding.found)]
    believed = [finding for finding in clear if finding.is_more_than_chance]
    lines = [f"- {finding}." for finding in believed]
    if not believed:
        lines.append("- No change made a difference that is both outside its interval's zero and beyond the seeds.")
    doubtful = [finding for finding in clear if finding not in believed]
    if doubtful:
        listed = "; ".join(
            f"{finding.row.title}, {finding.row.change}: {WORDS[finding.figure]} {finding.found.estimate:+.3f} "
            f"({finding.chance})"
            for finding in doubtful
        )
        lines.append(f"- Their intervals leave out zero, but other seeds may do as much: {listed}.")
    unclear = len(every) - len(clear)
    lines.append(f"- The other {unclear} of {len(every)} compared figures could be chance: their intervals hold zero.")
    return lines


def papers_parts(rows: Table) -> list[str]:
    """Which parts of the papers' networks are worth something here: those whose removal believably lowers the Dice."""
    mean = [found for found in findings(rows, "ablation") if found.figure == "mean_dice"]
    parts = [found for found in mean if found.row.change.startswith("without ")]
    worth = [f for f in parts if f.found.estimate < 0 and is_difference(f.found) and f.is_more_than_chance]
    harm = [f for f in parts if f.found.estimate > 0 and is_difference(f.found) and f.is_more_than_chance]
    rest = [f for f in parts if f not in worth and f not in harm]

    def named(some: list[Finding]) -> str:
        return "; ".join(f"{f.row.title}, {f.row.change}: {f.found.estimate:+.3f}" for f in some) or "none"

    missing = [
        row for row in rows.group("ablation") if row.change.startswith("without ") and row.id not in rows.records
    ]
    lines = [
        f"- Confirmed at this budget, the mean Dice falls without the part: {named(worth)}.",
        f"- The contrary, the mean Dice rises without it: {named(harm)}.",
        f"- Neither could be shown: {named(rest)}.",
    ]
    return lines + [f"- Not run: {', '.join(f'`{row.id}`' for row in missing)}."] * bool(missing)


def measured(rows: Table, row: Row) -> str:
    """What a changed row measured against its base, as the docstring of the option says it; empty if not run."""
    record, base = rows.records.get(row.id), rows.records.get(row.base)
    if record is None or base is None:
        return ""
    parts = []
    shown: tuple[tuple[Figure, str], ...] = (("mean_dice", "Dice"), ("on_named_side", "named side"))
    for figure, words in shown:
        found = difference(record, base, figure)
        if found is not None:
            parts.append(f"{words} {found.estimate:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
    return f"Measured: {', '.join(parts)}."
