"""Small checkpoints that the checkpoint tests share."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from LMISCore.checkpoints import files
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import read_card, save_checkpoint
from LMISCore.networks import create_network

FORMS = ["checkpoint", "checkpoint.safetensors"]


def make_network(seed: int = 0, **options: Any) -> nn.Module:
    """A tiny TIRNet whose running statistics are not at their start."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = create_network("tirnet", **{"width": 4, "text_width": 6, **options})
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean, module.running_var = torch.randn(2, module.num_features).exp()
                module.num_batches_tracked = torch.tensor(7)
    return network


def make_card(network: Any, **changes: Any) -> Card:
    values: dict[str, Any] = {
        "name": "tiny",
        "network": "tirnet",
        "network_options": dict(network.options),
        "text_encoder": {"name": "minilm", "hash": "ab" * 32, "width": 6, "length": 64},
        "image": {"size": [32, 32], "convention": "unit", "plane": "axial", "orientation": "", "colour": "grey"},
    }
    return Card(**{**values, **changes})


def answer(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(1, 3, 16, 16, generator=generator)
    states = torch.randn(1, 4, 6, generator=generator)
    with torch.no_grad():
        logits: Tensor = network(image, states, torch.ones(1, 4)).logits
    return logits


def weights_file(path: Path) -> Path:
    return path / files.WEIGHTS_NAME if path.is_dir() else path


def rewrite(path: Path, change: Any) -> None:
    """Change the tensors of a saved checkpoint; the card forgets which weights it is for."""
    card = read_card(path)
    tensors = load_file(weights_file(path))
    change(tensors)
    text = dataclasses.replace(card, weights_hash="").to_json()
    if path.is_dir():
        save_file(tensors, weights_file(path))
        (path / files.CARD_NAME).write_text(text, encoding="utf-8")
    else:
        save_file(tensors, path, metadata={"card": text})


@pytest.fixture(name="network")
def small_network() -> nn.Module:
    return make_network()


@pytest.fixture(name="saved", params=FORMS)
def saved_checkpoint(request: pytest.FixtureRequest, tmp_path: Path, network: nn.Module) -> Path:
    """A checkpoint of that network, as a folder and as a file."""
    return save_checkpoint(tmp_path / request.param, network, make_card(network)).path
