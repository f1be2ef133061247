"""QaTa-COV19 as LanGuideMedSeg (Zhong et al., arXiv 2307.03942) keeps it: the set's own folders and two CSV tables.

    prompt/train.csv, prompt/test.csv      columns Image (the mask's name, mask_*.png) and Description
    Train/Images, Train/GTs                or "Train Set", "Ground-truths", as the set is published
    Test/Images, Test/GTs

The first four fifths of train.csv are Train, the rest is Val, in the table's order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from LMISCore.data.pair import names_of
from LMISCore.data.rows import Row
from LMISCore.data.text_tables import text_rows
from LMISCore.errors import InputError

TABLES = {"Train": "train.csv", "Val": "train.csv", "Test": "test.csv"}
FOLDERS = {"Train": ("Train", "Train Set"), "Val": ("Train", "Train Set"), "Test": ("Test", "Test Set")}
MASKS = ("GTs", "Ground-truths")
TRAIN_SHARE = 0.8
MASK_PREFIX = "mask_"


def is_languidemedseg(source: Path) -> bool:
    """Whether a folder has one of the two tables."""
    return any(_table(source, split) is not None for split in TABLES)


def read_languidemedseg(source: Path, split: str, pattern: re.Pattern[str]) -> Iterator[Row]:
    """Rows of one split.

    Raises:
        InputError: naming the table or folder that is missing.
    """
    table = _table(source, split)
    if table is None:
        raise InputError(f"{source} holds no prompt/{TABLES[split]}; expected it with the columns Image, Description.")
    root = _first(source, FOLDERS[split])
    masks = _first(root, MASKS)
    rows = list(enumerate(text_rows(table), start=2))
    border = int(TRAIN_SHARE * len(rows))
    chosen = {"Train": rows[:border], "Val": rows[border:], "Test": rows}[split]
    for number, (name, text) in chosen:
        image, mask = root / "Images" / name.replace(MASK_PREFIX, ""), masks / name
        case, patient, order = names_of(image.stem, pattern, number)
        yield Row(table, number, name, split, image, mask, None, text, case, patient, order)


def _table(source: Path, split: str) -> Path | None:
    found = (source / "prompt" / TABLES[split], source / TABLES[split])
    return next((path for path in found if path.is_file()), None)


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    """The first of these folders that exists."""
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    raise InputError(f"{folder} holds no folder {' or '.join(names)}; expected Images and masks of QaTa-COV19 in it.")
