"""What every network takes in from the image and gives back: two small types shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageFeatures:
    """Text-free features of a batch of images, computed once and shared by all sentences asked of them.

    Attributes:
        levels: feature maps from fine to coarse, each ``(B, C_l, H_l, W_l)``.
        size: ``(H, W)`` of the images before padding to the network's stride; logits are cropped back to it.
    """

    levels: tuple[Tensor, ...]
    size: tuple[int, int]

    def rows(self, index: slice | Tensor) -> ImageFeatures:
        """Return the features of some images of the batch."""
        return ImageFeatures(tuple(level[index] for level in self.levels), self.size)

    def repeat(self, count: int) -> ImageFeatures:
        """Repeat the batch ``count`` times (b0 b1 ... b0 b1 ...), to pair each image with several sentences.

        By concatenation, because that keeps the memory format and has a cheap backward pass; one time costs nothing.
        """
        if count == 1:
            return self
        return ImageFeatures(tuple(torch.cat([level] * count) for level in self.levels), self.size)


class NetworkOutput(NamedTuple):
    """Result of one call. A named tuple, because torch.export knows it without registration.

    Attributes:
        logits: ``(B, 1, H, W)``; the probability is their sigmoid.
        maps: explanation maps by name, each ``(B, 1, h, w)`` at its own resolution; each network's ``MAP_MEANINGS``
            says in one line what a name means.
        intermediates: further tensors that only the network's own loss reads.
    """

    logits: Tensor
    maps: dict[str, Tensor] = {}  # noqa: RUF012
    intermediates: dict[str, Tensor] = {}  # noqa: RUF012
