"""Save and load checkpoints: strictly, whole or not at all, and without ever unpickling anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from LMISCore.atomic import atomic_path, write_text
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.files import (
    CARD_KEY,
    CARD_NAME,
    WEIGHTS_NAME,
    CheckpointFiles,
    bundled_checkpoint,
    locate,
    not_safetensors,
    read_card,
)
from LMISCore.checkpoints.tensors import WeightsHash, stored_tensors, tensor_names
from LMISCore.errors import InputError
from LMISCore.networks import create_network

__all__ = [
    "Checkpoint",
    "bundled_checkpoint",
    "load_checkpoint",
    "read_card",
    "save_checkpoint",
    "update_card",
    "weights_hash",
]

_DTYPES = {"float32": torch.float32, "float16": torch.float16}


@dataclass(frozen=True)
class Checkpoint:
    """A network with its weights, and the card that belongs to them.

    Attributes:
        network: in evaluation mode, float32.
        card: what the weights are.
        path: the folder or file it lies in.
        hash: sha256 of the weights as they are after loading, see ``weights_hash``.
    """

    network: nn.Module
    card: Card
    path: Path
    hash: str

    @property
    def companion(self) -> Path | None:
        """The text encoder's file beside the weights, where the card names one."""
        name = self.card.text_encoder.get("file")
        return locate(self.path).folder / name if name else None


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """Sha256 of named tensors, see :class:`WeightsHash`."""
    digest = WeightsHash()
    for name in sorted(state):
        digest.add(name, state[name])
    return digest.hexdigest()


def save_checkpoint(
    path: str | Path, network: nn.Module, card: Card, dtype: Literal["float32", "float16"] = "float32"
) -> Checkpoint:
    """Write a checkpoint, whole or not at all.

    Args:
        path: a name ending in ``.safetensors`` for one file with the card inside, else a folder that gets
            ``weights.safetensors`` and ``card.json`` (other files in it stay).
        network: as the card describes it; it is left as it is, on its device and in its mode.
        card: its ``weights_hash`` is filled in.
        dtype: of the convolutions' and matrices' values in the file; they are float32 again after loading. Vectors and
            scalars stay float32 (under 1 % of the bytes, and a small running variance would round to 0 in 16 bits),
            whole numbers stay what they are.

    Returns:
        the path, the card and the hash of what was written; its network is ``network`` itself, not yet rounded.

    Raises:
        InputError: if the card does not describe the network, a value is not finite or does not fit ``dtype``, or the
            file cannot be written.
    """
    path = Path(path)
    if dtype not in _DTYPES:
        raise InputError(f"Weights cannot be stored as {dtype!r}; expected one of {', '.join(_DTYPES)}.")
    state = {name: _stored(tensor, _DTYPES[dtype]) for name, tensor in network.state_dict().items()}
    rebuilt = _rebuild(card)
    _check_options(rebuilt, network)
    _check_tensors(state, rebuilt.state_dict(), "The network to be saved")
    digest = weights_hash(state)
    card = dataclasses.replace(card, weights_hash=digest)
    if path.suffix == ".safetensors":
        with atomic_path(path) as temporary:
            temporary.write_bytes(save_bytes(state, {CARD_KEY: card.to_json()}))
    elif path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; name a folder, or a file ending in .safetensors, for the checkpoint.")
    else:
        # A new folder appears whole. In an existing one two files are renamed in turn; a kill between the two leaves
        # a pair that loading refuses, because the card names its weights.
        with (
            new_folder(path) as folder,
            atomic_path(folder / CARD_NAME) as text,
            atomic_path(folder / WEIGHTS_NAME) as weights,
        ):
            weights.write_bytes(save_bytes(state))
            text.write_text(card.to_json(), encoding="utf-8", newline="\n")
    return Checkpoint(network, card, path, digest)


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if tensor.is_floating_point():
        tensor = tensor.to(dtype if tensor.dim() > 1 else torch.float32)
    return tensor.detach().cpu().contiguous()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a folder to write in: a temporary one that becomes ``path`` at the end, or ``path`` itself if it exists."""
    if path.is_dir():
        yield path
        return
    with atomic_path(path) as temporary:
        temporary.mkdir()
        yield temporary


def update_card(path: str | Path, card: Card) -> None:
    """Replace the card of a saved checkpoint, such as after its metrics were measured; the weights stay as they are.

    Raises:
        InputError: if there is no checkpoint, or the card is about other weights or another network.
    """
    files = locate(path)
    old = read_card(path)
    card = dataclasses.replace(card, weights_hash=card.weights_hash or old.weights_hash)
    for key in ("weights_hash", "network", "network_options"):
        if getattr(card, key) != getattr(old, key):
            raise InputError(f"The card's {key} is not that of the weights in {files.path}; change another key only.")
    if files.card is not None:
        write_text(files.card, card.to_json())
    else:
        state = _read_tensors(files)
        with atomic_path(files.weights) as temporary:
            temporary.write_bytes(save_bytes(state, {CARD_KEY: card.to_json()}))


def load_checkpoint(path: str | Path | None = None, device: str | torch.device = "cpu") -> Checkpoint:
    """Load a checkpoint strictly: every tensor of the network, no other, of the right shape, finite, and unchanged.

    Args:
        path: a checkpoint folder or ``.safetensors`` file; None for the weights that come with the package.
        device: where the network goes.

    Returns:
        the checkpoint, its network in evaluation mode and float32.

    Raises:
        InputError: in one sentence, if anything is wrong with the file or its card.
    """
    files = locate(bundled_checkpoint() if path is None else path)
    card = read_card(files.path)
    names = tensor_names(files.weights)
    # Without memory of its own: the file's tensors become the network's.
    with torch.device("meta"):
        network = _rebuild(card, files)
    digest = _fill_from_file(network, files, names)
    if card.weights_hash and card.weights_hash != digest:
        raise InputError(
            f"The weights in {files.weights} are not those its card describes (sha256 {digest[:12]}, the card says "
            f"{card.weights_hash[:12]}); the file is damaged or was exchanged, so copy the checkpoint again."
        )
    return Checkpoint(network.eval().to(device), card, files.path, digest)


def _fill_from_file(network: nn.Module, files: CheckpointFiles, names: list[str]) -> str:
    """Give a network on the meta device the file's tensors, one by one; returns their hash."""
    expected, where = network.state_dict(), str(files.weights)
    _check_names(set(names), set(expected), where)
    state: dict[str, Tensor] = {}
    digest = WeightsHash()
    for name, tensor in stored_tensors(files.weights, names):
        _check_tensor(name, tensor, expected[name], where)
        state[name] = tensor.to(expected[name].dtype, copy=True)
        digest.add(name, tensor)
    network.load_state_dict(state, strict=True, assign=True)
    return digest.hexdigest()


