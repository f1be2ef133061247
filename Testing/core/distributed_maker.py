"""Launches of several processes, and trainers whose only randomness is in the data.

They train in float64 by SGD, without dropout and with given tokens to hide: what is left between one process and two is
the order in which numbers are added.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from training_makers import recipe

from LMISCore.networks import reclmis_auxiliary
from LMISCore.text.cache import EmbeddingCache
from LMISCore.text.states import TextStates
from LMISCore.training import compiling
from LMISCore.training import trainer as trainer_module
from LMISCore.training.datasets import BatchMaker
from LMISCore.training.distributed import ALONE, Processes
from LMISCore.training.parts import build_encoder, build_network
from LMISCore.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[2]
STEPS, HALF = 20, 10
SMALL_RECLMIS = "network={name: reclmis, options: {width: 2, layers: 1"
SMALL_TMCA = "network={name: tmca, options: {width: 8, depths: [1, 1, 1, 1], embedding: 8}}"
# Three pictures for two processes: their shares are not equally large. Some masks are empty.
COMMON = (f"training.steps={STEPS}", "training.batch=3", "training.learning_rate=2e-2", "training.clip_norm=5")


def torchrun(*arguments: str, processes: int = 2) -> list[str]:
    """The command that starts a script in so many processes."""
    return [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}", *arguments]


def environment() -> dict[str, str]:
    """Variables of these processes: one thread each, no GPU, and the tests' own modules to be found."""
    paths = [str(ROOT), str(Path(__file__).parent)]
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(paths)}


@dataclass(frozen=True)
class Case:
    """Overrides of the tests' recipe.

    Attributes:
        overrides: of the recipe.
        held: keeps batch normalisation at its running statistics.
        slow: tried with ``--run-slow`` only.
    """

    overrides: tuple[str, ...]
    held: bool = True
    slow: bool = False


CASES = {
    "tirnet": Case(("pairs.sentences=2", "training.accumulate=2")),
    "tirnet_release": Case(("network.options={width: 4, variant: release}",), slow=True),
    "tirnet_shared_norms": Case(("loss.presence=0.5",), held=False),
    "reclmis": Case((SMALL_RECLMIS + "}}", "pairs.sentences=2")),
    "reclmis_release": Case((SMALL_RECLMIS + ", variant: release}}",), slow=True),
    "reclmis_no_contrast": Case((SMALL_RECLMIS + "}}", "loss={contrastive: 0, text: 0, image: 0}"), slow=True),
    "tmca": Case((SMALL_TMCA,)),
    "tirnet_compiled_shared_norms": Case(("training.compile=always",), held=False),
}


def make_exact(patch: pytest.MonkeyPatch, ground: Path) -> None:
    """Let every trainer made from now on calculate in float64, descend by SGD and draw nothing in the network."""
    # Encoding the sentences anew for each trainer takes longer than its steps.
    shared = EmbeddingCache(build_encoder(recipe(ground), "cpu"))
    states, batch = EmbeddingCache.states, BatchMaker.batch

    def network(*given: Any) -> nn.Module:
        found = build_network(*given).double()
        for module in found.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return found

    def double_states(self: EmbeddingCache, sentences: Any) -> TextStates:
        found = states(self, sentences)
        return TextStates(found.states.double(), found.mask)

    def double_batch(self: BatchMaker, *given: Any) -> Any:
        found = batch(self, *given)
        return replace(found, images=found.images.double(), masks=found.masks.double())

    def third(log_weights: Tensor, rate: float, mask: Tensor | None = None, generator: Any = None) -> Tensor:
        hidden = torch.arange(log_weights.shape[1]).expand(log_weights.shape) % 3 == 1
        return hidden if mask is None else hidden & mask

    patch.setattr(trainer_module, "EmbeddingCache", lambda encoder: shared)
    patch.setattr(trainer_module, "build_network", network)
    patch.setattr(trainer_module, "build_optimiser", lambda given, parameters: torch.optim.SGD(parameters, lr=0.1))
    # What is compared is the exchange around traced graphs, not a compiler's rounding.
    patch.setattr(compiling, "BACKEND", "eager")
    patch.setattr(EmbeddingCache, "states", double_states)
    patch.setattr(BatchMaker, "batch", double_batch)
    patch.setattr(reclmis_auxiliary, "draw_hidden", third)


def exact_trainer(ground: Path, folder: Path, name: str, processes: Processes = ALONE) -> Trainer:
    """A trainer of one case, which goes on with the folder's state; after ``make_exact``."""
    case = CASES[name]
    switch = f"training.sync_batch_norm={str(not case.held).lower()}"
    trainer = Trainer(recipe(ground, *COMMON, *case.overrides, switch), folder, "cpu", processes=processes)
    if case.held:
        for module in trainer.network.modules():
            if isinstance(module, _BatchNorm):
                hold(module.eval())
    return trainer


def hold(module: nn.Module) -> None:
    """Keep a module in the mode that it is in."""

    def stay(mode: bool = True) -> nn.Module:
        return module

    module.train = stay  # type: ignore[method-assign]


def advance(trainer: Trainer, until: int, save_at: int = HALF) -> dict[str, Tensor]:
    """Take steps, saving the state on the way; returns weights and running statistics."""
    maker = BatchMaker(trainer.train, trainer.recipe)
    if trainer.processes.grouped:
        trainer._spread(maker)
    while trainer.step < until:
        trainer._step(maker)
        if trainer.step == save_at:
            trainer._save_state()
    return {name: value.clone() for name, value in trainer.network.state_dict().items()}
