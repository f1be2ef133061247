"""Small networks with random weights, pictures and sentences, for the tests of prepared networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from LMISCore.networks import create_network

SETTINGS: dict[str, dict[str, Any]] = {
    "reclmis": {"width": 8},
    "reclmis as released": {"width": 8, "variant": "release"},
    "tirnet": {"width": 8},
    "tirnet as released": {"width": 8, "variant": "release"},
    "tmca": {"width": 8, "depths": [1, 1, 2, 1], "embedding": 16},
}


def built(setting: str) -> Any:
    """A network with random weights whose normalisations have something to say."""
    torch.manual_seed(5)
    network = create_network(setting.split()[0], text_width=12, **SETTINGS[setting]).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    for name, parameter in network.named_parameters():
        if name.endswith("place.weight"):
            nn.init.normal_(parameter, 0, 0.1)
    return network


def asked(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures that no stride divides, and padded sentences, one for each."""
    torch.manual_seed(6)
    return (
        torch.rand(batch, 3, 50, 70),
        torch.randn(batch, 7, 12),
        torch.arange(7)[None] < torch.tensor([[4], [7]])[:batch],
    )
