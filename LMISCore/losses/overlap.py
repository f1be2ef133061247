"""Dice and cross-entropy on logits, the segmentation part of every network's loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def soft_dice_loss(logits: Tensor, mask: Tensor, smooth: float = 1e-5) -> Tensor:
    """One minus the soft Dice coefficient with squared denominators, averaged over the batch.

    ``1 - (2 sum p m + s) / (sum p^2 + sum m^2 + s)`` per sample (the form the TIRNet and RecLMIS releases use).

    Args:
        logits: ``(B, 1, H, W)``.
        mask: ``(B, H, W)`` or ``(B, 1, H, W)`` in {0, 1}.
        smooth: s; keeps the quotient finite when both are empty.
    """
    probability = logits.float().sigmoid().flatten(1)
    target = mask.float().flatten(1)
    overlap = (probability * target).sum(1)
    size = probability.square().sum(1) + target.square().sum(1)
    return (1 - (2 * overlap + smooth) / (size + smooth)).mean()


def dice_bce_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Half soft Dice, half binary cross-entropy; both averaged over the batch."""
    target = mask.float().reshape(logits.shape)
    cross_entropy = F.binary_cross_entropy_with_logits(logits.float(), target)
    return 0.5 * soft_dice_loss(logits, target) + 0.5 * cross_entropy
