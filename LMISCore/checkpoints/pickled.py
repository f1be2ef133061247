"""Read the tensors of a file that ``torch.save`` wrote, without running anything that lies in it."""

from __future__ import annotations

import _codecs
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from LMISCore.errors import InputError

# What torch raises for a file cut short or of another kind depends on where the damage lies.
DAMAGE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)
_PARALLEL_PREFIX = "module."
# A loss or epoch kept as a NumPy number is harmless, but not among the types that torch allows by itself. What
# rebuilds such a number has changed its module's name between NumPy 1 and 2.
_SCALAR: Any = np.float64(0).__reduce__()[0]
_NUMPY_NUMBERS: list[Any] = [
    (_SCALAR, "numpy.core.multiarray.scalar"),
    (_SCALAR, "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in (np.float16, np.float32, np.float64, np.int32, np.int64, np.bool_)),
    _codecs.encode,
]


@dataclass(frozen=True)
class PickledState:
    """The state dict of a training file.

    Attributes:
        tensors: by name; the prefix ``module.`` of a data-parallel run is taken off.
        others: names of what else the file holds (epoch, optimizer, ...).
    """

    tensors: dict[str, Tensor]
    others: tuple[str, ...]


def read_pickled_state(path: str | Path) -> PickledState:
    """Read a state dict, or a dictionary that holds one under ``state_dict``, with ``weights_only=True``.

    Raises:
        InputError: if the file is missing, damaged, holds Python objects beside numbers, or holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"No file at {path}; expected the authors' .pth.tar file.")
    content = _load(path)
    if not isinstance(content, Mapping):
        raise InputError(f"{path} holds a {type(content).__name__}; expected a dictionary with the key 'state_dict'.")
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        keys = ", ".join(str(key) for key in list(content)[:8]) or "nothing"
        raise InputError(f"{path} holds {keys}; expected the key 'state_dict' with tensors by name.")
    others = tuple(str(key) for key in content if key != "state_dict") if state is not content else ()
    parallel = all(str(name).startswith(_PARALLEL_PREFIX) for name in state)
    return PickledState(
        {str(name).removeprefix(_PARALLEL_PREFIX) if parallel else str(name): value for name, value in state.items()},
        others,
    )


def _load(path: Path) -> Any:
    allowed = torch.serialization.safe_globals(_NUMPY_NUMBERS)
    try:
        # A mapped file costs no memory for what is dropped, such as the optimizer; the old format cannot be mapped.
        with allowed:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+) was not an allowed", str(error))
        if found is None:
            raise _damaged(path) from error
        raise InputError(
            f"{path} holds a Python object ({found[1]}) beside numbers, and opening it could run a program hidden in "
            "it, so it was not opened; ask its authors for the plain state_dict."
        ) from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror or error}; check the file and its rights.") from error
    except DAMAGE as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is not a whole PyTorch file (damaged, cut short or something else); "
        "copy or download it again and name the authors' .pth.tar file."
    )
