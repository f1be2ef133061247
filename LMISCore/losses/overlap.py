"""Dice and cross-entropy on logits, the segmentation part of every network's loss."""

from __future__ import annotations

from torch import Tensor

from LMISCore.networks.collective import cross_entropy_over_all, mean_over_all
from LMISCore.networks.normalised_product import wide


def as_target(mask: Tensor, logits: Tensor) -> Tensor:
    """A mask ``(B, H, W)`` or ``(B, 1, H, W)`` in the shape and, but for half precision, the type of its logits."""
    return mask.to(wide(logits).dtype).reshape(logits.shape)


def soft_dice_loss(logits: Tensor, mask: Tensor, smooth: float = 1e-5) -> Tensor:
    """One minus the soft Dice coefficient with squared denominators, averaged over the batch.

    ``1 - (2 sum p m + s) / (sum p^2 + sum m^2 + s)`` per sample (the form the TIRNet and RecLMIS releases use).

    Args:
        logits: ``(B, 1, H, W)``.
        mask: ``(B, H, W)`` or ``(B, 1, H, W)`` in {0, 1}.
        smooth: s; keeps the quotient finite when both are empty.
    """
    probability = wide(logits).sigmoid().flatten(1)
    target = as_target(mask, logits).flatten(1)
    overlap = (probability * target).sum(1)
    size = probability.square().sum(1) + target.square().sum(1)
    return mean_over_all(1 - (2 * overlap + smooth) / (size + smooth))


def dice_bce_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Half soft Dice, half binary cross-entropy; both averaged over the batch.

    Args:
        logits: ``(B, 1, H, W)``.
        mask: ``(B, H, W)`` or ``(B, 1, H, W)`` in {0, 1}.
    """
    target = as_target(mask, logits)
    cross_entropy = cross_entropy_over_all(wide(logits), target)
    return 0.5 * soft_dice_loss(logits, target) + 0.5 * cross_entropy
