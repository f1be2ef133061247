"""Where results go, and writing them: all files appear together at the end, or none does. No torch."""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.atomic import atomic_paths
from LMISCore.errors import InputError
from LMISCore.inference.naming import segment_id
from LMISCore.inference.tables import csv_text

if TYPE_CHECKING:
    from PIL import Image

    from LMISCore.inference.result import CaseResult

SUFFIX = ".seg.nrrd"
DEFAULT_FOLDER = "lmis_output"
PROBABILITY_SUFFIX = ".probability.nrrd"
BOX_SUFFIX = ".probability.npz"
_LONGEST_NAME = 255


@dataclass(frozen=True)
class OutputPaths:
    """The files of one case."""

    segmentation: Path
    table: Path
    overlay: Path
    summary: Path

    def probability(self, sentence_id: str) -> Path:
        """Kept probability of one sentence, in thousandths."""
        return self.table.with_name(f"{self.table.stem}.{segment_id(sentence_id)}{PROBABILITY_SUFFIX}")

    def all(self) -> tuple[Path, ...]:
        """The four files, each of which a case may have."""
        return self.segmentation, self.table, self.overlay, self.summary


def output_paths(out: str | Path, case: str) -> OutputPaths:
    """Name the outputs: ``<case>.seg.nrrd``, ``.csv``, ``.png``, ``.json`` in the folder ``out``, or beside the file.

    Args:
        out: a folder, or the name of the ``.seg.nrrd`` file.
        case: the volume's name.

    Raises:
        InputError: if ``out`` is another kind of file, or the place cannot be written to: for lack of rights, for a
            folder where a file belongs, or because a name is too long.
    """
    try:
        return _checked_paths(Path(out), case)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"The output {out} cannot be written ({why}); give another folder or a shorter name."
        ) from error


def _checked_paths(out: Path, case: str) -> OutputPaths:
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
    if folder == out and re.search(r"\.(nrrd|nii|nii\.gz|mha|png|csv|json)$", out.name.lower()) and not out.is_dir():
        raise InputError(f"The output {out} looks like a file; give a folder or a file ending in {SUFFIX}.")
    check_writable(folder)
    paths = OutputPaths(segmentation, folder / f"{stem}.csv", folder / f"{stem}.png", folder / f"{stem}.json")
    for path in paths.all():
        _check_name(path)
    return paths


