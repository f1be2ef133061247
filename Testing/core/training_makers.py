"""A small set, a recipe for it and the weights of a run, which the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lvit_maker import write_lvit
from tiny_checkpoint import save_tiny_encoder

from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.training.recipe import Recipe, load_recipe
from LMISCore.training.trainer import CHECKPOINT_NAME

RECIPE = """
name: trial
data: {{source: {source}}}
network: {{options: {{width: 4}}}}
text: {{encoder: {encoder}, rewrite: lvit_axial}}
image: {{size: [32, 32], convention: unit, plane: axial, variants: 2}}
pairs:
  shares: {{report: 1, side: 1, empty_place: 1, other_finding: 1}}
  names: [pulmonary infection]
  others: ["Small {{side}} effusion."]
training: {{steps: 6, batch: 2, validate_every: 2, ema: 0.9, precision: fp32, learning_rate: 1e-3, warmup: 2}}
card: {{findings: {{pulmonary infection: [infection]}}, dtype: float32}}
"""


@pytest.fixture(name="ground", scope="module")
def training_ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, a tiny text encoder and a recipe."""
    folder = tmp_path_factory.mktemp("training")
    write_lvit(folder / "data")
    save_tiny_encoder(folder / "encoder")
    text = RECIPE.format(source=folder / "data", encoder=folder / "encoder")
    (folder / "trial.yaml").write_text(text, encoding="utf-8")
    return folder


def recipe(ground: Path, *overrides: str) -> Recipe:
    return load_recipe(ground / "trial.yaml", overrides)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / CHECKPOINT_NAME).network.state_dict()
