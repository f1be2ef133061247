"""What every network is to the rest of the package: the same call, whatever is inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from LMISCore.networks.blocks import check_inputs
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput


class LanguageGuidedNetwork(nn.Module, ABC):
    """A network that segments what a sentence says of an image.

    Attributes:
        name: in cards and recipes.
        title: with its source, for people.
        stride: images are padded to a multiple of it; any size is taken.
        options: what rebuilds the network; kept in cards.
        text_width: D, the width of the token states the text encoder gives.
        MAP_MEANINGS: one line for each explanation map, by name without its number.
        MAP_NUMBER: what the number at the end of a map's name counts, with a place for it.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    stride: ClassVar[int]
    options: dict[str, Any]
    text_width: int
    MAP_MEANINGS: ClassVar[dict[str, str]]
    MAP_NUMBER: ClassVar[str]

    @abstractmethod
    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Everything that is free of text, of ``(B, 3, H, W)`` images in [0, 1]: once per image."""

    @abstractmethod
    def decode(
        self,
        features: ImageFeatures,
        text_states: Tensor,
        text_mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> NetworkOutput:
        """Segment what one sentence per image says.

        Args:
            features: of ``encode_image`` for B images.
            text_states: ``(B, L, D)``.
            text_mask: ``(B, L)``, true on real tokens.
            generator: what training draws follows it; None for the global one. Nothing is drawn in inference.
        """

    def forward(
        self, image: Tensor, text_states: Tensor, text_mask: Tensor, generator: torch.Generator | None = None
    ) -> NetworkOutput:
        """Segment B images ``(B, 3, H, W)`` in [0, 1] with one sentence each."""
        check_inputs(image, text_states, text_mask, self.text_width)
        return self.decode(self.encode_image(image), text_states, text_mask, generator)

    def traceable(self) -> tuple[tuple[nn.Module, str], ...]:
        """Modules and those of their methods that a compiler can follow from end to end: nothing in them is drawn from
        a generator, and no shape depends on a value."""
        return (self, "encode_image"), (self, "decode")