def _read_tensors(files: CheckpointFiles) -> dict[str, Tensor]:
    try:
        return load_bytes(files.weights.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {files.weights}: {error.strerror or error}; check the file.") from error
    except SafetensorError as error:
        raise not_safetensors(files.weights) from error


def _rebuild(card: Card, files: CheckpointFiles | None = None) -> nn.Module:
    """Build the card's network; the caller's random numbers are left where they were."""
    where = f"{files.card or files.weights}: the card" if files else "The card"
    try:
        with torch.random.fork_rng(devices=[]):
            network = create_network(card.network, **card.network_options)
    except (InputError, RuntimeError, ArithmeticError, MemoryError) as error:
        reason = (str(error).splitlines() or ["it does not fit the memory"])[0].rstrip(".")
        raise InputError(f"{where} describes a network that this LMISCore cannot build: {reason}.") from error
    text_width = getattr(network, "text_width", None)
    if text_width is not None and text_width != card.text_encoder["width"]:
        raise InputError(
            f"{where} names a text encoder of width {card.text_encoder['width']} and a network for width {text_width}; "
            "expected the same."
        )
    return network


def _check_options(rebuilt: nn.Module, network: nn.Module) -> None:
    """Options that change the arithmetic and no shape would otherwise go unnoticed."""
    ours: dict[str, Any] = getattr(network, "options", {})
    cards: dict[str, Any] = getattr(rebuilt, "options", {})
    different = sorted(key for key in ours.keys() | cards.keys() if ours.get(key) != cards.get(key))
    if type(network) is not type(rebuilt) or different:
        detail = ", ".join(f"{key} {cards.get(key)!r} instead of {ours.get(key)!r}" for key in different)
        raise InputError(
            f"The card describes another network than the one to be saved ({detail or type(rebuilt).__name__}); "
            "set network and network_options from the network."
        )


def fill_network(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load named tensors into a network, strictly; 16-bit values become the network's own type.

    Args:
        where: what to call the tensors' source in an error.

    Raises:
        InputError: if a tensor is missing, unknown, of another shape or not finite.
    """
    _check_tensors(state, network.state_dict(), where)
    network.load_state_dict(state, strict=True)


def _check_tensors(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Compare names, shapes and kinds with the network's, and look for values that are not finite."""
    _check_names(state.keys(), expected.keys(), where)
    for name, tensor in state.items():
        _check_tensor(name, tensor, expected[name], where)


def _check_names(given: Set[str], expected: Set[str], where: str) -> None:
    missing, unknown = sorted(expected - given), sorted(given - expected)
    if missing or unknown:
        parts = [f"lacks {_names(missing)}"] * bool(missing) + [f"has the unknown {_names(unknown)}"] * bool(unknown)
        raise InputError(f"{where} {' and '.join(parts)}; expected exactly the tensors of its network.")


def _check_tensor(name: str, tensor: Tensor, wanted: Tensor, where: str) -> None:
    if tensor.shape != wanted.shape or tensor.is_floating_point() != wanted.is_floating_point():
        raise InputError(
            f"{where} has {name} as {_describe(tensor)}, expected {_describe(wanted)}; "
            "the weights belong to a network of another size."
        )
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise InputError(
            f"{where} has values in {name} that are not finite numbers (or too large for {_kind(tensor)}); "
            "these weights cannot be used."
        )


def _describe(tensor: Tensor) -> str:
    return f"{_kind(tensor)} {tuple(tensor.shape)}"


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"tensor{'s' * (len(names) > 1)} {shown}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
