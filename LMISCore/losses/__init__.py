"""Losses: one file per paper, all take logits; ``LOSSES`` names the one that belongs to each network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from LMISCore.losses.msis import MSISLoss
from LMISCore.losses.overlap import dice_bce_loss, soft_dice_loss
from LMISCore.losses.reclmis import RecLMISLoss
from LMISCore.losses.tmca import TMCALoss

LOSSES: dict[str, Callable[..., Any]] = {"reclmis": RecLMISLoss, "tirnet": MSISLoss, "tmca": TMCALoss}

__all__ = ["LOSSES", "MSISLoss", "RecLMISLoss", "TMCALoss", "dice_bce_loss", "soft_dice_loss"]
