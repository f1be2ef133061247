"""Train, Val and Test by patient: all rows of a person go into one split, and those that have one already stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np

from LMISCore.data.manifest import CASE_PATTERN, SPLITS
from LMISCore.data.manifest_files import moved, read_manifest, rows_of, write_manifest
from LMISCore.data.rows import Row
from LMISCore.errors import InputError

SEED = 3407
SHARES = (0.7, 0.15, 0.15)


def split_manifest(
    source: str | Path,
    out: str | Path | None = None,
    shares: Sequence[float] = SHARES,
    seed: int = SEED,
    again: bool = False,
    pattern: str = CASE_PATTERN,
) -> dict[str, int]:
    """Give every row of a manifest a split, by patient, and write the manifest.

    Args:
        source: .csv or .jsonl manifest.
        out: where to write; None replaces ``source``.
        shares: of the rows that Train, Val and Test should get; 0 leaves a split out.
        seed: of the draw; the same rows and seed give the same splits, whatever the rows' order.
        again: draw all rows anew; else rows that have a split keep it, and so do further rows of their patients.
        pattern: tells patients where the manifest does not, see ``read_pairs``.

    Returns:
        rows by split.

    Raises:
        InputError: if a row cannot be read, a patient is in two splits already, all rows have one, there are fewer
            patients than splits, or the shares are none.
    """
    source = Path(source)
    if not source.is_file():
        raise InputError(
            f"There is no manifest {source}; expected a .csv or .jsonl file; make one with lmis data import."
        )
    if len(shares) != len(SPLITS) or not all(0 <= share < inf for share in shares) or sum(shares) <= 0:
        raise InputError(f"The shares are {list(shares)}; expected three numbers of 0 or more, such as 0.7 0.15 0.15.")
    manifest = read_manifest(source)
    rows = rows_of(manifest, pattern)
    for row in rows:
        if row.problem:
            raise InputError(row.problem)
        if row.split and row.split not in SPLITS and not again:
            raise InputError(f"{row.place} has the split {row.split!r}; expected one of {', '.join(SPLITS)} or none.")
    fixed = {} if again else _fixed(rows)
    if rows and not again and all(row.split for row in rows):
        raise InputError(f"Every row of {source} has a split already; add --again to draw all of them anew.")
    chosen = _draw(rows, fixed, shares, seed)
    for row in rows:
        manifest.records[row.number]["split"] = chosen[row.patient]
    target = source if out is None else Path(out)
    records = [moved(manifest.records[row.number], source.parent, target.parent) for row in rows]
    write_manifest(target, records, manifest.columns)
    tally = Counter(chosen[row.patient] for row in rows)
    return {name: tally[name] for name in SPLITS}


def _fixed(rows: Sequence[Row]) -> dict[str, str]:
    """Splits of the patients that have one."""
    owners: dict[str, Row] = {}
    for row in rows:
        if not row.split:
            continue
        first = owners.setdefault(row.patient, row)
        if first.split != row.split:
            raise InputError(
                f"{row.place} puts patient {row.patient} into {row.split}, but row {first.number} into {first.split}; "
                "a patient may be in one split only, so mend one of them or add --again."
            )
    return {patient: row.split for patient, row in owners.items()}


def _draw(rows: Sequence[Row], fixed: dict[str, str], shares: Sequence[float], seed: int) -> dict[str, str]:
    sizes = Counter(row.patient for row in rows)
    wanted = {name: share / sum(shares) for name, share in zip(SPLITS, shares, strict=True) if share}
    free = sorted(set(sizes) - set(fixed))
    bare = [name for name in wanted if name not in fixed.values()]
    if len(free) < len(bare):
        raise InputError(
            f"{len(sizes)} patient(s) cannot be parted into {' and '.join(wanted)}; a patient may be in one split "
            "only, so give more patients, or the share 0 to a split."
        )
    order = [free[place] for place in np.random.default_rng(seed).permutation(len(free))]
    held = Counter({name: sum(sizes[p] for p, split in fixed.items() if split == name) for name in wanted})
    chosen = dict(fixed)
    for number, patient in enumerate(order):
        total = len(rows)
        empty = [name for name in wanted if name not in chosen.values()]
        # The last patients are for splits that have none yet.
        among = empty if len(empty) >= len(order) - number else list(wanted)
        target = max(among, key=lambda name: wanted[name] * total - held[name])
        chosen[patient] = target
        held[target] += sizes[patient]
    return chosen
