"""Training that begins with the weights of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
    weights,
)

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.errors import InputError
from LMISCore.training.parts import build_network
from LMISCore.training.trainer import CHECKPOINT_NAME, Trainer, train


@pytest.fixture(name="first", scope="module")
def first_run(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    train(recipe(ground, "training.steps=2"), folder, "cpu")
    return folder


def test_training_begins_with_the_weights_and_the_texts_scale_of_the_checkpoint(
    ground: Path, first: Path, tmp_path: Path
) -> None:
    wanted = recipe(ground, f"network.initial={first / CHECKPOINT_NAME}", "pairs.shares={report: 1}")
    trainer = Trainer(wanted, tmp_path / "second", "cpu")
    begun = trainer.network.state_dict()
    for name, value in weights(first).items():
        assert torch.equal(begun[name], value), name
    fresh = Trainer(recipe(ground, "pairs.shares={report: 1}"), tmp_path / "third", "cpu").network.state_dict()
    assert any(not torch.equal(fresh[name], begun[name]) for name in fresh if "mean" in name)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["network.options.width=8"], r"width 4 instead of 8; set network\.options"),
        (["network.name=tmca", "network.options={}"], r"a checkpoint of tirnet, but network\.name is tmca"),
        (["network.initial=none.safetensors"], "No checkpoint at none"),
    ],
)
def test_a_checkpoint_that_does_not_fit_the_recipe_is_refused(
    ground: Path, first: Path, tmp_path: Path, overrides: list[str], words: str
) -> None:
    wanted = recipe(ground, f"network.initial={first / CHECKPOINT_NAME}", *overrides)
    with pytest.raises(InputError, match=words):
        Trainer(wanted, tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_text_encoder_is_refused(ground: Path, first: Path) -> None:
    card = load_checkpoint(first / CHECKPOINT_NAME).card
    wanted = recipe(ground, f"network.initial={first / CHECKPOINT_NAME}")
    with pytest.raises(InputError, match=r"text\.encoder gives sha256 000000000000; name the same encoder"):
        build_network(wanted, card.text_encoder["width"], "0" * 64)
    build_network(wanted, card.text_encoder["width"], card.text_encoder["hash"])


def test_a_card_names_the_checkpoint_it_came_from_without_its_folder(ground: Path, first: Path, tmp_path: Path) -> None:
    train(recipe(ground, f"network.initial={first / CHECKPOINT_NAME}", "training.steps=2"), tmp_path, "cpu")
    assert load_checkpoint(tmp_path / CHECKPOINT_NAME).card.recipe["network"]["initial"] == CHECKPOINT_NAME
