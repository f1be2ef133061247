"""RecLMIS's loss: segmentation, conditioned contrast of sentences and images, and the rebuilt tokens.

Source: arXiv 2404.02845, section on conditioned contrastive learning and conditioned reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.errors import InputError
from LMISCore.losses.overlap import as_target, soft_dice_loss
from LMISCore.networks.collective import cross_entropy_over_all, gathered, mean_over_all
from LMISCore.networks.normalised_product import wide
from LMISCore.networks.outputs import NetworkOutput

SMOOTH = 1e-5


def token_match(
    words: Tensor, word_weights: Tensor, compared: Tensor, patches: Tensor, patch_weights: Tensor
) -> Tensor:
    """How well each sentence fits each image: ``(B, B)``, sentences down, images across.

    The mean of ``sum_t w_t max_v s_tv`` and ``sum_v w_v max_t s_tv`` with cosines s of tokens.

    Args:
        words: ``(B, L, d)`` of length 1, or 0 for padding.
        word_weights: ``(B, L)``.
        compared: ``(B, L)`` bool, words among which the maximum is sought.
        patches: ``(B, N, d)`` of length 1.
        patch_weights: ``(B, N)``.
    """
    similarity = torch.einsum("ald,bnd->abln", words, patches)
    by_words = torch.einsum("abl,al->ab", similarity.amax(3), word_weights)
    # -1 is the lowest cosine there is.
    similarity = similarity.masked_fill(~compared[:, None, :, None], -1)
    by_patches = torch.einsum("abn,bn->ab", similarity.amax(2), patch_weights)
    return (by_words + by_patches) / 2


def contrastive_loss(match: Tensor, left_out: Tensor) -> Tensor:
    """Cross-entropy of each sentence's own image among all, and of each image's own sentence, averaged.

    Args:
        match: ``(B, B)``, scaled.
        left_out: ``(B, B)`` bool, pairs that are no negatives (never the diagonal).
    """
    match = match.masked_fill(left_out, -torch.inf)
    own = torch.arange(len(match), device=match.device)
    return (F.cross_entropy(match, own) + F.cross_entropy(match.T, own)) / 2


def rebuilding_loss(rebuilt: Tensor, target: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean square of ``(B, N, D)`` minus its target over all values, or over the tokens ``counted`` ``(B, N)``."""
    error = (wide(rebuilt) - wide(target)).square().mean(-1)
    return mean_over_all(error, counted)


@dataclass(frozen=True)
class RecLMISLoss:
    """``segmentation (Dice + BCE) / 2 + contrastive CCL + text MSE + image MSE``.

    Attributes:
        segmentation, contrastive, text, image: weights of the four terms; the paper's are 5, 0.2, 1 and 1.
        dice_scale: factor on both arguments of Dice; the release has 0.5, which changes its smoothing constant from
            1e-5 to 4e-5 and nothing else.
    """

    segmentation: float = 5.0
    contrastive: float = 0.2
    text: float = 1.0
    image: float = 1.0
    dice_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.dice_scale <= 0:
            raise InputError(f"The loss's dice_scale is {self.dice_scale}; expected a number above 0.")

    @property
    def compares(self) -> bool:
        """Whether any term needs the network's training-only half."""
        return bool(self.contrastive or self.text or self.image)

    def check_network(self, network: nn.Module) -> None:
        """See that a RecLMIS has the half which the weights ask for.

        Raises:
            InputError: if not.
        """
        if self.compares and getattr(network, "auxiliary", None) is None:
            raise nothing_to_compare()

    def __call__(self, output: NetworkOutput, mask: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and its unweighted terms by name.

        Args:
            output: of RecLMIS in training mode.
            mask: ``(B, H, W)`` in {0, 1}.

        Raises:
            InputError: if terms are asked for that the network gives nothing for; they never drop out by themselves.
        """
        target = as_target(mask, output.logits)
        dice = soft_dice_loss(output.logits, target, SMOOTH / self.dice_scale**2)
        cross_entropy = cross_entropy_over_all(wide(output.logits), target)
        terms = {"segmentation": 0.5 * dice + 0.5 * cross_entropy}
        if self.compares:
            terms |= auxiliary_terms(output.intermediates)
        total = torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()
        return total, terms


def nothing_to_compare() -> InputError:
    """What is wrong when terms are asked for that the network gives nothing for."""
    return InputError(
        "The network gives nothing to compare: it has no training-only parts (auxiliary: false, or a stripped "
        "checkpoint) or is not in training mode; set loss.contrastive, loss.text and loss.image to 0 to train "
        "without them."
    )


def auxiliary_terms(parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The unweighted contrastive and both rebuilding losses of what RecLMIS's training-only half gives.

    Raises:
        InputError: if it gave nothing.
    """
    if "words" not in parts:
        raise nothing_to_compare()
    names = ("words", "word_weights", "words_compared", "patches", "patch_weights")
    # Every sentence is compared with the images of all processes, as it is in one.
    match = token_match(*gathered(*(parts[name] for name in names)))
    return {
        "contrastive": contrastive_loss(parts["scale"] * match, parts["left_out"]),
        "text": rebuilding_loss(parts["text_rebuilt"], parts["text_target"], parts["text_counted"]),
        "image": rebuilding_loss(parts["image_rebuilt"], parts["image_target"]),
    }
