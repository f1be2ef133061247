"""Image-mask-text pairs from the LViT folder layout, LanGuideMedSeg's, or one CSV manifest.

LViT layout: ``<Split>_Folder/img``, ``<Split>_Folder/labelcol`` and ``<Split>_Folder/*_text.xlsx`` (or ``.csv``) with
the columns Image and Description; an extra folder ``lungs`` with lung masks is used where present.
LanGuideMedSeg's: see ``languidemedseg``.
CSV manifest: columns image, mask, text, split, and optionally patient, case, lungs; paths relative to the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from LMISCore.data.languidemedseg import is_languidemedseg, read_languidemedseg
from LMISCore.data.pair import CASE_PATTERN, Pair, compile_pattern, names_of
from LMISCore.data.text_tables import csv_rows, text_rows
from LMISCore.errors import InputError

__all__ = ["CASE_PATTERN", "SPLITS", "Pair", "data_hash", "read_pairs", "text_hash"]

SPLITS = ("Train", "Val", "Test")
PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
MASK_PREFIX = "mask_"


def read_pairs(
    source: str | Path, split: str, include: Sequence[str] = ("*",), pattern: str = CASE_PATTERN
) -> list[Pair]:
    """Read one split of a data set, sorted by case and slice.

    Args:
        source: folder in the LViT or the LanGuideMedSeg layout, or a ``.csv`` manifest.
        split: Train, Val or Test.
        include: shell-style patterns; a pair is kept when its case matches one of them.
        pattern: regular expression with the groups case, patient and slice, matched against the picture's name
            without suffix; a picture it does not match is a case and a patient of its own.

    Raises:
        InputError: naming the file or row that is missing or wrong, or the pattern.
    """
    source = Path(source)
    if split not in SPLITS:
        raise InputError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    if not source.exists():
        raise InputError(f"There is no data set at {source}; expected a folder in the LViT layout or a .csv manifest.")
    expression = compile_pattern(pattern)
    if source.is_file():
        rows = _read_manifest(source, split, expression)
    elif is_languidemedseg(source):
        rows = read_languidemedseg(source, split, expression)
    else:
        rows = _read_lvit(source / f"{split}_Folder", expression)
    pairs = [pair for pair in rows if any(fnmatchcase(pair.case, p) for p in include)]
    if not pairs:
        raise InputError(
            f"No pair of split {split} in {source} has a case matching {', '.join(include)}; "
            "check the split and the pattern."
        )
    return sorted(pairs, key=lambda pair: (pair.case, pair.order, pair.image.name))


def text_hash(pairs: Sequence[Pair]) -> str:
    """SHA-256 over picture names and sentences, to tell two versions of a text file apart."""
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(f"{pair.image.name}\0{pair.text}\0".encode())
    return digest.hexdigest()


def data_hash(pairs: Sequence[Pair]) -> str:
    """SHA-256 over the bytes of all pictures, masks and sentences."""
    digest = hashlib.sha256(text_hash(pairs).encode())
    for pair in pairs:
        for path in (pair.image, pair.mask):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _read_lvit(folder: Path, pattern: re.Pattern[str]) -> Iterator[Pair]:
    tables = sorted([*folder.glob("*_text.xlsx"), *folder.glob("*_text.csv"), *folder.glob("*_text*.xlsx")])
    if not tables:
        raise InputError(
            f"{folder} holds no *_text.xlsx; expected the LViT layout: img/, labelcol/ and one text table."
        )
    for number, (name, text) in enumerate(text_rows(tables[0]), start=2):
        # Tables of QaTa-COV19 and MosMedData+ give the mask's name, "mask_" before the picture's.
        image = _beside(folder / "img", name.removeprefix(MASK_PREFIX)) or _beside(folder / "img", name)
        mask = _beside(folder / "labelcol", name)
        if image is None or mask is None:
            missing = folder / ("img" if image is None else "labelcol") / name
            raise InputError(f"{tables[0]} row {number} names {name}, but {missing} does not exist.")
        case, patient, order = names_of(image.stem, pattern, number)
        yield Pair(image, mask, _beside(folder / "lungs", image.name), text, case, patient, order)


def _beside(folder: Path, name: str) -> Path | None:
    """The picture of this name in ``folder``; the kind of file may be another than the table says."""
    for candidate in (folder / name, *(folder / f"{Path(name).stem}{suffix}" for suffix in PICTURE_SUFFIXES)):
        if candidate.is_file():
            return candidate
    return None


def _read_manifest(path: Path, split: str, pattern: re.Pattern[str]) -> Iterator[Pair]:
    table = csv_rows(path)
    header = [str(cell).strip() for cell in table[0]] if table else []
    missing = {"image", "mask", "text", "split"} - set(header)
    if missing:
        raise InputError(f"{path} lacks the column(s) {', '.join(sorted(missing))}; expected image, mask, text, split.")
    for number, cells in enumerate(table[1:], start=2):
        if not any(cells):
            continue
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise InputError(
                f"{path} row {number} has {len(cells)} cells but the header names {len(header)} columns; "
                "put a text that holds commas in quotes."
            )
        row = {name: str(cell) for name, cell in zip(header, cells, strict=False)}
        if row["split"].strip().lower() != split.lower():
            continue
        image, mask = path.parent / row["image"], path.parent / row["mask"]
        for file in (image, mask):
            if not file.is_file():
                raise InputError(f"{path} row {number} names {file.name}, but {file} does not exist.")
        case, patient, order = names_of(image.stem, pattern, number)
        lungs = path.parent / row["lungs"] if row.get("lungs") else None
        yield Pair(image, mask, lungs, row["text"], row.get("case") or case, row.get("patient") or patient, order)
