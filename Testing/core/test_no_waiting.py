"""A training step reads nothing back from the device: the program runs ahead of a GPU.

Tensors on PyTorch's device "meta" have no values, so whatever would wait for one fails there: reading a number,
picking rows by a mask, branching on a comparison. Sentences and draws belong to the CPU and keep their values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training_makers import recipe, training_ground

from LMISCore.errors import InputError
from LMISCore.networks.reclmis_interest import TokenMixer
from LMISCore.training import trainer as trainer_module
from LMISCore.training.datasets import BatchMaker
from LMISCore.training.parts import build_optimiser
from LMISCore.training.readings import STEPS_BETWEEN, Readings
from LMISCore.training.sending import sent
from LMISCore.training.state import NAME as STATE_NAME
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer

__all__ = ["training_ground"]
META = torch.device("meta")
OPTIONS = {
    "tirnet": "network.options={width: 4}",
    "reclmis": "network.options={width: 8}",
    "tmca": "network.options={width: 8, depths: [1, 1, 1, 1], embedding: 8}",
}


def trainer_of(ground: Path, folder: Path, name: str, device: str = "cpu") -> Trainer:
    more = ["training.accumulate=2", "training.clip_norm=1", "pairs.sentences=2", "training.recompute=always"]
    return Trainer(recipe(ground, f"network.name={name}", OPTIONS[name], *more), folder, device)


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_step_reads_nothing_from_the_device(
    name: str, ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_of(ground, tmp_path, name)
    trainer.network.to(META)
    trainer.averaged.to(META)
    trainer.device = META
    trainer.optimiser = build_optimiser(trainer.recipe.training, trainer.network.parameters())
    trainer.readings = Readings(META, tmp_path / "none")
    trainer.readings.newest = {"loss": 1.0}
    # A device without values has no generator either.
    monkeypatch.setattr(trainer_module, "generator_of", lambda seed, number, rank, device: torch.Generator())
    maker = BatchMaker(trainer.train, trainer.recipe, META)
    for _ in range(3):
        terms = trainer._step(maker)
    assert trainer.step == 3 and terms["loss"] == 1.0
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        trainer.readings.read()


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_a_step_on_a_gpu_does_not_wait_for_it(name: str, ground: Path, tmp_path: Path) -> None:
    trainer = trainer_of(ground, tmp_path, name, "cuda")
    maker = BatchMaker(trainer.train, trainer.recipe, trainer.device)
    # The first step reads its numbers, and libraries set themselves up.
    trainer._step(maker)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            trainer._step(maker)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    trainer.readings.read()
    assert trainer.readings.newest["loss"] > 0


@pytest.mark.gpu
def test_a_batch_is_changed_on_a_gpu_as_on_the_cpu(ground: Path, tmp_path: Path) -> None:
    trainer = trainer_of(ground, tmp_path, "tirnet")
    one, other = (BatchMaker(trainer.train, trainer.recipe, torch.device(name)).batch(0) for name in ("cpu", "cuda"))
    torch.testing.assert_close(other.images.cpu(), one.images, atol=1e-4, rtol=0)
    assert float((other.masks.cpu() != one.masks).float().mean()) < 1e-3


def readings(folder: Path, device: str, losses: list[float]) -> Readings:
    found = Readings(torch.device(device), folder / "checkpoint.safetensors")
    found.newest = {"loss": 0.0}
    for step, loss in enumerate(losses, 1):
        found.add(step, {"loss": torch.tensor(loss), "dice": torch.tensor(loss / 2)}, torch.tensor(1.0))
    return found


def test_numbers_are_read_at_once_on_the_cpu_and_rarely_elsewhere(tmp_path: Path) -> None:
    assert readings(tmp_path, "cpu", [1.0]).due
    assert not readings(tmp_path, "cuda", [1.0] * (STEPS_BETWEEN - 1)).due
    assert readings(tmp_path, "cuda", [1.0] * STEPS_BETWEEN).due


def test_the_first_step_that_was_not_finite_is_named_however_late_it_is_read(tmp_path: Path) -> None:
    waiting = readings(tmp_path, "cuda", [3.0, 2.0, float("nan"), float("inf")])
    with pytest.raises(InputError, match=r"The loss became nan at step 3; .*there is no checkpoint yet"):
        waiting.read()
    assert waiting.newest == {"loss": 2.0, "dice": 1.0}


def test_late_readings_stop_a_run_before_anything_is_written(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(ground, "training.steps=4", "training.validate_every=4", "training.save_every=3")
    trainer = Trainer(wanted, tmp_path, "cpu")
    monkeypatch.setattr(trainer.readings, "steps_between", STEPS_BETWEEN)
    real = trainer.loss

    def broken(output: Any, mask: Any) -> Any:
        total, terms = real(output, mask)
        return (total * float("nan") if trainer.step == 2 else total), terms

    trainer.loss = broken
    with pytest.raises(InputError, match=r"The loss became nan at step 3"):
        trainer.run()
    assert not (tmp_path / CHECKPOINT_NAME).exists() and not (tmp_path / STATE_NAME).exists()


def test_words_are_normalised_by_the_real_ones_whatever_the_padding() -> None:
    torch.manual_seed(0)
    mixer, reference = TokenMixer(6).double(), TokenMixer(6).double()
    reference.load_state_dict(mixer.state_dict())
    words = torch.randn(3, 5, 6, dtype=torch.double)
    mask = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] * 3 + [False] * 2])
    found = mixer(words, mask)
    mixed = reference.convolution((words * mask[..., None]).transpose(1, 2)).transpose(1, 2)
    expected = torch.relu(reference.norm(mixed[mask]))
    torch.testing.assert_close(found[mask], expected)
    assert not found[~mask].any()
    for own, other in zip(mixer.norm.buffers(), reference.norm.buffers(), strict=True):
        torch.testing.assert_close(own, other)


def test_what_lies_on_the_cpu_is_sent_nowhere_else_for_it() -> None:
    x = torch.arange(3)
    assert sent(x, torch.device("cpu")) is x
