"""Calibration and presence threshold of a finished checkpoint, chosen on Val again; its weights stay as they are."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from LMISCore.atomic import atomic_path
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.files import locate
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint, update_card
from LMISCore.data.manifest import CASE_PATTERN, data_hash, read_pairs
from LMISCore.errors import InputError
from LMISCore.inference.devices import choose_device
from LMISCore.metrics.platt import Platt
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.encoders import TextEncoder
from LMISCore.training.card import MASK, SINGLE_SLICES
from LMISCore.training.choices import Chosen, choose_on_val
from LMISCore.training.datasets import load_slices
from LMISCore.training.recipe import recipe_of

SPLIT = "Val"


def recalibrate(
    source: str | Path,
    data: str | Path,
    out: str | Path,
    cases: Sequence[str] = (),
    device: str = "auto",
    encoder: TextEncoder | str | Path | None = None,
    progress: Callable[[int, int, str], object] | None = None,
) -> Card:
    """Copy a checkpoint with the calibration and presence threshold that Val gives it.

    The mask threshold moves with the calibration, so that masks stay what they are (but for interpolation beside the
    threshold). The card's figures were measured with the old ones and are left out of the copy.

    Args:
        source: checkpoint folder or ``.safetensors`` file, trained by ``lmis train``.
        data: set in a layout of ``read_pairs``; its split Val is read and no other.
        out: folder or ``.safetensors`` file to write, of the same form as ``source``.
        cases: shell-style patterns of the cases to take; empty takes the recipe's own of Val.
        device: auto, cpu, cuda or mps.
        encoder: the text encoder, or its name or folder; None takes the one that the card names.
        progress: called with (done, total, stage).

    Returns:
        the new card.

    Raises:
        InputError: if the checkpoint was not trained by a recipe, or without text, or a file cannot be used.
    """
    source, out = Path(source), Path(out)
    choice = choose_device(device)
    checkpoint = load_checkpoint(source, device=choice.name)
    recipe = recipe_of(checkpoint.card.recipe, f"The card of {source}")
    if recipe.text.ignore:
        raise InputError(f"{source} was trained without text; there is no sentence whose presence could be asked for.")
    _check_form(checkpoint, out)
    pairs = read_pairs(data, SPLIT, cases or recipe.data.val, recipe.data.case_pattern or CASE_PATTERN)
    colour = "grey" if checkpoint.card.image["colour"] == "grey" else "rgb"
    slices = load_slices(recipe, pairs, 1, progress, colour)  # type: ignore[arg-type]
    reader = encoder if isinstance(encoder, TextEncoder) else text_encoder_for(checkpoint, choice.name, source=encoder)
    chosen = choose_on_val(checkpoint.network, recipe, slices, EmbeddingCache(reader), choice.device)
    card = _card(checkpoint.card, chosen, data_hash(pairs), len(pairs))
    _copy(checkpoint, out)
    update_card(out, card)
    return card


def _card(card: Card, chosen: Chosen, val_hash: str, count: int) -> Card:
    platt = Platt.from_card(chosen.calibration)
    presence = chosen.presence
    assert presence is not None, "weights that read text get a threshold"
    chosen_on = {"pairs": count, "hash": val_hash, "split": SPLIT}
    limits = [limit for limit in card.limits if not limit.startswith("The presence threshold was chosen on ")]
    return dataclasses.replace(
        card,
        thresholds={
            **card.thresholds,
            "mask": MASK if platt is None else platt.threshold(MASK),
            "presence": presence.threshold,
        },
        calibration=chosen.calibration,
        run={**card.run, "presence": presence.as_dict(), "calibrated_on": chosen_on},
        limits=limits + [SINGLE_SLICES] * (presence.sensitivity is not None),
        metrics=[],
    )


def _check_form(checkpoint: Checkpoint, out: Path) -> None:
    files = locate(checkpoint.path)
    if (files.card is None) != (out.suffix == ".safetensors"):
        form = "a name ending in .safetensors" if files.card is None else "a folder"
        raise InputError(f"{out} is of another form than {checkpoint.path}; give {form} to write.")
    if out.exists():
        raise InputError(f"{out} is there already; give another name, so that nothing is overwritten.")


def _copy(checkpoint: Checkpoint, out: Path) -> None:
    """The whole checkpoint, text tower included, whole or not at all."""
    files = locate(checkpoint.path)
    with atomic_path(out) as temporary:
        if files.card is None:
            shutil.copyfile(files.weights, temporary)
        else:
            shutil.copytree(files.path, temporary)
