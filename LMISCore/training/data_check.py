"""Whether a recipe's data are there and are the set it was written for; nothing is decoded."""

from __future__ import annotations

from pathlib import Path

from LMISCore.data.manifest import CASE_PATTERN, SPLITS, Pair, read_pairs
from LMISCore.errors import InputError
from LMISCore.training.recipe import Recipe

LAYOUTS = "a folder in the LViT layout, or a .csv manifest"


def read_split(recipe: Recipe, split: str) -> list[Pair]:
    """Pairs of one split that the recipe's patterns admit.

    Raises:
        InputError: if the data are not there (and what to put where), or are not as many as the recipe says.
    """
    data = recipe.data
    if not data.source or not Path(data.source).exists():
        raise InputError(missing_data(recipe))
    pattern = data.case_pattern or CASE_PATTERN
    expected = data.pairs.get(split)
    if expected is not None:
        found = len(read_pairs(data.source, split, pattern=pattern))
        if found != expected:
            raise InputError(
                f"{split} of {data.source} has {found:,} pairs, {data.name or recipe.name} has {expected:,}; complete "
                "it, or add data.pairs={} to train on what there is."
            )
    include = {"Train": data.train, "Val": data.val}.get(split, ("*",))
    return read_pairs(data.source, split, include, pattern)


def missing_data(recipe: Recipe) -> str:
    """One sentence: what is missing, and what to put where."""
    data = recipe.data
    what = f"There is no data set at {data.source}" if data.source else f"The recipe {recipe.name} names no data"
    if not data.obtain:
        return f"{what}; give data.source=FOLDER after it ({LAYOUTS})."
    return f"{what}; {data.obtain.rstrip('.')}, and give data.source=FOLDER after the recipe."


def describe_data(recipe: Recipe) -> list[str]:
    """One line for each split: pairs, patients, distinct sentences.

    Raises:
        InputError: as :func:`read_split`, or if a patient is in two splits.
    """
    lines: list[str] = []
    owners: dict[str, str] = {}
    for split in SPLITS:
        pairs = read_split(recipe, split)
        patients = {pair.patient for pair in pairs}
        for patient in sorted(patients):
            if patient in owners:
                raise InputError(
                    f"Patient {patient} is in both {owners[patient]} and {split}; a patient may be in one split only."
                )
            owners[patient] = split
        sentences = len({pair.text for pair in pairs})
        lines.append(f"{split}: {len(pairs):,} pairs, {len(patients):,} patients, {sentences:,} distinct sentences")
    return lines
