"""What a recipe is built into: network, loss, optimiser, and the learning rate of each step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from LMISCore.errors import InputError
from LMISCore.losses import LOSSES
from LMISCore.networks import create_network
from LMISCore.text.encoders import TextEncoder, create_encoder
from LMISCore.training.initial import names_checkpoint, start_from_checkpoint
from LMISCore.training.recipe import Recipe, TrainingRecipe

# Any would do where the text encoder is not asked how wide its states are.
SOME_TEXT_WIDTH = 512


def build_network(recipe: Recipe, text_width: int, text_hash: str = "") -> nn.Module:
    """The recipe's network, started from a checkpoint or its image encoder from released weights, where it names them.

    Args:
        recipe: what to build.
        text_width: D, of the text encoder.
        text_hash: of the text encoder; needed where the recipe starts from a checkpoint.

    Raises:
        InputError: if the options or the weights do not fit.
    """
    network = _create(recipe, text_width)
    if names_checkpoint(recipe.network.initial):
        start_from_checkpoint(network, recipe, text_hash)
    elif recipe.network.initial:
        _starter(recipe, network)(recipe.network.initial)
    return network


def check_parts(recipe: Recipe) -> None:
    """Build network and loss to see that they can be; no memory is taken and nothing is read or fetched.

    Raises:
        InputError: as :func:`build_network` (but for released weights' own faults) and :func:`build_loss` do.
    """
    with torch.device("meta"):
        network = _create(recipe, SOME_TEXT_WIDTH)
    if recipe.network.initial and not names_checkpoint(recipe.network.initial):
        _starter(recipe, network)
    check: Any = getattr(build_loss(recipe), "check_network", None)
    if check is not None:
        check(network)


def _create(recipe: Recipe, text_width: int) -> nn.Module:
    try:
        return create_network(recipe.network.name, **{**recipe.network.options, "text_width": text_width})
    except (RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"Network {recipe.network.name!r} cannot be built from {recipe.network.options}: "
            f"{str(error).splitlines()[0].rstrip('.')}; mend network.options."
        ) from error


def _starter(recipe: Recipe, network: nn.Module) -> Any:
    """The network's ``start_from``."""
    start: Any = getattr(network, "start_from", None)
    if start is None:
        raise InputError(
            f"network.initial is {recipe.network.initial}, but the image encoder of {recipe.network.name} is its "
            "own and nobody has released weights for it alone; remove network.initial."
        )
    return start


def build_encoder(recipe: Recipe, device: str) -> TextEncoder:
    """The recipe's text encoder.

    Raises:
        InputError: if it cannot be found, or cannot lengthen sentences as the recipe wants.
    """
    text = recipe.text
    encoder = create_encoder(text.encoder, device=device, append_eof=text.append_eof or None)
    if text.append_eof and not getattr(encoder, "append_eof", False):
        raise InputError(
            f"text.append_eof is true, but the text encoder {text.encoder} is not CLIP's, which alone knows it; remove "
            "text.append_eof."
        )
    return encoder


def build_loss(recipe: Recipe) -> Any:
    """The loss that belongs to the recipe's network.

    Raises:
        InputError: if a weight is unknown to it.
    """
    loss: Any = LOSSES[recipe.network.name]
    known = sorted(field.name for field in dataclasses.fields(loss))
    unknown = sorted(set(recipe.loss) - set(known))
    if unknown:
        raise InputError(
            f"The loss of {recipe.network.name} cannot be built: {', '.join(f'loss.{name}' for name in unknown)} "
            f"{'is' if len(unknown) == 1 else 'are'} unknown to it, expected some of {', '.join(known)}."
        )
    return loss(**recipe.loss)


def build_optimiser(recipe: TrainingRecipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW, or Adam, whose weight decay is part of the gradient."""
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    known = list(parameters)
    # One pass over each tensor; PyTorch has it for the CPU and CUDA.
    fused = recipe.fused and all(parameter.device.type in ("cpu", "cuda") for parameter in known)
    return kind(known, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=fused)


def recomputes(recipe: TrainingRecipe, network: nn.Module, device: torch.device) -> bool:
    """Whether maps are made again: "always", "never", or "auto", which is where it was measured to save memory.


    A network says so of itself by ``RECOMPUTES``. TIRNet does not: it would keep less, but its process grew larger. A
    compiler decides by itself what to keep.
    """
    if recipe.recompute != "auto":
        return recipe.recompute == "always"
    return device.type == "cpu" and recipe.compile == "never" and getattr(network, "RECOMPUTES", False)


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
