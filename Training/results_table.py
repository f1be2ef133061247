"""The rows of RESULTS.md as data: ``Training/results/rows.yaml`` read and checked, and what of them has been run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from LMISCore.atomic import write_json
from LMISCore.errors import InputError

RESULTS = Path(__file__).resolve().parent / "results"
GROUPS = ("main", "mend", "ablation", "seed")
# Of the three rows that are run again; drawn once all rows are done.
RERUN_SEED, RERUNS = 8, 3


@dataclass(frozen=True)
class Row:
    """One training and its evaluation on Test.

    Attributes:
        id: names its files.
        group: one of ``GROUPS``.
        data: the data set's folder name, and the name of its recipe.
        network: the recipe's variant.
        change: what differs from the row ``base``, in words; empty for a main row.
        base: id of the row that it is compared with; empty for a main row.
        overrides: the recipe's keys that differ.
    """

    id: str
    group: str
    data: str
    network: str
    change: str = ""
    base: str = ""
    overrides: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """How tables call the network: the image-only one is a TIRNet that sees no text."""
        titles = {"tirnet": "TIRNet", "reclmis": "RecLMIS", "tmca": "TMCA (our reading)"}
        return "image-only TIRNet" if "text.ignore=true" in self.overrides else titles[self.network]


def read_rows(results: Path = RESULTS) -> list[Row]:
    """All rows in the order in which they are run.

    Raises:
        InputError: naming the row that is wrong.
    """
    path = results / "rows.yaml"
    rows: list[Row] = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["rows"]:
        try:
            row = Row(**{**entry, "overrides": tuple(entry.get("overrides", ()))})
        except TypeError as error:
            raise InputError(f"{path.name}, {entry}: {error}; expected the keys of a row.") from error
        known = {other.id: other for other in rows}
        if row.id in known:
            raise InputError(f"{path.name}: the row {row.id} appears twice; give one another id.")
        if row.group not in GROUPS:
            raise InputError(f"{path.name}, {row.id}: group is {row.group}, expected one of {', '.join(GROUPS)}.")
        if (row.group == "main") != (row.base == ""):
            raise InputError(f"{path.name}, {row.id}: a main row has no base, any other row needs one.")
        if row.base and (row.base not in known or known[row.base].data != row.data):
            raise InputError(f"{path.name}, {row.id}: base is {row.base}, expected a row above it on the same data.")
        rows.append(row)
    return rows


def find_row(name: str, results: Path = RESULTS) -> Row:
    """The row of that id.

    Raises:
        InputError: if there is none.
    """
    rows = read_rows(results)
    for row in rows:
        if row.id == name:
            return row
    raise InputError(f"There is no row {name}; expected one of: {', '.join(row.id for row in rows)}.")


def record_path(row: str, again: bool = False, results: Path = RESULTS) -> Path:
    """Where a row's figures lie; ``again`` for those of its second run from scratch."""
    return results / ("again" if again else "rows") / f"{row}.json"


def read_record(row: str, again: bool = False, results: Path = RESULTS) -> dict[str, Any] | None:
    """A row's figures, or ``{"failed": why}``; None where it was not run."""
    path = record_path(row, again, results)
    if not path.is_file():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record


def is_done(record: Mapping[str, Any] | None) -> bool:
    """Whether a row was run to its end."""
    return record is not None and "failed" not in record


def drawn_again(done: Sequence[str], seed: int = RERUN_SEED, number: int = RERUNS) -> list[str]:
    """The rows that are run a second time: drawn from those done, in the order of their names."""
    names = sorted(done)
    chosen = np.random.default_rng(seed).choice(len(names), size=min(number, len(names)), replace=False)
    return [names[index] for index in sorted(chosen)]


def draw(done: Sequence[str], results: Path = RESULTS) -> list[str]:
    """Draw the rows to run again and keep the draw, so that rows run later do not change it."""
    path = results / "again" / "drawn.json"
    if path.is_file():
        return read_draw(results)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"seed": RERUN_SEED, "among": sorted(done), "drawn": drawn_again(done)})
    return read_draw(results)


def read_draw(results: Path = RESULTS) -> list[str]:
    """The rows drawn to be run again; empty before the draw.

    Raises:
        InputError: if the kept draw is not the one that its seed makes of its rows.
    """
    path = results / "again" / "drawn.json"
    if not path.is_file():
        return []
    kept = json.loads(path.read_text(encoding="utf-8"))
    drawn: list[str] = kept["drawn"]
    if drawn != drawn_again(kept["among"], kept["seed"]):
        raise InputError(f"{path.name}: the rows drawn are not those that seed {kept['seed']} draws; draw them anew.")
    return drawn
