"""Is what the sentence names in the picture at all? A loss on the brightest pixels, where the presence score looks."""

from __future__ import annotations

from torch import Tensor

from LMISCore.networks.collective import cross_entropy_over_all
from LMISCore.networks.normalised_product import wide

# As in inference/presence.py, whose score this trains.
TOP_SHARE = 0.0005


def presence_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of the mean of the k highest logits with whether the mask has any foreground.

    ``k = max(1, round(0.0005 H W))``. A mask of the whole picture asks each pixel alike; a few stray pixels, which make
    an absent finding look present, weigh little there.

    Args:
        logits: ``(B, 1, H, W)``.
        mask: ``(B, H, W)`` or ``(B, 1, H, W)`` in {0, 1}.

    Returns:
        scalar, the mean over the batch.
    """
    pixels = wide(logits).flatten(1)
    count = max(1, round(TOP_SHARE * pixels.shape[-1]))
    highest = pixels.topk(count, dim=-1).values.mean(-1)
    present = mask.to(pixels.dtype).flatten(1).amax(1)
    return cross_entropy_over_all(highest, present)
