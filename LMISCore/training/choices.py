"""What is chosen on Val when a run is done: the probabilities' calibration, and on top of it the presence threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from LMISCore.metrics.platt import Platt
from LMISCore.metrics.thresholds import DEFAULT_PRESENCE, PresenceThreshold
from LMISCore.text.cache import EmbeddingCache
from LMISCore.training.calibration import fit_calibration
from LMISCore.training.datasets import Slice
from LMISCore.training.recipe import Recipe
from LMISCore.training.validation import presence_threshold


@dataclass(frozen=True)
class Chosen:
    """What goes into the card.

    Attributes:
        presence: the threshold; None where none was chosen yet.
        calibration: as in ``Card.calibration``; empty for none.
    """

    presence: PresenceThreshold | None = None
    calibration: dict[str, Any] = field(default_factory=dict)


NOTHING_CHOSEN = Chosen()


def choose_on_val(
    network: nn.Module, recipe: Recipe, slices: Sequence[Slice], cache: EmbeddingCache, device: torch.device
) -> Chosen:
    """Choose with the best weights.

    Args:
        network: in evaluation mode.
        recipe: says whether to calibrate.
        slices: of Val.
        cache: text encoder.
        device: of the network.
    """
    if recipe.text.ignore:
        # These weights never saw a sentence: a threshold chosen on answers to one would mean nothing.
        return Chosen(PresenceThreshold(DEFAULT_PRESENCE, None, None, 0, 0, "default: trained without text"))
    convention = recipe.image.convention
    calibration = fit_calibration(network, slices, convention, cache, device) if recipe.card.calibrate else {}
    finding = next(iter(recipe.card.findings), recipe.pairs.names[0])
    platt = Platt.from_card(calibration)
    return Chosen(presence_threshold(network, slices, finding, convention, cache, device, platt), calibration)
