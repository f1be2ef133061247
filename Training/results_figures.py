"""Figures that compare rows: paired differences with intervals from resampled blocks, and the spread of seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from LMISCore.errors import InputError
from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.evaluate import SEED
from LMISCore.evaluation.figures import per_image, pooled_parts
from LMISCore.metrics.bootstrap import (
    DRAWS,
    FloatArray,
    IntArray,
    Interval,
    block_weights,
    neighbour_blocks,
    paired_mean_difference,
    paired_ratio_difference,
)
from LMISCore.metrics.overlap import Counts, summarise
from Training.results_table import RESULTS, Row, is_done, read_draw, read_record, read_rows

Figure = Literal["mean_dice", "pooled_dice", "on_named_side"]


@dataclass(frozen=True)
class Table:
    """All rows with their records.

    Attributes:
        rows: in the order of rows.yaml.
        records: by id, those that were run to their end.
        failed: by id, why a row failed.
        again: by id, the records of second runs from scratch.
        drawn: ids of the rows drawn to be run again.
    """

    rows: tuple[Row, ...]
    records: Mapping[str, Mapping[str, Any]]
    failed: Mapping[str, str]
    again: Mapping[str, Mapping[str, Any]]
    drawn: tuple[str, ...] = ()

    def group(self, name: str, data: str | None = None) -> list[Row]:
        """The rows of a group, of one data set where it is given."""
        return [row for row in self.rows if row.group == name and data in (None, row.data)]

    def seeds(self, base: str) -> list[str]:
        """Ids of the row and of its runs with other seeds, as far as they are done."""
        ids = [base, *(row.id for row in self.rows if row.group == "seed" and row.base == base)]
        return [name for name in ids if name in self.records]


def read_table(results: Any = RESULTS) -> Table:
    """Rows and records of a results folder."""
    rows = tuple(read_rows(results))
    found = {row.id: read_record(row.id, results=results) for row in rows}
    again = {row.id: read_record(row.id, again=True, results=results) for row in rows}
    return Table(
        rows,
        {name: record for name, record in found.items() if record is not None and is_done(record)},
        {name: str(record["failed"]) for name, record in found.items() if record is not None and not is_done(record)},
        {name: record for name, record in again.items() if record is not None and is_done(record)},
        tuple(read_draw(results)),
    )


def counts_of(record: Mapping[str, Any], condition: str = RIGHT) -> list[Counts | None]:
    """Each picture's agreement under a condition; None where it was not asked."""
    return [None if triple is None else Counts(*triple) for triple in record["test"]["counts"][condition]]


def mean_dice(record: Mapping[str, Any]) -> float:
    """Mean Dice of the right sentence over the pictures."""
    return summarise([c for c in counts_of(record) if c is not None]).mean_dice


def blocks_of(record: Mapping[str, Any]) -> int:
    """How many blocks of neighbouring pictures are resampled."""
    return int(_blocks(_scans(record)).max()) + 1


def difference(record: Mapping[str, Any], base: Mapping[str, Any], figure: Figure) -> Interval | None:
    """Row minus base, picture by picture; None where one of them does not have the figure.

    Raises:
        InputError: if the two were not measured on the same pictures.
    """
    if record["test"]["hash"] != base["test"]["hash"]:
        raise InputError(f"{record['row']} and {base['row']} were measured on different data; run one of them again.")
    weights = _weights(_scans(record))
    if figure == "on_named_side":
        if record["test"]["lungs"] is None or base["test"]["lungs"] is None:
            return None
        return paired_ratio_difference(_lungs(record), _lungs(base), weights)
    mine, theirs = counts_of(record), counts_of(base)
    if figure == "pooled_dice":
        return paired_ratio_difference(pooled_parts(mine, "dice"), pooled_parts(theirs, "dice"), weights)
    return paired_mean_difference(per_image(mine, "dice"), per_image(theirs, "dice"), weights)


def is_difference(found: Interval | None) -> bool:
    """Whether the interval leaves out zero."""
    return found is not None and np.isfinite(found.low) and (found.low > 0 or found.high < 0)


def seed_range(table: Table, base: str, figure: Figure = "mean_dice") -> float | None:
    """Largest minus smallest of a figure over the seeds of a row; None with fewer than two."""
    values = [value_of(table.records[name], figure) for name in table.seeds(base)]
    known = [value for value in values if value is not None]
    return max(known) - min(known) if len(known) > 1 else None


def value_of(record: Mapping[str, Any], figure: Figure) -> float | None:
    """A row's own estimate of a figure."""
    test = record["test"]
    if figure == "on_named_side":
        return None if test["obedience"] is None else test["obedience"]["on_named_side"][0]
    found: float | None = test["conditions"][RIGHT][figure][0]
    return found


def _lungs(record: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    inside, marked = np.array(record["test"]["lungs"], dtype=np.float64).T
    return inside, marked


def _scans(record: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
    return tuple((patient, case, number) for patient, case, number in record["test"]["scans"])


def _blocks(scans: Sequence[tuple[str, str, int]]) -> IntArray:
    return neighbour_blocks([(patient, case) for patient, case, number in scans for _ in range(number)])


@lru_cache(maxsize=8)
def _weights(scans: tuple[tuple[str, str, int], ...]) -> IntArray:
    """The draws that ``lmis evaluate`` and ``lmis compare`` take too."""
    return block_weights(_blocks(scans), DRAWS, np.random.default_rng([SEED, 0]))
