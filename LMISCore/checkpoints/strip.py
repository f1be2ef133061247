"""A checkpoint without the parts that only training needs: a smaller file that segments exactly alike."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open

from LMISCore.atomic import atomic_path
from LMISCore.checkpoints.files import locate
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint, new_folder, save_checkpoint
from LMISCore.errors import InputError
from LMISCore.networks import without_training_parts
from LMISCore.networks.blocks import count_parameters
from LMISCore.text.states import file_sha256


@dataclass(frozen=True)
class Stripped:
    """What ``strip_checkpoint`` wrote.

    Attributes:
        checkpoint: the smaller one, at its new place.
        before, after: numbers of trainable parameters.
    """

    checkpoint: Checkpoint
    before: int
    after: int


def strip_checkpoint(source: str | Path, out: str | Path) -> Stripped:
    """Write ``source`` without its training-only parts to ``out``.

    The card's options say that the parts are gone, so that the file loads strictly; its ``run`` keeps the hash of the
    weights it came from. A text tower beside the weights is copied along. Values keep their number of bits.

    Args:
        source: checkpoint folder or ``.safetensors`` file.
        out: a folder, or a name ending in ``.safetensors``.

    Raises:
        InputError: if the network has no such parts, or a file cannot be read or written.
    """
    source, out = Path(source), Path(out)
    checkpoint = load_checkpoint(source)
    network: Any = without_training_parts(checkpoint.network)
    if network is checkpoint.network:
        raise InputError(
            f"The checkpoint {checkpoint.path} has no parts that only training needs; use it as it is for inference."
        )
    card = dataclasses.replace(
        checkpoint.card,
        network_options=dict(network.options),
        run={**checkpoint.card.run, "stripped_from": checkpoint.hash},
        weights_hash="",
    )
    bits = _stored_bits(checkpoint.path)
    companion = checkpoint.companion
    if out.suffix == ".safetensors":
        if companion is not None:
            _copy_beside(companion, out.parent)
        saved = save_checkpoint(out, network, card, bits)
    elif out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder, or a file ending in .safetensors, for the checkpoint.")
    else:
        with new_folder(out) as folder:
            if companion is not None:
                _copy_beside(companion, folder)
            saved = dataclasses.replace(save_checkpoint(folder, network, card, bits), path=out)
    return Stripped(saved, count_parameters(checkpoint.network), count_parameters(network))


def _stored_bits(path: Path) -> Literal["float32", "float16"]:
    """How the file stores its matrices, see ``save_checkpoint``."""
    with safe_open(locate(path).weights, framework="pt") as file:
        half = any(file.get_tensor(name).dtype == torch.float16 for name in file.keys())
    return "float16" if half else "float32"


def _copy_beside(companion: Path, folder: Path) -> None:
    """Copy the text tower into ``folder`` unless the same file is there."""
    if not companion.is_file():
        raise InputError(
            f"The checkpoint lacks its text tower {companion}; copy that file beside the weights, then strip again."
        )
    target = folder / companion.name
    if target.exists():
        if target.samefile(companion) or file_sha256(target) == file_sha256(companion):
            return
        raise InputError(f"{target} is another text tower than that of the checkpoint; choose another folder.")
    with atomic_path(target) as temporary:
        shutil.copyfile(companion, temporary)
