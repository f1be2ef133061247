"""Image-mask-text pairs from the LViT folder layout or from one CSV manifest.

LViT layout: ``<Split>_Folder/img``, ``<Split>_Folder/labelcol`` and ``<Split>_Folder/*_text.xlsx`` (or ``.csv``) with
the columns Image and Description; an extra folder ``lungs`` with lung masks is used where present.
CSV manifest: columns image, mask, text, split, and optionally patient, case, lungs; paths relative to the file.
"""

from __future__ import annotations

import csv
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
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
        InputError: naming the file or row that is missing or wrong, or the pattern.
    """
    source = Path(source)
    if split not in SPLITS:
        raise InputError(f"Unknown split {split!r}; expected one of {', '.join(SPLITS)}.")
    if not source.exists():
        raise InputError(f"There is no data set at {source}; expected a folder in the LViT layout or a .csv manifest.")
    expression = _compiled(pattern)
    rows = (
        _read_manifest(source, split, expression)
        if source.is_file()
        else _read_lvit(source / f"{split}_Folder", expression)
    )
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


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(
            f"The case pattern {pattern!r} is no regular expression ({error}); expected one with the groups case, "
            "patient and slice."
        ) from error


def _names(stem: str, pattern: re.Pattern[str], row: int) -> tuple[str, str, int]:
    match = pattern.match(stem)
    if match is None:
        return stem, stem, row
    groups = match.groupdict()
    case = groups.get("case") or stem
    number = groups.get("slice") or str(row)
    if not number.isdecimal():
        raise InputError(
            f"The case pattern {pattern.pattern!r} takes {number!r} of {stem} for the slice's number; expected digits."
        )
    return case, groups.get("patient") or case, int(number)


def _read_lvit(folder: Path, pattern: re.Pattern[str]) -> Iterator[Pair]:
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
    rows = _csv_rows(table) if table.suffix == ".csv" else _sheet_rows(table)
    header = [str(cell).strip() if cell is not None else "" for cell in rows[0]] if rows else []
    if "Image" not in header or "Description" not in header:
        raise InputError(f"{table} has the columns {', '.join(header) or 'none'}; expected Image and Description.")
    image, text = header.index("Image"), header.index("Description")
    for number, row in enumerate(rows[1:], start=2):
        if not any(row):
            continue
        if len(row) <= max(image, text):
            raise InputError(f"{table} row {number} has {len(row)} cells; expected Image and Description in each row.")
        if row[image]:
            yield str(row[image]).strip(), str(row[text] or "").strip()


def _csv_rows(table: Path) -> list[Sequence[object]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{table} is not UTF-8 text; expected a table saved as CSV in UTF-8; save it again."
        ) from error
    except csv.Error as error:
        raise InputError(f"{table} is no CSV table ({error}); expected one saved as CSV in UTF-8.") from error
    except OSError as error:
        raise InputError(f"Cannot read {table}: {error.strerror or error}; check the file and its rights.") from error


def _sheet_rows(table: Path) -> list[Sequence[object]]:
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {table.name} needs openpyxl; install it with: pip install 'LMISCore[train]'."
        ) from error
    # What openpyxl and the zip and XML readers under it raise on damaged files.
    damaged = (OSError, ValueError, TypeError, AttributeError, LookupError, EOFError, SyntaxError, RuntimeError)
    try:
        with closing(openpyxl.load_workbook(table, read_only=True)) as book:
            return list(book.worksheets[0].iter_rows(values_only=True))
    except (*damaged, zipfile.BadZipFile, zlib.error, InvalidFileException) as error:
        raise InputError(
            f"{table} cannot be read as an Excel table; it is damaged or of another kind; save it again."
        ) from error


def _read_manifest(path: Path, split: str, pattern: re.Pattern[str]) -> Iterator[Pair]:
    table = _csv_rows(path)
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
        case, patient, order = _names(image.stem, pattern, number)
        lungs = path.parent / row["lungs"] if row.get("lungs") else None
        yield Pair(image, mask, lungs, row["text"], row.get("case") or case, row.get("patient") or patient, order)
