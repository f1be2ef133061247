"""Volumes with segments or reports become slices with sentences: the files and the manifest that training reads.

Each slice is written as a file of its own, lying as inference turns it, with its place and spacing; several sentences
about one slice share it. Slices without the finding are taken too, evenly over those that the sentence would be asked
on, so that a network also learns where a finding ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from LMISCore.data.manifest_files import write_manifest
from LMISCore.data.segment_texts import TextMask, read_texts
from LMISCore.data.volume_cases import VolumeCase, find_cases
from LMISCore.errors import Cancelled, InputError
from LMISCore.inference.slices import level_slices
from LMISCore.text.findings import Vocabulary
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.orientation import Canonical

MANIFEST = "manifest.csv"
EMPTY_SHARE = 0.25


@dataclass
class Imported:
    """What an import wrote.

    Attributes:
        manifest: its file.
        rows: number of rows.
        cases: number of scans that gave rows.
        origins: rows by where their mask comes from.
        notes: a sentence for each file or segment that was left out.
    """

    manifest: Path
    rows: int = 0
    cases: int = 0
    origins: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def import_volumes(
    source: str | Path,
    out: str | Path,
    plane: str = "axial",
    empty: float = EMPTY_SHARE,
    vocabulary: Vocabulary | None = None,
    edited_only: bool = False,
    progress: Callable[[int, int, str], object] | None = None,
) -> Imported:
    """Cut the scans of a folder into slices and write ``out/manifest.csv``; its splits are still empty.

    Args:
        source: folder of scans, see ``volume_cases``.
        out: folder to write into; it must not hold a manifest.
        plane: axial, coronal or sagittal.
        empty: slices without the finding for each slice with it.
        vocabulary: findings that count; None takes all that the sentences affirm.
        edited_only: take only masks that a person drew or corrected.
        progress: called with (done, total, stage); returning False stops.

    Raises:
        InputError: if there is no scan with a sentence and a mask, or a file cannot be read.
        Cancelled: if the progress callback returned False.
    """
    out = Path(out)
    manifest = out / MANIFEST
    if manifest.exists():
        raise InputError(f"{manifest} is there already; give another folder, so that two imports do not mix.")
    if empty < 0:
        raise InputError(f"The share of empty slices is {empty:g}; expected 0 or more.")
    cases, notes = find_cases(Path(source))
    result = Imported(manifest, notes=notes)
    records: list[dict[str, object]] = []
    for number, case in enumerate(cases, start=1):
        mine = _case_records(case, out, plane, empty, vocabulary, edited_only, result)
        result.cases += bool(mine)
        records += mine
        if progress is not None and progress(number, len(cases), "importing") is False:
            raise Cancelled("The import was stopped; no manifest was written.")
    if not records:
        raise InputError(
            f"No scan in {source} has both a sentence and a mask ({len(result.notes)} left out); the first: "
            f"{result.notes[0]}"
        )
    write_manifest(manifest, records)
    result.rows = len(records)
    return result


def _case_records(
    case: VolumeCase,
    out: Path,
    plane: str,
    empty: float,
    vocabulary: Vocabulary | None,
    edited_only: bool,
    result: Imported,
) -> list[dict[str, object]]:
    volume = read_volume(case.volume)
    result.notes += [f"{case.volume}: {warning}" for warning in volume.warnings]
    if volume.is_colour:
        raise InputError(f"{case.volume} is in colour; expected a grey volume; import its pictures as a folder set.")
    canonical = Canonical(volume, plane)
    texts = read_texts(case, volume.geometry, plane, vocabulary, edited_only)
    result.notes += texts.notes
    pictures = _storable(canonical.slices)
    lungs = None if texts.lungs is None else canonical.from_native(texts.lungs)
    records: list[dict[str, object]] = []
    written: set[int] = set()
    for item in texts.found:
        masks = canonical.from_native(item.mask)
        for number in _chosen(item, masks, plane, empty):
            name = f"{case.name}_s{number:04d}"
            grid = canonical.slice_geometry(number)
            image, lung = Path("images") / f"{name}.nrrd", Path("lungs") / f"{name}.nrrd"
            mask = Path("masks") / f"{name}_{item.key}.nrrd"
            if number not in written:
                written.add(number)
                write_volume(out / image, pictures[number][None], grid)
                if lungs is not None:
                    write_volume(out / lung, (lungs[number] > 0)[None], grid)
            write_volume(out / mask, masks[number][None], grid)
            records.append(
                {
                    "image": image.as_posix(),
                    "mask": mask.as_posix(),
                    "lungs": "" if lungs is None else lung.as_posix(),
                    "text": item.text,
                    "patient": case.patient,
                    "case": case.name,
                    "slice": number,
                    "origin": item.origin,
                }
            )
            result.origins[item.origin] = result.origins.get(item.origin, 0) + 1
    return records


def _chosen(item: TextMask, masks: np.ndarray, plane: str, empty: float) -> list[int]:
    """Numbers of the slices with the finding, and of some without among those the sentence is asked on."""
    full = np.flatnonzero(masks.any(axis=(1, 2)))
    asked = np.arange(len(masks))
    if item.levels and plane == "axial":
        asked = np.array(level_slices(item.levels, (0, len(masks))), dtype=int)
    others = np.setdiff1d(asked, full)
    count = min(round(empty * len(full)), len(others))
    places = np.unique(np.linspace(0, len(others) - 1, count).round().astype(int))
    return sorted([*full.tolist(), *others[places].tolist()])


def _storable(slices: np.ndarray) -> np.ndarray:
    """The slices in a number type that files take, no value changed."""
    if slices.dtype.name in ("uint8", "int16", "uint16", "int32", "float32", "float64"):
        return slices
    smallest = np.result_type(slices.dtype, np.int16)
    return slices.astype(np.int32 if smallest in (np.dtype(np.int16), np.dtype(np.int32)) else np.float64)
