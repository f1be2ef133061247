"""Which files of a folder belong together: a volume, its segments or mask, its lung mask and its report.

    FOLDER/scan1.nii.gz  scan1.seg.nrrd  scan1_lungs.nii.gz  scan1.txt       several scans side by side, by name
    FOLDER/patient1/CT.nrrd  Segmentation.seg.nrrd  Report.txt               one scan in a folder, whatever the names

A mask that is no .seg.nrrd is called ``<scan>_mask`` (``_label``, ``_seg``), a lung mask ``<scan>_lungs``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from LMISCore.errors import InputError
from LMISCore.volumes.files import GRID_SUFFIXES, volume_name
from LMISCore.volumes.segmentation import SUFFIX as SEGMENTS_SUFFIX

REPORT_SUFFIX = ".txt"
_MASK = re.compile(r"(^|[_.\-])(mask|masks|label|labels|seg|segmentation)$", re.IGNORECASE)
_LUNGS = re.compile(r"(^|[_.\-])lungs?([_.\-]mask)?$", re.IGNORECASE)


@dataclass(frozen=True)
class VolumeCase:
    """One scan.

    Attributes:
        name: of the case; letters, digits, ``_`` and ``-``.
        patient: first folder under the source, else the case's name.
        volume: its file.
        segments: .seg.nrrd with sentences in its tags, or None.
        mask: mask of the whole report, or None.
        lungs: lung mask, or None.
        report: text file, or None.
    """

    name: str
    patient: str
    volume: Path
    segments: Path | None
    mask: Path | None
    lungs: Path | None
    report: Path | None


def find_cases(source: Path) -> tuple[list[VolumeCase], list[str]]:
    """Scans under a folder, in order of their paths, and a sentence for each that has nothing to train on.

    Raises:
        InputError: if there is no such folder, none of its files is a volume, or two scans get one name.
    """
    if not source.is_dir():
        raise InputError(f"There is no folder {source}; expected one with volumes, segments and reports.")
    cases: list[VolumeCase] = []
    notes: list[str] = []
    for folder in (source, *sorted(path for path in source.rglob("*") if path.is_dir())):
        for case in _cases_of(folder, source):
            if case.segments is None and case.mask is None:
                notes.append(f"{case.volume} has neither a {SEGMENTS_SUFFIX} nor a mask beside it; left out.")
            elif case.segments is None and case.report is None:
                notes.append(f"{case.volume} has a mask but no report ({REPORT_SUFFIX}) beside it; left out.")
            else:
                cases.append(case)
    if not cases and not notes:
        raise InputError(
            f"{source} holds no volume ({', '.join(GRID_SUFFIXES)}); expected volumes with {SEGMENTS_SUFFIX} or masks "
            "and reports beside them."
        )
    names: dict[str, Path] = {}
    for case in cases:
        # Names that differ in case alone are one file where disks do not tell them apart.
        first = names.setdefault(case.name.casefold(), case.volume)
        if first != case.volume:
            raise InputError(
                f"{first} and {case.volume} would both become the case {case.name}; rename one of the files or folders."
            )
    return cases, notes


def _cases_of(folder: Path, source: Path) -> Iterator[VolumeCase]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    segments = [path for path in files if path.name.lower().endswith(SEGMENTS_SUFFIX)]
    reports = [path for path in files if path.suffix.lower() == REPORT_SUFFIX]
    grids = [path for path in files if path.name.lower().endswith(GRID_SUFFIXES) and path not in segments]
    masks = [path for path in grids if _MASK.search(volume_name(path))]
    lungs = [path for path in grids if _LUNGS.search(volume_name(path)) and path not in masks]
    volumes = [path for path in grids if path not in masks and path not in lungs]
    parts = folder.relative_to(source).parts
    for volume in volumes:
        found = [_own(volume, volumes, files_of) for files_of in (segments, masks, lungs, reports)]
        name = _plain("_".join((*parts, volume_name(volume))))
        yield VolumeCase(name, _plain(parts[0]) if parts else name, volume, *found)


def _own(volume: Path, volumes: list[Path], files: list[Path]) -> Path | None:
    """The one of these files that belongs to a volume: any where it is alone in its folder, else by its name."""
    mine = files
    if len(volumes) > 1:
        stem = volume_name(volume)
        # "scan_1.seg.nrrd" is that of scan_1 and not of scan.
        longer = [name for name in map(volume_name, volumes) if name != stem and name.startswith(stem)]
        mine = [path for path in files if _begins(path, stem) and not any(_begins(path, name) for name in longer)]
    if len(mine) > 1:
        raise InputError(
            f"{mine[0]} and {mine[1].name} both belong to {volume}; keep one of them, or give each scan a folder of "
            "its own."
        )
    return mine[0] if mine else None


def _begins(path: Path, stem: str) -> bool:
    return re.match(rf"{re.escape(stem)}([_.\-]|$)", path.name) is not None


def _plain(name: str) -> str:
    return re.sub(r"[^\w\-]+", "_", name).strip("_") or "case"
