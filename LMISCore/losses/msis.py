"""TIRNet's loss: segmentation, and multi-scale illumination supervision (MSIS) of each decoder stage.

Source: arXiv 2606.27794. RGC (region-grounded contrast) asks the similarity map to be high inside the mask
relative to outside; BS asks the shade map to be dark inside (background suppression).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.losses.overlap import dice_bce_loss
from LMISCore.networks.outputs import NetworkOutput


def region_contrast(similarity: Tensor, mask: Tensor) -> Tensor:
    """RGC of one stage: ``-log(cover / (cover + leak))``, averaged over samples that have foreground.

    Args:
        similarity: A, ``(B, 1, h, w)``.
        mask: ``(B, 1, h, w)`` in {0, 1}, float.

    Returns:
        scalar; 0 when no sample of the batch has foreground.
    """
    energy = similarity.float().clamp(-20, 20).exp().flatten(1)
    inside = mask.flatten(1)
    outside = 1 - inside
    area = inside.sum(1)
    cover = (energy * inside).sum(1) / area.clamp_min(1)
    leak = (energy * outside).sum(1) / outside.sum(1).clamp_min(1)
    has_foreground = (area > 0).float()
    ratio = (cover / (cover + leak)).clamp_min(1e-12)
    per_sample = -torch.where(area > 0, ratio, torch.ones_like(ratio)).log()
    return (per_sample * has_foreground).sum() / has_foreground.sum().clamp_min(1)


def background_suppression(negative_logits: Tensor, mask: Tensor) -> Tensor:
    """BS of one stage: cross-entropy of the shade map ``L-`` with the background, on the logits ``-beta A``."""
    return F.binary_cross_entropy_with_logits(negative_logits.float(), 1 - mask)


@dataclass(frozen=True)
class MSISLoss:
    """``segmentation * (0.5 Dice + 0.5 BCE) + rgc * RGC + bs * BS``, the last two averaged over the stages.

    Attributes are the weights of the three terms; the paper's are 1, 1 and 0.5.
    """

    segmentation: float = 1.0
    rgc: float = 1.0
    bs: float = 0.5

    def __call__(self, output: NetworkOutput, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its unweighted terms by name.

        Args:
            output: of TIRNet.
            mask: ``(B, H, W)`` in {0, 1}; it is resized to each stage by nearest neighbour.
        """
        target = mask.float().unsqueeze(1)
        contrast, suppression = [], []
        for name, negative_logits in output.intermediates.items():
            similarity = output.maps[name.replace("negative_logits", "similarity")]
            stage_mask = F.interpolate(target, size=similarity.shape[-2:], mode="nearest")
            contrast.append(region_contrast(similarity, stage_mask))
            suppression.append(background_suppression(negative_logits, stage_mask))
        terms = {
            "segmentation": dice_bce_loss(output.logits, target),
            "rgc": torch.stack(contrast).mean(),
            "bs": torch.stack(suppression).mean(),
        }
        total = self.segmentation * terms["segmentation"] + self.rgc * terms["rgc"] + self.bs * terms["bs"]
        return total, terms
