"""``training.compile``: a network's methods replaced by what PyTorch's compiler makes of them, once it was checked.

A compiler that gives wrong gradients says nothing: PyTorch 2.13's own, on a processor, gives TIRNet and TMCA the right
loss, and whole layers no gradient. So the gradients of one made-up batch must be the plain network's, parameter by
parameter; else the run does not begin. RecLMIS passes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.recompute import autocast
from LMISCore.training.recipe import Recipe

# PyTorch's own, with PyTorch's own draws, so that dropout is what it is without a compiler; maps are in channels-last
# order already.
BACKEND: Any = "inductor"
OPTIONS: dict[str, Any] = {"layout_optimization": False, "fallback_random": True}
# A parameter's gradient is another one when it differs by more than this share of its own length, and of the whole
# gradient's: bfloat16 rounds otherwise when operations are fused, and some gradients are nothing but rounding.
OF_ITS_OWN, OF_ALL = 0.3, 0.003
TOKENS = 12


def compile_network(network: LanguageGuidedNetwork, loss: Any, recipe: Recipe, dtype: torch.dtype | None) -> None:
    """Let a network's image and sentence half be compiled, in place, if the recipe wishes it.

    Parameters, buffers and their names stay; what draws from a generator stays as it is.

    Args:
        network: trained, on its device.
        loss: of the network.
        recipe: of the run.
        dtype: of autocast; None for float32 throughout.

    Raises:
        InputError: if what is compiled has other gradients.
    """
    if recipe.training.compile == "never":
        return
    expected = _gradients(network, loss, recipe, dtype)
    options = OPTIONS if BACKEND == "inductor" else None
    for module, name in network.traceable():
        compiled = torch.compile(getattr(module, name), backend=BACKEND, fullgraph=True, options=options)
        setattr(module, name, compiled)
    found = _gradients(network, loss, recipe, dtype)
    whole = float(torch.stack([value.norm() for value in expected.values()]).norm())
    wrong = [
        name
        for name, value in expected.items()
        # Not a number is no small difference either.
        if name not in found
        or not (away := float((found[name] - value).norm())) <= max(OF_ITS_OWN * float(value.norm()), OF_ALL * whole)
        or not math.isfinite(away)
    ]
    if wrong:
        raise InputError(
            f"training.compile is always, but PyTorch's compiler gives {len(wrong)} of {len(expected)} parameters "
            f"(such as {wrong[0]}) other gradients than the network itself has; set training.compile=never."
        )


def require_compiler(recipe: Recipe, device: torch.device) -> None:
    """Compile two operations to see that it can be done, if it is wished for.

    Raises:
        InputError: saying what PyTorch lacks.
    """
    if recipe.training.compile == "never":
        return
    try:
        torch.compile(lambda x: (x + 1).square(), backend=BACKEND)(torch.zeros(2, device=device))
    except (RuntimeError, ImportError, OSError) as error:
        # The compiler's own complaint, which PyTorch wraps.
        said = str(getattr(error, "inner_exception", error))
        reason = next((line for line in said.splitlines() if line.strip()), type(error).__name__)
        raise InputError(
            f"training.compile is always, but PyTorch cannot compile for {device}: {reason.strip().rstrip('.')}; "
            "install a C++ compiler (on GPUs: Triton), or set training.compile=never."
        ) from error


def _gradients(
    network: LanguageGuidedNetwork, loss: Any, recipe: Recipe, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    """The gradients of a made-up batch's loss, by the parameters' names; the network is left as it was."""
    some = next(network.parameters())
    count, (height, width) = recipe.training.batch, recipe.image.size
    drawn = torch.Generator().manual_seed(0)
    pictures = torch.rand(count, 3, height, width, generator=drawn)
    # Not all alike within a mask, nor in every sentence.
    states = torch.randn(count * recipe.sentences, TOKENS, network.text_width, generator=drawn)
    truth = torch.zeros(len(states), height, width)
    truth[:, : height // 2, : width // 2] = 1
    mask = torch.ones(len(states), TOKENS, dtype=torch.bool, device=some.device)
    images = pictures.to(some).contiguous(memory_format=torch.channels_last)
    buffers = [(value, value.clone()) for value in network.buffers()]
    training = network.training
    network.train()
    with autocast(some.device.type, dtype):
        features = network.encode_image(images).repeat(recipe.sentences)
        output = network.decode(features, states.to(some), mask, torch.Generator(some.device).manual_seed(0))
    total, _ = loss(output, truth.to(some))
    total.backward()
    found = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad(set_to_none=True)
    network.train(training)
    with torch.no_grad():
        for value, before in buffers:
            value.copy_(before)
    return found
