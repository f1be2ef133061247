"""Reading and hashing the tensors of a checkpoint one by one, so that they are in memory once and not three times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from LMISCore.checkpoints.files import not_safetensors
from LMISCore.errors import InputError

# The file is mapped anew after so many bytes: pages of it that were read count as this process's memory until then.
MAPPED_BYTES = 16_000_000


def tensor_names(path: Path) -> list[str]:
    """Names of the tensors in a safetensors file, sorted.

    Raises:
        InputError: if the file cannot be read or is something else.
    """
    try:
        with safe_open(path, "pt") as file:
            return sorted(file.keys())
    except OSError as error:
        raise _unreadable(path, error) from error
    except SafetensorError as error:
        raise not_safetensors(path) from error


def stored_tensors(path: Path, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Yield names and tensors as they are stored; each lies in the mapped file, so what is kept of it is a copy.

    Raises:
        InputError: if the file cannot be read or is something else.
    """
    waiting = list(names)[::-1]
    try:
        while waiting:
            with safe_open(path, "pt") as file:
                mapped = 0
                while waiting and mapped < MAPPED_BYTES:
                    name = waiting.pop()
                    tensor: Tensor = file.get_tensor(name)
                    mapped += tensor.nbytes
                    yield name, tensor
                    del tensor
    except OSError as error:
        raise _unreadable(path, error) from error
    except SafetensorError as error:
        raise not_safetensors(path) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(f"Cannot read {path}: {error.strerror or error}; check the file.")


class WeightsHash:
    """Sha256 of named tensors: names, shapes and values, in the order of the names.

    Floating values enter as float32, so that the same numbers have the same hash whether they are stored in 16 or 32
    bits, in one file or in a folder, and whatever the card says of them.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._last = ""

    def add(self, name: str, tensor: Tensor) -> None:
        """Take in one tensor; names must come sorted."""
        if name < self._last:
            raise ValueError(f"the tensor {name} comes after {self._last}; expected the order of the names")
        self._last = name
        tensor = tensor.detach()
        tensor = (tensor.float() if tensor.is_floating_point() else tensor.long()).cpu().contiguous()
        self._digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        self._digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
