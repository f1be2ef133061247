"""The networks by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from LMISCore.errors import InputError
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.reclmis import RecLMIS
from LMISCore.networks.tirnet import TIRNet
from LMISCore.networks.tmca import TMCA

NETWORKS: dict[str, type[LanguageGuidedNetwork]] = {"reclmis": RecLMIS, "tirnet": TIRNet, "tmca": TMCA}

__all__ = ["NETWORKS", "TMCA", "LanguageGuidedNetwork", "RecLMIS", "TIRNet", "create_network", "without_training_parts"]


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


def without_training_parts(network: nn.Module) -> nn.Module:
    """The network as inference needs it: its ``stripped()`` where it has parts for training alone, else itself.

    The result shares its tensors with ``network``.
    """
    strip = getattr(network, "stripped", None)
    stripped: nn.Module = network if strip is None else strip()
    return stripped
