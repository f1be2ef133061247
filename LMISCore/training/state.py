"""The state of a run between two kills: everything the next step depends on, in one file, read without unpickling."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from LMISCore.atomic import atomic_path
from LMISCore.checkpoints.pickled import DAMAGE
from LMISCore.errors import InputError
from LMISCore.inference.outputs import check_writable

NAME = "resume.pt"


@dataclass(frozen=True)
class State:
    """A state as its file holds it, not yet in any network.

    Attributes:
        path: the file.
        step: steps done.
        notes: plain JSON values: recipe, data hashes, best figure so far.
    """

    path: Path
    step: int
    notes: dict[str, Any]
    _content: dict[str, Any]

    def restore(self, network: nn.Module, averaged: nn.Module, optimiser: Optimizer) -> None:
        """Put weights, the optimiser's moments and the generators back.

        Raises:
            InputError: if the state belongs to another network.
        """
        content = self._content
        try:
            network.load_state_dict(content["network"])
            averaged.load_state_dict(content["averaged"])
            optimiser.load_state_dict(content["optimiser"])
            torch.set_rng_state(content["torch_rng"])
            if content.get("cuda_rng") and torch.cuda.is_available():
                torch.cuda.set_rng_state(content["cuda_rng"][0])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise _unusable(self.path, "it belongs to another network") from error


def save_state(
    folder: Path, step: int, network: nn.Module, averaged: nn.Module, optimiser: Optimizer, notes: dict[str, Any]
) -> None:
    """Write the state after ``step`` steps, whole or not at all.

    Args:
        notes: plain JSON values: recipe, data hash, best figure so far.

    Raises:
        InputError: if it cannot be written; the state before is kept.
    """
    state = {
        "step": step,
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "notes": json.dumps(notes),
        "torch_rng": torch.get_rng_state(),
        # Of the process's own GPU: how many others there are may differ when the run goes on.
        "cuda_rng": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }
    # Through memory: on a full disk torch's own writer raises an error that does not say so.
    content = io.BytesIO()
    torch.save(state, content)
    with atomic_path(folder / NAME) as temporary:
        temporary.write_bytes(content.getbuffer())


def state_bytes(folder: Path, wanted: bool = True) -> bytes | None:
    """What a run's state file holds; None where there is none, or where it is not wanted.

    Raises:
        InputError: if it cannot be read, or the run could not write into its folder.
    """
    check_writable(folder)
    path = folder / NAME
    try:
        return path.read_bytes() if wanted and path.is_file() else None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def read_state(folder: Path, content: bytes) -> State:
    """Read a run's state, to be compared before it is put back.

    Args:
        folder: of the run.
        content: of its state file.

    Raises:
        InputError: if it is damaged.
    """
    path = folder / NAME
    try:
        found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return State(path, int(found["step"]), json.loads(found["notes"]), found)
    except (*DAMAGE, OSError, pickle.UnpicklingError) as error:
        raise _unusable(path, str(error).splitlines()[0].rstrip(".") if str(error) else "damaged") from error


def forget(folder: Path) -> None:
    """Remove a run's state, if it has one."""
    (folder / NAME).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove half-written files that a kill left in a run's folder; they may be as large as the state."""
    for path in folder.glob(".*.writing-*"):
        if path.is_file():
            path.unlink(missing_ok=True)


def _unusable(path: Path, why: str) -> InputError:
    return InputError(f"{path} cannot be resumed ({why}); train into another folder or delete this one.")
