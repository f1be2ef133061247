"""``training.compile``: a network's methods replaced by what PyTorch's compiler makes of them."""

from __future__ import annotations

import torch

from LMISCore.errors import InputError
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.training.recipe import TrainingRecipe

# PyTorch's own.
BACKEND = "inductor"


def compile_network(network: LanguageGuidedNetwork, recipe: TrainingRecipe) -> None:
    """Let a network's image and sentence half be compiled, in place, when they are first called, if so wished.

    Parameters, buffers and their names stay; what draws from a generator stays as it is.
    """
    if recipe.compile == "never":
        return
    for module, name in network.traceable():
        setattr(module, name, torch.compile(getattr(module, name), backend=BACKEND, fullgraph=True))


def require_compiler(recipe: TrainingRecipe, device: torch.device) -> None:
    """Compile two operations to see that it can be done, if it is wished for.

    Raises:
        InputError: saying what PyTorch lacks.
    """
    if recipe.compile == "never":
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
