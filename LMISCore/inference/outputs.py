"""Where results go, and writing them: all files appear together at the end, or none does. No torch."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError
from LMISCore.inference.tables import csv_text

if TYPE_CHECKING:
    from PIL import Image

    from LMISCore.inference.result import CaseResult

SUFFIX = ".seg.nrrd"
DEFAULT_FOLDER = "lmis_output"


@dataclass(frozen=True)
class OutputPaths:
    """The files of one case."""

    segmentation: Path
    table: Path
    overlay: Path
    summary: Path

    def all(self) -> tuple[Path, ...]:
        return self.segmentation, self.table, self.overlay, self.summary


def output_paths(out: str | Path, case: str) -> OutputPaths:
    """Name the outputs: ``<case>.seg.nrrd``, ``.csv``, ``.png``, ``.json`` in the folder ``out``, or beside the file.

    Args:
        out: a folder, or the name of the ``.seg.nrrd`` file.
        case: the volume's name.

    Raises:
        InputError: if ``out`` is another kind of file, or the place cannot be written to.
    """
    out = Path(out)
    if out.name.lower().endswith(SUFFIX):
        folder, stem = out.parent, out.name[: -len(SUFFIX)]
        segmentation = out
    else:
        folder, stem = out, re.sub(r"[^\w.\-]+", "_", case).strip("._") or "case"
        segmentation = folder / f"{stem}{SUFFIX}"
    if not stem:
        raise InputError(f"The output {out} has no name before {SUFFIX}; give a folder or a file such as case{SUFFIX}.")
    if out.is_file() and folder == out:
        raise InputError(f"The output {out} is an existing file; give a folder or a file ending in {SUFFIX}.")
    if segmentation.is_dir():
        raise InputError(f"The output {segmentation} is a folder; give another name for the segmentation.")
    if folder == out and re.search(r"\.(nrrd|nii|nii\.gz|mha|png|csv|json)$", out.name.lower()) and not out.is_dir():
        raise InputError(f"The output {out} looks like a file; give a folder or a file ending in {SUFFIX}.")
    check_writable(folder)
    return OutputPaths(segmentation, folder / f"{stem}.csv", folder / f"{stem}.png", folder / f"{stem}.json")


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be made or written, before any work is done; nothing is created.

    Raises:
        InputError: naming what stands in the way.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        raise InputError(f"Cannot write to {folder}: {there} is a file, not a folder; choose another output folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"Cannot write to {folder}: no right to write in {there}; choose another output folder.")


@contextlib.contextmanager
def _together(paths: list[Path]) -> Iterator[list[Path]]:
    """Temporary names for several files that are renamed together once all are written."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(atomic_path(path)) for path in paths]


def write_outputs(
    paths: OutputPaths, result: CaseResult, summary: dict[str, Any], overlay: Image.Image | None
) -> dict[str, str | None]:
    """Write everything; an older segmentation of the same name goes when there is no segment now.

    Args:
        paths: from :func:`output_paths`.
        result: with its masks.
        summary: plain values for the JSON file; gets the key "outputs".
        overlay: the picture, or None to write none.

    Returns:
        path of each output as text, None for one that was not written.

    Raises:
        InputError: if a file cannot be written; none is left half-written.
    """
    from LMISCore.volumes.segmentation import write_segmentation

    segments = result.segment_data()
    written: dict[str, str | None] = {
        "segmentation": str(paths.segmentation) if segments else None,
        "table": str(paths.table),
        "overlay": str(paths.overlay) if overlay is not None else None,
        "summary": str(paths.summary),
    }
    summary["outputs"] = written
    wanted = [path for path, text in zip(paths.all(), written.values(), strict=True) if text is not None]
    with _together(wanted) as temporaries:
        names = dict(zip(wanted, temporaries, strict=True))
        if segments:
            tags = {key: str(result.provenance[key]) for key in ("version", "network", "checkpoint", "checkpoint_hash")}
            write_segmentation(names[paths.segmentation], segments, result.geometry, tags)
        names[paths.table].write_text(csv_text(summary), encoding="utf-8", newline="\n", errors="replace")
        if overlay is not None:
            overlay.save(names[paths.overlay], format="PNG")
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        names[paths.summary].write_text(text, encoding="utf-8", newline="\n", errors="replace")
    if not segments:
        # A mask of an earlier report under this name would pass for a result of this one.
        paths.segmentation.unlink(missing_ok=True)
    return written
