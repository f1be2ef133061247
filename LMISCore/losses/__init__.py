"""Losses: one file per paper, all take logits; ``LOSSES`` names the one that belongs to each network."""

from __future__ import annotations

from LMISCore.losses.msis import MSISLoss
from LMISCore.losses.overlap import dice_bce_loss, soft_dice_loss

LOSSES: dict[str, type[MSISLoss]] = {"tirnet": MSISLoss}

__all__ = ["LOSSES", "MSISLoss", "dice_bce_loss", "soft_dice_loss"]
