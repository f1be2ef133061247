"""TIRNet's loss: segmentation, and multi-scale illumination supervision (MSIS) of each decoder stage.

Source: arXiv 2606.27794. RGC (region-grounded contrast) asks the similarity map to be high inside the mask
relative to outside; BS asks the shade map to be dark inside (background suppression).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.losses.overlap import as_target, dice_bce_loss
from LMISCore.losses.presence import presence_loss
from LMISCore.networks.collective import cross_entropy_over_all, mean_over_all
from LMISCore.networks.normalised_product import wide
from LMISCore.networks.outputs import NetworkOutput


def region_contrast(similarity: Tensor, mask: Tensor) -> Tensor:
    """RGC of one stage: ``-log(cover / (cover + leak))``, averaged over samples that have foreground.

    Args:
        similarity: A, ``(B, 1, h, w)``.
        mask: ``(B, 1, h, w)`` in {0, 1}, float.

    Returns:
        scalar; 0 when no sample of the batch has foreground.
    """
    energy = wide(similarity).clamp(-20, 20).exp().flatten(1)
    inside = mask.flatten(1)
    outside = 1 - inside
    area = inside.sum(1)
    cover = (energy * inside).sum(1) / area.clamp_min(1)
    leak = (energy * outside).sum(1) / outside.sum(1).clamp_min(1)
    has_foreground = (area > 0).to(energy.dtype)
    ratio = (cover / (cover + leak)).clamp_min(1e-12)
    per_sample = -torch.where(area > 0, ratio, torch.ones_like(ratio)).log()
    return mean_over_all(per_sample, has_foreground)


def background_suppression(negative_logits: Tensor, mask: Tensor) -> Tensor:
    """BS of one stage: cross-entropy of the shade map ``L-`` with the background, on the logits ``-beta A``.

    Args:
        negative_logits: ``(B, 1, h, w)``.
        mask: ``(B, 1, h, w)`` in {0, 1}, float.

    Returns:
        scalar, the mean over all pixels.
    """
    return cross_entropy_over_all(wide(negative_logits), 1 - mask)


@dataclass(frozen=True)
class MSISLoss:
    """``segmentation * (0.5 Dice + 0.5 BCE) + rgc * RGC + bs * BS``, the last two averaged over the stages.

    Attributes are the weights of the three terms; the paper's are 1, 1 and 0.5. ``presence`` is the weight of a fourth
    that the paper does not have, see ``losses/presence.py``; 0 leaves it out.
    """

    segmentation: float = 1.0
    rgc: float = 1.0
    bs: float = 0.5
    presence: float = 0.0

    def __call__(self, output: NetworkOutput, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its unweighted terms by name.

        Args:
            output: of TIRNet.
            mask: ``(B, H, W)`` in {0, 1}; it is resized to each stage by nearest neighbour.
        """
        target = as_target(mask, output.logits)
        padded = _padded(target, [output.maps[name].shape[-2:] for name in output.maps])
        contrast, suppression = [], []
        for name, negative_logits in output.intermediates.items():
            similarity = output.maps[name.replace("negative_logits", "similarity")]
            stage_mask = F.interpolate(padded, size=similarity.shape[-2:], mode="nearest")
            contrast.append(region_contrast(similarity, stage_mask))
            suppression.append(background_suppression(negative_logits, stage_mask))
        terms = {
            "segmentation": dice_bce_loss(output.logits, target),
            # Without RTMB there is no light to supervise.
            "rgc": torch.stack(contrast).mean() if contrast else output.logits.new_zeros(()),
            "bs": torch.stack(suppression).mean() if suppression else output.logits.new_zeros(()),
        }
        total = self.segmentation * terms["segmentation"] + self.rgc * terms["rgc"] + self.bs * terms["bs"]
        if self.presence:
            terms["presence"] = presence_loss(output.logits, target)
            total = total + self.presence * terms["presence"]
        return total, terms


def _padded(mask: Tensor, sizes: Sequence[Sequence[int]]) -> Tensor:
    """A mask ``(B, 1, H, W)`` in the size that the network's maps cover: its picture padded to its stride.

    Logits are cropped to the picture, the maps are not. The picture's edge values are repeated, so the mask's are too.
    """
    bottom, right = (max([0, *(size[axis] - mask.shape[axis - 2] for size in sizes)]) for axis in (0, 1))
    return F.pad(mask, (0, right, 0, bottom), mode="replicate") if bottom or right else mask
