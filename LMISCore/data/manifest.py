"""Image-mask-text pairs from the LViT folder layout, LanGuideMedSeg's, or one manifest.

LViT layout: ``<Split>_Folder/img``, ``<Split>_Folder/labelcol`` and ``<Split>_Folder/*_text.xlsx`` (or ``.csv``) with
the columns Image and Description; an extra folder ``lungs`` with lung masks is used where present.
LanGuideMedSeg's: see ``languidemedseg``. Manifest: see ``manifest_files``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from LMISCore.data.languidemedseg import is_languidemedseg, read_languidemedseg
from LMISCore.data.manifest_files import read_manifest, rows_of
from LMISCore.data.pair import CASE_PATTERN, SPLITS, Pair, compile_pattern, names_of
from LMISCore.data.rows import Row
from LMISCore.data.text_tables import text_rows
from LMISCore.errors import InputError

__all__ = ["CASE_PATTERN", "SPLITS", "Pair", "data_hash", "read_pairs", "read_rows", "text_hash"]

PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
MASK_PREFIX = "mask_"


def read_pairs(
    source: str | Path, split: str, include: Sequence[str] = ("*",), pattern: str = CASE_PATTERN
) -> list[Pair]:
    """Read one split of a data set, sorted by case and slice.

    Args:
        source: folder in the LViT or the LanGuideMedSeg layout, or a ``.csv`` or ``.jsonl`` manifest.
        split: Train, Val or Test.
        include: shell-style patterns; a pair is kept when its case matches one of them.
        pattern: regular expression with the groups case, patient and slice, matched against the picture's name
            without suffix; a picture it does not match is a case and a patient of its own.

    Raises:
        InputError: naming the file or row that is missing or wrong, or the pattern.
    """
    pairs: list[Pair] = []
    for row in read_rows(source, split, pattern):
        if row.problem:
            raise InputError(row.problem)
        for sentence in row.missing():
            raise InputError(sentence)
        if any(fnmatchcase(row.case, p) for p in include):
            pairs.append(row.pair())
    if not pairs:
        raise InputError(
            f"No pair of split {split} in {source} has a case matching {', '.join(include)}; "
            "check the split and the pattern."
        )
    return sorted(pairs, key=lambda pair: (pair.case, pair.order, pair.image.name))


def read_rows(source: str | Path, split: str, pattern: str = CASE_PATTERN) -> Iterator[Row]:
    """Rows of one split in their table's order, before any file is looked for; arguments as for :func:`read_pairs`.

    Rows that cannot be read at all come with every split of a manifest: which one they belong to is not known.

    Raises:
        InputError: if there is no such split or table.
    """
    source = Path(source)
    if split not in SPLITS:
        raise InputError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    if not source.exists():
        raise InputError(
            f"There is no data set at {source}; expected a folder in the LViT layout or a .csv or .jsonl manifest."
        )
    if source.is_file():
        rows = rows_of(read_manifest(source), pattern)
        yield from (row for row in rows if row.split == split or (row.problem and not row.split))
    elif is_languidemedseg(source):
        yield from read_languidemedseg(source, split, compile_pattern(pattern))
    else:
        yield from _read_lvit(source / f"{split}_Folder", split, compile_pattern(pattern))


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


def _read_lvit(folder: Path, split: str, pattern: re.Pattern[str]) -> Iterator[Row]:
    tables = sorted([*folder.glob("*_text.xlsx"), *folder.glob("*_text.csv"), *folder.glob("*_text*.xlsx")])
    if not tables:
        raise InputError(
            f"{folder} holds no *_text.xlsx; expected the LViT layout: img/, labelcol/ and one text table."
        )
    for number, (name, text) in enumerate(text_rows(tables[0]), start=2):
        # Tables of QaTa-COV19 and MosMedData+ give the mask's name, "mask_" before the picture's.
        image = _beside(folder / "img", name.removeprefix(MASK_PREFIX)) or _beside(folder / "img", name)
        image = image or folder / "img" / name
        mask = _beside(folder / "labelcol", name) or folder / "labelcol" / name
        lungs = _beside(folder / "lungs", image.name)
        case, patient, order = names_of(image.stem, pattern, number)
        yield Row(tables[0], number, name, split, image, mask, lungs, text, case, patient, order)


def _beside(folder: Path, name: str) -> Path | None:
    """The picture of this name in ``folder``; the kind of file may be another than the table says."""
    for candidate in (folder / name, *(folder / f"{Path(name).stem}{suffix}" for suffix in PICTURE_SUFFIXES)):
        if candidate.is_file():
            return candidate
    return None
