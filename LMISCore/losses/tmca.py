"""TMCA's loss: segmentation, and contrastive alignment at four levels with targets softened by semantic distance.

Our reading of the abstract of arXiv 2412.13533. Repeated or nearly equal reports are near-positives instead of
negatives: ``Y = (1 - b) I + b softmax(-D / 0.1)`` over rows, where the semantic distance

    D_ij = a (1 - cos(s_i, s_j)) + (1 - a) (1 - softDice(M_i, M_j))

compares the sentences' vectors (less the training set's mean) and the masks on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.losses.overlap import as_target, dice_bce_loss
from LMISCore.networks.collective import gathered
from LMISCore.networks.convnext import STRIDES
from LMISCore.networks.normalised_product import wide
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.networks.tmca_alignment import NORM_EPS, names, project

GRID = 28
SHARPNESS = 0.1


def coarse_overlap(mask: Tensor, grid: int = GRID) -> Tensor:
    """Soft Dice of every pair of masks on a coarse grid; two empty masks have 1.

    Args:
        mask: ``(B, H, W)`` in {0, 1}, float.
        grid: cells along a side.

    Returns:
        ``(B, B)``: ``2 sum m_i m_j / (sum m_i^2 + sum m_j^2)``.
    """
    cells = F.adaptive_avg_pool2d(mask.unsqueeze(1), grid).flatten(1)
    size = cells.square().sum(1)
    both = size[:, None] + size[None, :]
    return torch.where(both > 0, 2 * cells @ cells.T / both.clamp_min(1e-12), torch.ones_like(both))


def semantic_distance(sentences: Tensor, mask: Tensor, sentence_share: float = 0.5) -> Tensor:
    """D, ``(B, B)``, at least 0 and 0 on the diagonal.

    Args:
        sentences: ``(B, D)``, less the training set's mean.
        mask: ``(B, H, W)`` in {0, 1}, float.
        sentence_share: a.
    """
    unit = F.normalize(wide(sentences), dim=1, eps=NORM_EPS)
    return sentence_share * (1 - unit @ unit.T) + (1 - sentence_share) * (1 - coarse_overlap(mask))


def target_vectors(features: Tensor, mask: Tensor, cell: int) -> Tensor:
    """Mean of one level's features over the mask: ``(B, C, h, w), (B, H, W) -> (B, C)`` float32.

    The mask is averaged over each cell of the level; an empty mask gives the plain mean.

    Args:
        cell: side of a feature's cell, pixels; h and w may hold padding at the bottom and right, which is background.
    """
    height, width = features.shape[-2:]
    padded = F.pad(mask, (0, width * cell - mask.shape[-1], 0, height * cell - mask.shape[-2]))
    weight = F.avg_pool2d(padded.unsqueeze(1), cell).flatten(1)
    weight = torch.where(weight.sum(1, keepdim=True) > 0, weight, torch.ones_like(weight))
    share = weight / weight.sum(1, keepdim=True)
    pixels = wide(features).flatten(2)
    return torch.einsum("bcn,bn->bc", pixels, share.to(pixels.dtype))


def soft_cross_entropy(similarity: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows of ``-sum_j Y_ij log softmax(S)_ij``, both ``(B, B)``."""
    return -(targets * similarity.log_softmax(1)).sum(1).mean()


@dataclass(frozen=True)
class TMCALoss:
    """``segmentation (0.5 Dice + 0.5 BCE) + alignment L``, L the mean over four levels and both directions.

    Attributes:
        segmentation, alignment: weights of the two terms.
        softness: b, the share of the soft targets; 0 contrasts each sentence with all others alike.
        sentence_share: a, the share of the sentences in the distance; the masks have the rest.
    """

    segmentation: float = 1.0
    alignment: float = 0.1
    softness: float = 0.5
    sentence_share: float = 0.5

    def __call__(self, output: NetworkOutput, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its unweighted terms by name.

        Args:
            output: of TMCA; outside training, or with its alignment switched off, the second term is 0.
            mask: ``(B, H, W)`` in {0, 1}.
        """
        target = as_target(mask, output.logits)[:, 0]
        segmentation = dice_bce_loss(output.logits, target)
        alignment = segmentation.new_zeros(())
        if "temperature" in output.intermediates:
            alignment = self.align(output.intermediates, target)
        terms = {"segmentation": segmentation, "alignment": alignment}
        return self.segmentation * segmentation + self.alignment * alignment, terms

    def align(self, found: dict[str, Tensor], mask: Tensor) -> Tensor:
        """The contrastive term: mean over the levels, each the mean of image to text and text to image.

        Args:
            found: the intermediates of TMCA's output.
            mask: ``(B, H, W)`` in {0, 1}, float.
        """
        images, sentences = [], []
        for level, cell in enumerate(STRIDES):
            features, sentence, weights = names(level)
            vectors = project(target_vectors(found[features], mask, cell), *(wide(found[name]) for name in weights))
            images.append(F.normalize(vectors, dim=1, eps=NORM_EPS))
            sentences.append(wide(found[sentence]))
        # Sentences and images of all processes are compared, as they are in one.
        masks, vectors, words = gathered(mask, torch.cat(images, 1), torch.cat(sentences, 1))
        targets = self.targets(gathered(found["semantic"])[0] if "semantic" in found else None, masks)
        losses = []
        for image, said in zip(vectors.chunk(len(STRIDES), 1), words.chunk(len(STRIDES), 1), strict=True):
            similarity = image @ said.T / found["temperature"]
            # D is symmetric, so the rows of Y are each direction's own normalised targets.
            losses += [soft_cross_entropy(similarity, targets), soft_cross_entropy(similarity.T, targets)]
        return torch.stack(losses).mean()

    @torch.no_grad()
    def targets(self, sentences: Tensor | None, mask: Tensor) -> Tensor:
        """Y, ``(B, B)``, rows adding up to 1; the identity where there are no sentence vectors to compare."""
        identity = torch.eye(len(mask), device=mask.device, dtype=mask.dtype)
        if sentences is None:
            return identity
        near = (-semantic_distance(sentences, mask, self.sentence_share) / SHARPNESS).softmax(1)
        return (1 - self.softness) * identity + self.softness * near
