"""The state of a run between two kills: everything the next step depends on, in one file, read without unpickling."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError

NAME = "resume.pt"


def save_state(
    folder: Path, step: int, network: nn.Module, averaged: nn.Module, optimiser: Optimizer, notes: dict[str, Any]
) -> None:
    """Write the state after ``step`` steps, whole or not at all.

    Args:
        notes: plain JSON values: recipe, data hash, best figure so far.
    """
    state = {
        "step": step,
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimiser": optimiser.state_dict(),
        "notes": json.dumps(notes),
        "torch_rng": torch.get_rng_state(),
    }
    with atomic_path(folder / NAME) as temporary:
        torch.save(state, temporary)


def load_state(
    folder: Path, network: nn.Module, averaged: nn.Module, optimiser: Optimizer
) -> tuple[int, dict[str, Any]]:
    """Restore a run and return its step and notes.

    Raises:
        InputError: if the file is damaged or belongs to another network.
    """
    path = folder / NAME
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimiser.load_state_dict(state["optimiser"])
        rng: Tensor = state["torch_rng"]
        torch.set_rng_state(rng)
        return int(state["step"]), json.loads(state["notes"])
    except (RuntimeError, KeyError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path} cannot be resumed ({str(error).splitlines()[0]}); train into another folder or delete this one."
        ) from error
