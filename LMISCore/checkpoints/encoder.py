"""The text encoder that belongs to a checkpoint, checked by its hash: other states would give other masks unseen."""

from __future__ import annotations

from pathlib import Path

import torch

from LMISCore.checkpoints.store import Checkpoint
from LMISCore.errors import InputError
from LMISCore.text.encoders import ENCODERS, TextEncoder, create_encoder


def text_encoder_for(
    checkpoint: Checkpoint,
    device: str | torch.device = "cpu",
    allow_download: bool = False,
    source: str | Path | None = None,
) -> TextEncoder:
    """Return the text encoder that the checkpoint's card names.

    Args:
        checkpoint: its companion file is used where it has one, else the encoder of that name.
        device: where the encoder runs.
        allow_download: let a named encoder be fetched when no local copy exists.
        source: folder or file of the encoder, for weights that were trained with one of the user's own.

    Raises:
        InputError: if the encoder cannot be found, or is not the one the weights were trained with.
    """
    wanted = checkpoint.card.text_encoder
    companion = checkpoint.companion
    place: str | Path = source or companion or wanted["name"]
    if source is None and companion is not None and not companion.is_file():
        raise InputError(
            f"The checkpoint {checkpoint.path} lacks its text tower {companion.name}; "
            "copy that file beside the weights, or convert the authors' file again."
        )
    if source is None and companion is None and wanted["name"] not in ENCODERS:
        raise InputError(
            f"The checkpoint {checkpoint.path} was trained with the text encoder {wanted['name']!r} of a local folder; "
            "name that folder."
        )
    # A tower saved beside the weights knows it itself.
    append_eof = bool(checkpoint.card.recipe.get("text", {}).get("append_eof")) or None
    encoder = create_encoder(place, device, allow_download, length=wanted["length"], append_eof=append_eof)
    if encoder.hash != wanted["hash"]:
        raise InputError(
            f"The text encoder {place} (sha256 {encoder.hash[:12]}) is not the one that {checkpoint.path} was trained "
            f"with (sha256 {wanted['hash'][:12]}); use the encoder the card names, in the same version."
        )
    return encoder
