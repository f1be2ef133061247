"""Image-mask-text pairs from the LViT folder layout or from one CSV manifest.

LViT layout: ``<Split>_Folder/img``, ``<Split>_Folder/labelcol`` and ``<Split>_Folder/*_text.xlsx`` (or ``.csv``) with
the columns Image and Description; an extra folder ``lungs`` with lung masks is used where present.
CSV manifest: columns image, mask, text, split, and optionally patient, case, lungs; paths relative to the file.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from LMISCore.errors import InputError, MissingDependencyError

SPLITS = ("Train", "Val", "Test")
CASE_PATTERN = r"^(?P<case>(?P<patient>[A-Za-z]+_\d+)\w*?)_s(?P<slice>\d+)$"


@dataclass(frozen=True)
class Pair:
    """One row: a picture, its mask and its sentence.

    Attributes:
        image, mask: picture files; the mask is 0 outside and anything else inside.
        lungs: lung mask, where the set has one (one label for both lungs, or 127 for the right and 255 for the left).
        text: the sentence as the set gives it.
        case, patient: scan and person; slices of one case belong together, and no patient may be in two splits.
        order: position of the slice in its case (the row's number where the name tells none).
    """

    image: Path
    mask: Path
    lungs: Path | None
    text: str
    case: str
    patient: str
    order: int


def read_pairs(
    source: str | Path, split: str, include: Sequence[str] = ("*",), pattern: str = CASE_PATTERN
) -> list[Pair]:
    """Read one split of a data set, sorted by case and slice.

    Args:
        source: folder in the LViT layout, or a ``.csv`` manifest.
        split: Train, Val or Test.
        include: shell-style patterns; a pair is kept when its case matches one of them.
        pattern: regular expression with the groups case, patient and slice, matched against the picture's name
            without suffix; a picture it does not match is a case and a patient of its own.

    Raises:
        InputError: naming the file or row that is missing or wrong.
    """
    source = Path(source)
    if split not in SPLITS:
        raise InputError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    if not source.exists():
        raise InputError(f"There is no data set at {source}; expected a folder in the LViT layout or a .csv manifest.")
    rows = (
        _read_manifest(source, split, pattern) if source.is_file() else _read_lvit(source / f"{split}_Folder", pattern)
    )
    pairs = [pair for pair in rows if any(fnmatchcase(pair.case, p) for p in include)]
    if not pairs:
        raise InputError(
            f"No pair of split {split} in {source} has a case matching {', '.join(include)}; check the split and pattern."
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


def _names(stem: str, pattern: str, row: int) -> tuple[str, str, int]:
    match = re.match(pattern, stem)
    if match is None:
        return stem, stem, row
    groups = match.groupdict()
    case = groups.get("case") or stem
    return case, groups.get("patient") or case, int(groups.get("slice") or row)


def _read_lvit(folder: Path, pattern: str) -> Iterator[Pair]:
    tables = sorted([*folder.glob("*_text.xlsx"), *folder.glob("*_text.csv"), *folder.glob("*_text*.xlsx")])
    if not tables:
        raise InputError(
            f"{folder} holds no *_text.xlsx; expected the LViT layout: img/, labelcol/ and one text table."
        )
    for number, (name, text) in enumerate(_text_rows(tables[0]), start=2):
        image = folder / "img" / name
        mask = _beside(folder / "labelcol", name)
        if not image.is_file() or mask is None:
            missing = image if not image.is_file() else folder / "labelcol" / name
            raise InputError(f"{tables[0]} row {number} names {name}, but {missing} does not exist.")
        case, patient, order = _names(image.stem, pattern, number)
        yield Pair(image, mask, _beside(folder / "lungs", name), text, case, patient, order)


def _beside(folder: Path, name: str) -> Path | None:
    """The file of this name in ``folder``; masks may be PNG where pictures are TIFF or JPEG."""
    for candidate in (folder / name, folder / f"{Path(name).stem}.png"):
        if candidate.is_file():
            return candidate
    return None


def _text_rows(table: Path) -> Iterator[tuple[str, str]]:
    if table.suffix == ".csv":
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows: list[Sequence[object]] = list(csv.reader(stream))
    else:
        try:
            import openpyxl
        except ImportError as error:
            raise MissingDependencyError(
                f"Reading {table.name} needs openpyxl; install it with: pip install 'LMISCore[train]'."
            ) from error
        book = openpyxl.load_workbook(table, read_only=True)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
        book.close()
    header = [str(cell).strip() if cell is not None else "" for cell in rows[0]] if rows else []
    if "Image" not in header or "Description" not in header:
        raise InputError(f"{table} has the columns {', '.join(header) or 'none'}; expected Image and Description.")
    image, text = header.index("Image"), header.index("Description")
    for row in rows[1:]:
        if row[image]:
            yield str(row[image]).strip(), str(row[text] or "").strip()


def _read_manifest(path: Path, split: str, pattern: str) -> Iterator[Pair]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = {"image", "mask", "text", "split"} - set(reader.fieldnames or [])
        if missing:
            raise InputError(
                f"{path} lacks the column(s) {', '.join(sorted(missing))}; expected image, mask, text, split."
            )
        for number, row in enumerate(reader, start=2):
            if row["split"].strip().lower() != split.lower():
                continue
            image, mask = path.parent / row["image"], path.parent / row["mask"]
            for file in (image, mask):
                if not file.is_file():
                    raise InputError(f"{path} row {number} names {file.name}, but {file} does not exist.")
            case, patient, order = _names(image.stem, pattern, number)
            lungs = path.parent / row["lungs"] if row.get("lungs") else None
            yield Pair(image, mask, lungs, row["text"], row.get("case") or case, row.get("patient") or patient, order)
