"""What a prepared network is: a network's copy that only segments, and reads each sentence once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from LMISCore.inference.prepared_layers import Convolution
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput

KEPT_TEXTS = 64


class PreparedNetwork(nn.Module, ABC):
    """A network without gradient, dead branches and normalisations, in the calls of :class:`LanguageGuidedNetwork`.

    Args:
        network: what it was made from; it stays as it is, and its options and meanings are taken over.
        dtype: float32, or bfloat16 for weights and maps of more than one channel.

    Attributes:
        maps_alive: maps of the largest layer's size that take memory at a time, for an estimate; see ``memory``.
    """

    maps_alive: int | None = None

    def __init__(self, network: LanguageGuidedNetwork, dtype: torch.dtype) -> None:
        super().__init__()
        self.name, self.title, self.stride = network.name, network.title, network.stride
        self.MAP_MEANINGS, self.MAP_NUMBER = network.MAP_MEANINGS, network.MAP_NUMBER
        self.text_width = network.text_width
        self.dtype = dtype
        # What the text needs of the network is small and stays in single precision.
        self._texts: OrderedDict[int, tuple[Tensor, Any]] = OrderedDict()

    def use_fused(self, fused: bool) -> None:
        """Whether convolutions run on packed weights; false leaves them to ``torch.compile`` or another device."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.fused = fused

    def use_winograd(self, allowed: bool) -> None:
        """Whether 3x3 convolutions in float32 may take Winograd's products where that pays; before the first image."""
        for module in self.modules():
            if isinstance(module, Convolution):
                module.may_winograd = allowed

    @abstractmethod
    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Everything that is free of text, of ``(B, 3, H, W)`` images in [0, 1]: once per image."""

    @abstractmethod
    def read_text(self, states: Tensor, mask: Tensor) -> Any:
        """Everything that is free of the image, of ``(1, L, D)`` or ``(B, L, D)``: once per sentence."""

    @abstractmethod
    def decode_read(self, features: ImageFeatures, text: Any) -> NetworkOutput:
        """Segment B images by what was read of one sentence, or of one for each."""

    def decode(self, features: ImageFeatures, text_states: Tensor, text_mask: Tensor) -> NetworkOutput:
        """Segment B images by one sentence ``(1, L, D)``, or one for each; a sentence met again is not read again."""
        # The tensor is kept beside the result, so its identity cannot pass to another.
        key = id(text_states)
        if key not in self._texts:
            self._texts[key] = (text_states, self.read_text(text_states, text_mask))
            while len(self._texts) > KEPT_TEXTS:
                self._texts.popitem(last=False)
        return self.decode_read(features, self._texts[key][1])

    def forward(self, image: Tensor, text_states: Tensor, text_mask: Tensor) -> NetworkOutput:
        """Segment B images ``(B, 3, H, W)`` in [0, 1]."""
        return self.decode_read(self.encode_image(image), self.read_text(text_states, text_mask))
