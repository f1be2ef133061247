"""One case of a cohort, and what its result hangs on: contents of its files, settings and weights. No torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError

Stamp = list[list[Any]]
"""Path, size and time of each file of one input, as JSON holds them."""

FILES = ("volume", "report", "organ")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Case:
    """One row of the table; paths are absolute.

    Attributes:
        id: name of its results; letters, digits, ``_``, ``-`` and ``.``.
        row: its line in the table.
        volume: file or DICOM folder.
        report: report file; or
        text: the report itself.
        organ: organ mask, or None.
        checkpoint: weights of its own, or None for the run's.
        intensity, language: instead of the run's, or None.
        force: ids of sentences that get a mask whatever their state.
        nominal_spacing: the volume's mm are not real ones.
    """

    id: str
    row: int
    volume: str
    report: str | None = None
    text: str | None = None
    organ: str | None = None
    checkpoint: str | None = None
    intensity: str | None = None
    language: str | None = None
    force: tuple[str, ...] = ()
    nominal_spacing: bool = False

    def content(self) -> tuple[object, ...]:
        """What two rows share when one repeats the other."""
        values = dataclasses.asdict(self)
        return tuple(value for key, value in values.items() if key not in ("id", "row"))

    def files(self) -> dict[str, str]:
        """The inputs that are files, by their part."""
        return {part: path for part in FILES if (path := getattr(self, part)) is not None}

    def job(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Values of its ``SegmentJob``: the run's settings and its own over them, without the output."""
        own = {key: getattr(self, key) for key in ("checkpoint", "intensity", "language")}
        return {
            **settings,
            **{key: value for key, value in own.items() if value is not None},
            **{key: getattr(self, key) for key in ("volume", "report", "text", "organ", "nominal_spacing")},
            "force": list(self.force),
        }


def stamp(path: str) -> Stamp:
    """Names, sizes and times of the files under a path: by which an unchanged input is known without reading it.

    Raises:
        InputError: if nothing is there, or it cannot be looked at.
    """
    try:
        return [[str(file), (about := file.stat()).st_size, about.st_mtime_ns] for file in _files(Path(path))]
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the path and its rights.") from error


def content_hash(path: str) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        root = Path(path)
        if root.is_file():
            return _file_hash(root)
        digest = hashlib.sha256()
        for file in _files(root):
            digest.update(f"{file.relative_to(root).as_posix()}\0{_file_hash(file)}\0".encode())
        return digest.hexdigest()
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the path and its rights.") from error


def values_hash(values: object) -> str:
    """SHA-256 of plain JSON values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def _file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        # stat() of a missing one says so.
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (Path(folder) / name for name in sorted(names))
