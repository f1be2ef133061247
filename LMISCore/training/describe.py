"""Location sentences made from masks by rule, for sets that have masks and no reports.

They are the sentences of ``training/pairs.py``, and every row that got one is marked ``derived``: such a sentence says
what the mask says, so a network trained on it has not been shown that it can read a radiologist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from LMISCore.data.lungs import AXIAL_ZONES
from LMISCore.data.manifest import CASE_PATTERN, Pair
from LMISCore.data.manifest_files import COLUMNS, moved, read_manifest, rows_of, write_manifest
from LMISCore.data.slices import by_case, case_geometries, read_slice
from LMISCore.errors import Cancelled, InputError
from LMISCore.training.pairs import location_sentence

ORIGIN = "derived"


@dataclass(frozen=True)
class Described:
    """How many rows got a sentence, and how many of these name no place, for want of a lung mask."""

    rows: int
    placeless: int


def describe(
    source: str | Path,
    out: str | Path,
    name: str,
    zones: Sequence[str] = AXIAL_ZONES,
    replace: bool = False,
    pattern: str = CASE_PATTERN,
    progress: Callable[[int, int, str], object] | None = None,
) -> Described:
    """Write a manifest whose rows without a sentence have one made from their mask.

    Args:
        source: manifest.
        out: manifest to write.
        name: what the finding is called, such as "pulmonary infection".
        zones: names of the lungs' thirds from the picture's top down; empty names lungs alone.
        replace: make sentences also for rows that have one.
        pattern: tells cases where the manifest does not, see ``read_pairs``.
        progress: called with (done, total, stage); returning False stops.

    Raises:
        InputError: if a row or a file cannot be read, or every row has a sentence already.
        Cancelled: if the progress callback returned False.
    """
    source, out = Path(source), Path(out)
    if not source.is_file():
        raise InputError(
            f"There is no manifest {source}; expected a .csv or .jsonl file; make one with lmis data import."
        )
    if not name.strip():
        raise InputError("The finding's name is empty; give a noun phrase such as 'pulmonary infection'.")
    manifest = read_manifest(source)
    rows = rows_of(manifest, pattern)
    for row in rows:
        for problem in (row.problem, *row.missing()):
            if problem:
                raise InputError(problem)
    rows.sort(key=lambda row: (row.case, row.order, row.image.name))
    pairs: list[Pair] = [row.pair() for row in rows]
    wanted = [place for place, pair in enumerate(pairs) if replace or not pair.text.strip()]
    if not wanted:
        raise InputError(f"Every row of {source} has a sentence already; add --replace to make all of them anew.")
    geometries = case_geometries(pairs)
    placeless = 0
    done = 0
    chosen = set(wanted)
    for case, places in by_case(pairs):
        for place in places:
            if place not in chosen:
                continue
            lesion = read_slice(pairs[place]).truth
            record = manifest.records[rows[place].number]
            record["text"] = location_sentence(name, lesion, geometries[case], zones)
            record.pop("report", None)
            record["origin"] = ORIGIN
            placeless += bool(geometries[case] is None and lesion.any())
            done += 1
            if progress is not None and progress(done, len(wanted), "describing") is False:
                raise Cancelled("The description was stopped; nothing was written.")
    columns = [*manifest.columns, *(column for column in COLUMNS if column not in manifest.columns)]
    records = [manifest.records[number] for number in sorted(manifest.records)]
    write_manifest(out, [moved(record, source.parent, out.parent) for record in records], columns)
    return Described(len(wanted), placeless)
