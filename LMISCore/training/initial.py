"""Training that begins with the weights of a checkpoint of our own instead of random ones."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from LMISCore.checkpoints.files import CARD_NAME, bundled_checkpoint
from LMISCore.checkpoints.store import fill_network, load_checkpoint
from LMISCore.errors import InputError
from LMISCore.training.recipe import Recipe

BUNDLED = "bundled"


def names_checkpoint(initial: str) -> bool:
    """Whether ``network.initial`` names a checkpoint (or "bundled", the weights of the package), and not an encoder."""
    path = Path(initial)
    return initial == BUNDLED or path.suffix == ".safetensors" or (path / CARD_NAME).is_file()


def start_from_checkpoint(network: nn.Module, recipe: Recipe, text_hash: str) -> None:
    """Fill a recipe's network with the weights of the checkpoint that ``network.initial`` names.

    The scaling of the text comes with them and is not fitted anew.

    Args:
        network: as the recipe builds it.
        recipe: whose ``network.initial`` names a checkpoint.
        text_hash: of the text encoder that training uses.

    Raises:
        InputError: if there is no such checkpoint, or it is of another network, other options or another text encoder.
    """
    initial = recipe.network.initial
    loaded = load_checkpoint(bundled_checkpoint() if initial == BUNDLED else initial)
    card = loaded.card
    if card.network != recipe.network.name:
        raise InputError(
            f"network.initial is {initial}, a checkpoint of {card.network}, but network.name is {recipe.network.name}; "
            "expected the same network."
        )
    if card.text_encoder["hash"] != text_hash:
        raise InputError(
            f"network.initial is {initial}, whose text encoder is {card.text_encoder['name']} (sha256 "
            f"{card.text_encoder['hash'][:12]}), but text.encoder gives sha256 {text_hash[:12]}; name the same encoder."
        )
    ours, theirs = (dict(getattr(one, "options", {})) for one in (network, loaded.network))
    different = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    if different:
        detail = ", ".join(f"{key} {theirs.get(key)!r} instead of {ours.get(key)!r}" for key in different)
        raise InputError(f"network.initial is {initial}, which has {detail}; set network.options to what it has.")
    fill_network(network, loaded.network.state_dict(), initial)
