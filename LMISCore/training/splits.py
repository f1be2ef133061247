"""Train and Val of one run: checked against each other, described for the card, loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from LMISCore.data.manifest import Pair, data_hash, text_hash
from LMISCore.errors import InputError
from LMISCore.training.datasets import Colour, Slice, colour_of, load_slices
from LMISCore.training.picture_store import PictureStore
from LMISCore.training.recipe import Recipe


class Loaded(NamedTuple):
    """Slices in memory; ``colour`` is the training set's and Val's pictures follow it."""

    train: list[Slice]
    val: list[Slice]
    colour: Colour


def describe_splits(train: Sequence[Pair], val: Sequence[Pair]) -> dict[str, Any]:
    """What the card says of the data: numbers of pairs, cases, and hashes of pictures and texts by split.

    Raises:
        InputError: if a patient is in both.
    """
    shared = {pair.patient for pair in train} & {pair.patient for pair in val}
    if shared:
        raise InputError(f"Patient {sorted(shared)[0]} is in both Train and Val; a patient may be in one split only.")
    splits = {"train": train, "val": val}
    hashes = {name: data_hash(pairs) for name, pairs in splits.items()}
    hashes |= {f"{name}_text": text_hash(pairs) for name, pairs in splits.items()}
    return {
        "pairs": {name: len(pairs) for name, pairs in splits.items()},
        "cases": {name: sorted({pair.case for pair in pairs}) for name, pairs in splits.items()},
        "hashes": hashes,
    }


def load_splits(
    recipe: Recipe,
    train: Sequence[Pair],
    val: Sequence[Pair],
    progress: Callable[[int, int, str], object],
    folder: Path,
) -> Loaded:
    """Decode and prepare both splits, Val without degraded variants.

    Args:
        recipe: what to train.
        train, val: of each split.
        progress: called with (done, total, stage).
        folder: of the run; pictures beyond ``image.memory`` are kept in a file without a name beside it.

    Raises:
        InputError: as :func:`load_slices`, or if Val has no foreground.
    """
    store = PictureStore(recipe.image.memory, folder)
    slices = load_slices(recipe, train, recipe.image.variants, progress, store=store)
    colour = colour_of(slices)
    measured = load_slices(recipe, val, 1, progress, colour, store)
    if not any(item.places.lesion.any() for item in measured):
        raise InputError(
            f"None of the {len(measured)} masks of Val has a foreground pixel, so nothing can be measured on them; "
            "choose other cases with data.val, or check the masks."
        )
    return Loaded(slices, measured, colour)