def _check_name(path: Path) -> None:
    """Refuse a file whose name is too long, or whose place a folder takes."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise InputError(
            f"The output's name {path.name} is longer than the {_LONGEST_NAME} bytes that file systems take; give a "
            f"shorter name ending in {SUFFIX}."
        )
    if stat.S_ISDIR(mode):
        raise InputError(f"The output {path} is a folder; move it away, or give another folder or name to write to.")


def check_inputs_kept(paths: OutputPaths, inputs: Iterable[str | Path | None]) -> None:
    """Refuse outputs that would take the place of what the run reads.

    Args:
        paths: the outputs, whether or not each will be written: a stale one is removed.
        inputs: files, or folders of which every file counts; None and what does not exist are passed over.

    Raises:
        InputError: naming the input that would be overwritten.
    """
    there = [path for path in paths.all() if path.exists()]
    if not there:
        return
    for file in _files(inputs):
        for path in there:
            if os.path.samefile(file, path):
                raise InputError(
                    f"The output {path} would overwrite the input {file}; choose another output folder or name."
                )


def _files(inputs: Iterable[str | Path | None]) -> Iterator[Path]:
    for given in inputs:
        if given is None:
            continue
        path = Path(given)
        # What cannot be looked at cannot be read either, which is told where it is tried.
        with contextlib.suppress(OSError):
            if path.is_dir():
                yield from [file for file in path.iterdir() if file.exists()]
            elif path.exists():
                yield path


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


def write_boxes(paths: OutputPaths, result: CaseResult, summary: dict[str, Any]) -> None:
    """Write masks and kept probabilities as boxes (``LMISCore.volumes.packed``), for a window that waits for them.

    Args:
        paths: from :func:`output_paths`; ``<case>.masks.npz`` takes the place of the segmentation and the table.
        result: with its masks.
        summary: gets the keys "outputs" ({"masks": path or None}), "probabilities" (paths by sentence) and
            "segment_data" (id, name, colour, tags and terminology of each segment).

    Raises:
        InputError: if a file cannot be written; none is left half-written.
    """
    from slicerio.segmentation import terminology_entry_to_string

    from LMISCore.volumes.packed import write_masks, write_permille

    segments = result.segment_data()
    masks = paths.table.with_suffix(".masks.npz")
    kept = {row.sentence.id: row.permille for row in result.rows if row.permille is not None}
    boxes = {name: paths.probability(name).with_suffix("").with_suffix(BOX_SUFFIX) for name in kept}
    wanted = [*([masks] if segments else []), *boxes.values()]
    with atomic_paths(wanted) as temporaries:
        names = dict(zip(wanted, temporaries, strict=True))
        if segments:
            write_masks(names[masks], {segment.id: segment.mask for segment in segments})
        for name, permille in kept.items():
            write_permille(names[boxes[name]], permille)
    summary["outputs"] = {"masks": str(masks) if segments else None}
    summary["probabilities"] = {name: str(path) for name, path in boxes.items()}
    summary["segment_data"] = [
        {
            "id": segment.id,
            "name": segment.name,
            "colour": list(segment.colour),
            "tags": segment.tags,
            "terminology": terminology_entry_to_string(segment.terminology) if segment.terminology else None,
        }
        for segment in segments
    ]


def write_outputs(
    paths: OutputPaths, result: CaseResult, summary: dict[str, Any], overlay: Image.Image | None
) -> dict[str, str | None]:
    """Write everything, or nothing; an earlier run's segmentation or picture that this run lacks goes.

    Args:
        paths: from :func:`output_paths`.
        result: with its masks, its words as the segmentation and the table are to have them; kept probabilities are
            written too, a file for each sentence that was asked.
        summary: plain values for the JSON file; gets the keys "outputs" and "probabilities" (paths by sentence).
        overlay: the picture, or None to write none.

    Returns:
        path of each output as text, None for one that was not written.

    Raises:
        InputError: if a file cannot be written; none is left half-written.
    """
    from LMISCore.volumes.files import write_volume
    from LMISCore.volumes.segmentation import write_segmentation

    segments = result.segment_data()
    kept = {row.sentence.id: row.permille for row in result.rows if row.permille is not None}
    kept_paths = {identifier: paths.probability(identifier) for identifier in kept}
    written: dict[str, str | None] = {
        "segmentation": str(paths.segmentation) if segments else None,
        "table": str(paths.table),
        "overlay": str(paths.overlay) if overlay is not None else None,
        "summary": str(paths.summary),
    }
    wanted = [path for path, text in zip(paths.all(), written.values(), strict=True) if text is not None]
    wanted += kept_paths.values()
    summary["outputs"] = written
    summary["probabilities"] = {identifier: str(path) for identifier, path in kept_paths.items()}
    # A mask of an earlier report under this name would pass for a result of this one, and so would its picture.
    stale = [] if segments else [paths.segmentation]
    if overlay is None and _drew_overlay(paths):
        stale.append(paths.overlay)
    stale += [path for path in _earlier_probabilities(paths) if path not in wanted]
    with atomic_paths(wanted, stale) as temporaries:
        names = dict(zip(wanted, temporaries, strict=True))
        if segments:
            tags = {key: str(result.provenance[key]) for key in ("version", "network", "checkpoint", "checkpoint_hash")}
            write_segmentation(names[paths.segmentation], segments, result.geometry, tags)
        for identifier, permille in kept.items():
            write_volume(names[kept_paths[identifier]], permille, result.geometry)
        names[paths.table].write_text(csv_text(result.to_dict()), encoding="utf-8", newline="\n", errors="replace")
        if overlay is not None:
            overlay.save(names[paths.overlay], format="PNG")
        text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
        names[paths.summary].write_text(text, encoding="utf-8", newline="\n", errors="replace")
    return written


def _earlier(paths: OutputPaths) -> dict[str, Any]:
    """The summary that an earlier run left beside them; empty without one."""
    try:
        found: Any = json.loads(paths.summary.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _drew_overlay(paths: OutputPaths) -> bool:
    """Whether the picture beside the summary is an earlier run's, and not one that just has the same name."""
    outputs = _earlier(paths).get("outputs")
    drawn = outputs.get("overlay") if isinstance(outputs, dict) else None
    return isinstance(drawn, str) and Path(drawn).name == paths.overlay.name


def _earlier_probabilities(paths: OutputPaths) -> list[Path]:
    """Kept probabilities of an earlier run, in this folder whatever the summary says."""
    kept = _earlier(paths).get("probabilities")
    names = [Path(str(path)).name for path in kept.values()] if isinstance(kept, dict) else []
    prefix = f"{paths.table.stem}."
    found = [paths.table.with_name(name) for name in names if name.endswith(PROBABILITY_SUFFIX)]
    return [path for path in found if path.name.startswith(prefix) and path.is_file()]
