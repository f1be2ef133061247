"""Whether a folder's unfinished run is the one that is asked for: same recipe, same data, nothing missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from LMISCore.errors import InputError
from LMISCore.training.recipe import Recipe
from LMISCore.training.state import State

# Where the data lie and how often the state is saved change no weight.
FREE = ("data.source", "training.save_every", "training.save_seconds")


def require_same_recipe(state: State, recipe: Recipe) -> None:
    """Refuse to go on with another recipe, before anything is built from it.

    Raises:
        InputError: naming the keys that differ.
    """
    changed = changed_keys(state.notes["recipe"], recipe.as_dict(), Recipe(name="").as_dict())
    if changed:
        raise InputError(
            f"The recipe differs in {', '.join(changed)} from the one the run in {state.path.parent} began with; "
            "restore it, train into another folder, or begin anew with --restart."
        )


def require_same_data(state: State, hashes: dict[str, str], checkpoint: Path | None) -> None:
    """Refuse to go on with other data, or without the checkpoint that the state's best figure belongs to.

    Args:
        state: of the run.
        hashes: of the data.
        checkpoint: None in a process that has no part in the run's folder.

    Raises:
        InputError: saying which.
    """
    folder = state.path.parent
    if state.notes["hashes"] != hashes:
        raise InputError(f"The data differ from those the run in {folder} began with; train into another folder.")
    if checkpoint is not None and state.notes["best"]["step"] and not checkpoint.is_file():
        raise InputError(
            f"The run in {folder} has a state but its {checkpoint.name} is gone; put it back, or begin anew with "
            "--restart."
        )


def changed_keys(before: dict[str, Any], now: dict[str, Any], defaults: dict[str, Any], prefix: str = "") -> list[str]:
    """Keys whose values differ; a longer run of the same recipe is not a resume, so ``steps`` counts too.

    A key that the older recipe does not have stood for its default.
    """
    changed: list[str] = []
    for key in sorted({*before, *now}):
        usual = defaults.get(key)
        a, b = before.get(key, usual), now.get(key, usual)
        if isinstance(a, dict) and isinstance(b, dict):
            changed += changed_keys(a, b, usual if isinstance(usual, dict) else {}, f"{prefix}{key}.")
        elif a != b and f"{prefix}{key}" not in FREE:
            changed.append(f"{prefix}{key}")
    return changed
