"""The networks by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from LMISCore.errors import InputError
from LMISCore.networks.tirnet import TIRNet

NETWORKS: dict[str, type[TIRNet]] = {"tirnet": TIRNet}

__all__ = ["NETWORKS", "TIRNet", "create_network"]


def create_network(name: str, **options: Any) -> nn.Module:
    """Build a network by its name with the options kept in a card or recipe.

    Raises:
        InputError: if the name or an option is unknown; the sentence lists what there is.
    """
    network = NETWORKS.get(name)
    if network is None:
        raise InputError(f"Unknown network {name!r}; expected one of {', '.join(sorted(NETWORKS))}.")
    try:
        return network(**options)
    except (TypeError, ValueError) as error:
        raise InputError(f"Network {name!r} cannot be built from {options}: {error}.") from error
