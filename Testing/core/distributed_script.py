"""What two processes do in one launch, for the tests to compare with one process.

torchrun --nproc-per-node 2 distributed_script.py GROUND FOLDER CASE...
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed_maker import HALF, STEPS, advance, exact_trainer, make_exact
from torch import nn
from training_makers import recipe

from LMISCore.errors import InputError
from LMISCore.networks.collective import gathered, mean_over_all
from LMISCore.training import validation
from LMISCore.training.datasets import BatchMaker
from LMISCore.training.distributed import Processes, joined
from LMISCore.training.distributed_norm import average_statistics, share_norms
from LMISCore.training.trainer import Trainer

RESUMED = "tirnet"
VAL_BATCH = 2
ROWS = (2, 5)
SHAPE = (3, 4, 5)


def rows(number: int) -> torch.Tensor:
    """The same numbers in every process."""
    return torch.randn(number, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def normalise(norm: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output, gradients and running statistics of one training step of a normalisation."""
    x = x.clone().requires_grad_()
    y = norm(x)
    y.backward(y.detach().sin())
    assert x.grad is not None
    found = {"y": y.detach(), "x": x.grad}
    found |= {f"{name}.grad": value.grad for name, value in norm.named_parameters() if value.grad is not None}
    return found | {name: value.clone() for name, value in norm.named_buffers()}


def norms(processes: Processes) -> dict[str, list[torch.Tensor]]:
    """What each process finds for its own rows."""
    torch.manual_seed(2)
    norm = nn.Sequential(nn.BatchNorm2d(SHAPE[0])).double()
    own = rows(sum(ROWS)).split(list(ROWS))[processes.rank]
    found = normalise(share_norms(norm, torch.device("cpu")), own)
    return {name: [part[name] for part in processes.everyone(found)] for name in found}


def own_statistics(processes: Processes) -> list[float]:
    """Running means after each process has normalised by its own rows."""
    norm = nn.BatchNorm2d(1)
    assert norm.running_mean is not None
    norm.running_mean.fill_(4.0 * processes.rank)
    average_statistics(norm)
    return processes.everyone(norm.running_mean.tolist()[0])


def exchanges(processes: Processes) -> dict[str, Any]:
    """Small things that all processes agree on."""
    rank = processes.rank
    x = torch.full((rank + 1, 2), float(rank + 1), requires_grad=True)
    (everyone,) = gathered(x)
    mean = mean_over_all(x, torch.tensor([[1, 0]] * (rank + 1)))
    (everyone * torch.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    refused = ""
    try:
        processes.of_the_first(_refuse)
    except InputError as error:
        refused = str(error)
    different = ""
    try:
        processes.require_same("data", rank)
    except InputError as error:
        different = str(error)
    own = {
        "any": processes.any(rank == 1),
        "none": processes.any(False),
        "highest": processes.highest(10 - rank),
        "first": processes.of_the_first(lambda: f"from {rank}"),
        "refused": refused,
        "different": different,
        "rows": everyone.detach().tolist(),
        "mean": float(mean.detach()),
        "gradient": x.grad.tolist() if x.grad is not None else None,
    }
    return {"own": processes.everyone(own)}


def _refuse() -> str:
    raise InputError("The first process cannot.")


def not_a_number(ground: Path, folder: Path, processes: Processes) -> list[str]:
    """What each process says when the loss of the last one is no number."""
    trainer = exact_trainer(ground, folder, "tirnet", processes)
    maker = BatchMaker(trainer.train, trainer.recipe)
    trainer._spread(maker)
    real = trainer.loss

    def broken(output: Any, mask: torch.Tensor) -> Any:
        return real(output._replace(logits=output.logits * (float("nan") if processes.rank else 1.0)), mask)

    trainer.loss = broken
    said = "nothing"
    try:
        trainer._step(maker)
    except InputError as error:
        said = str(error)
    return processes.everyone(said)


def measured(ground: Path, folder: Path, patch: pytest.MonkeyPatch, processes: Processes) -> Any:
    """Val by all processes together, in float32."""
    patch.setattr(validation, "BATCH", VAL_BATCH)
    trainer = Trainer(recipe(ground), folder, "cpu", processes=processes)
    found = validation.overlap(trainer.averaged, trainer.val, "unit", trainer.cache, trainer.device, processes)
    return processes.everyone([found.mean_dice, found.mean_iou, found.pooled_dice, found.images])


def main(ground: Path, folder: Path, cases: list[str]) -> None:
    """Do everything and let the first process write it down."""
    patch = pytest.MonkeyPatch()
    with joined() as processes:
        told = {"exchanges": exchanges(processes), "statistics": own_statistics(processes)}
        found_norms = norms(processes)
        with pytest.MonkeyPatch.context() as own:
            told["measured"] = measured(ground, folder / "measured", own, processes)
        make_exact(patch, ground)
        if processes.first:
            # A run that one process began; see test_distributed.py.
            shutil.copytree(folder / "begun_by_one", folder / "by_two_after_one")
        processes.any(False)
        weights = {"after_one": advance(exact_trainer(ground, folder / "by_two_after_one", RESUMED, processes), STEPS)}
        for name in cases:
            trainer = exact_trainer(ground, folder / name, name, processes)
            weights[name] = advance(trainer, STEPS, HALF)
        told["not_a_number"] = not_a_number(ground, folder / "nan", processes)
        if processes.first:
            torch.save({"weights": weights, "norms": found_norms}, folder / "found.pt")
            (folder / "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
