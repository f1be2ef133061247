"""What a recipe is built into: network, loss, optimiser, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from LMISCore.errors import InputError
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network
from LMISCore.training.recipe import Recipe, TrainingRecipe


def build_network(recipe: Recipe, text_width: int) -> nn.Module:
    """The recipe's network, its image encoder started from released weights where the recipe names them.

    Raises:
        InputError: if the options or the weights do not fit.
    """
    try:
        network = create_network(recipe.network.name, **{**recipe.network.options, "text_width": text_width})
    except (RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"Network {recipe.network.name!r} cannot be built from {recipe.network.options}: "
            f"{str(error).splitlines()[0].rstrip('.')}; mend network.options."
        ) from error
    if recipe.network.initial:
        start: Any = getattr(network, "start_from", None)
        if start is None:
            raise InputError(
                f"network.initial is {recipe.network.initial}, but the image encoder of {recipe.network.name} is its "
                "own and nobody has released weights for it alone; remove network.initial."
            )
        start(recipe.network.initial)
    return network


def build_loss(recipe: Recipe) -> Any:
    """The loss that belongs to the recipe's network.

    Raises:
        InputError: if a weight is unknown to it.
    """
    try:
        return LOSSES[recipe.network.name](**recipe.loss)
    except TypeError as error:
        raise InputError(f"The loss of {recipe.network.name} cannot be built from {recipe.loss}: {error}.") from error


def build_optimiser(recipe: TrainingRecipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW, or Adam, whose weight decay is part of the gradient."""
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    return kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def rate_at(step: int, recipe: TrainingRecipe) -> float:
    """Learning rate of a step, counted from 0; a linear warm-up comes first.

    * ``cosine``: one half-cycle from ``learning_rate`` to ``final_rate``.
    * ``restarts``: such a half-cycle every ``period`` steps.
    * ``decay``: times ``decay`` every ``period`` steps, never below ``final_rate``.
    """
    highest, lowest = recipe.learning_rate, recipe.final_rate
    if recipe.schedule == "cosine" or step < recipe.warmup:
        return learning_rate(step, recipe.steps, recipe.warmup, highest, lowest)
    done = step - recipe.warmup
    if recipe.schedule == "decay":
        return max(highest * recipe.decay ** (done // recipe.period), lowest)
    return learning_rate(done % recipe.period, recipe.period, 0, highest, lowest)


def learning_rate(step: int, steps: int, warmup: int, highest: float, lowest: float) -> float:
    """Linear warm-up, then one cosine half-cycle from ``highest`` to ``lowest``, per step."""
    if step < warmup:
        return highest * (step + 1) / warmup
    share = (step - warmup) / max(1, steps - warmup)
    return lowest + 0.5 * (highest - lowest) * (1 + math.cos(math.pi * share))
