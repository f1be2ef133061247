"""Where image and text meet in TMCA: one shared space per level, and the enhancement it directs.

Our reading of the abstract of arXiv 2412.13533; its authors published neither code nor hyper-parameters.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.normalised_product import wide
from LMISCore.networks.places import place_basis

NORM_EPS = 1e-6


class Projector(nn.Module):
    """``Linear, LayerNorm, GELU, Linear`` on the last axis: ``(..., C) -> (..., E)``.

    The loss projects mask-weighted means, which only the loss can form; so the weights travel to it as tensors
    (:meth:`SharedSpace.weights`) and :func:`project` does the arithmetic in both places.
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Linear(channels, embedding)
        self.norm = nn.LayerNorm(embedding)
        self.last = nn.Linear(embedding, embedding)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., C) -> (..., E)``."""
        return project(x, *weights_of(self))


def weights_of(projector: nn.Module) -> tuple[Tensor, ...]:
    """A projector's six weights in the order in which :func:`project` takes them."""
    return tuple(projector.parameters())


def project(x: Tensor, *weights: Tensor) -> Tensor:
    """Apply a :class:`Projector`'s six weights to ``(..., C)``."""
    first, first_bias, scale, shift, last, last_bias = weights
    hidden = F.layer_norm(F.linear(x, first, first_bias), (first.shape[0],), scale, shift)
    return F.linear(F.gelu(hidden), last, last_bias)


class Places(nn.Module):
    """Adds to each pixel's features where in the picture it is: ``(B, C, H, W) -> (B, C, H, W)``.

    Words of place need it: a convolution knows a pixel's place only from the zeros beyond the border.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.5 * torch.randn(channels, 5))

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)`` in, the same shape and type out."""
        height, width = features.shape[-2:]
        basis = place_basis(height, width, features.device).to(self.weight.dtype)
        return features + torch.einsum("cn,nhw->chw", self.weight, basis).to(features.dtype)


class TargetEnhancement(nn.Module):
    """LTEM of one level: ``A = sigmoid(g cos(P F(x), t) + c)``, ``F' = F + z F A``, ``z`` starting at 0.

    ``g`` is a softplus of its parameter and starts at 10, the reciprocal of the temperature usual for such cosines.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gain_raw = nn.Parameter(torch.tensor(10.0))
        self.offset = nn.Parameter(torch.tensor(0.0))
        self.strength = nn.Parameter(torch.tensor(0.0))

    def forward(self, features: Tensor, pixels: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``F' (B, C, H, W)`` and ``A (B, 1, H, W)``.

        Args:
            features: F, ``(B, C, H, W)``.
            pixels: unit vectors of the pixels in the shared space, ``(B, E, H, W)``.
            text: unit vectors of the sentences, ``(B, E)``.
        """
        cosine = torch.einsum("behw,be->bhw", wide(pixels), wide(text)).unsqueeze(1)
        focus = (F.softplus(self.gain_raw) * cosine + self.offset).sigmoid()
        return features * (1 + self.strength * focus).to(features.dtype), focus


class SharedSpace(nn.Module):
    """The projections ``P_l`` of features and of text into one space per level.

    Args:
        widths: channels of the image's levels.
        text_width: D.
        embedding: E, width of the shared space.
    """

    def __init__(self, widths: tuple[int, ...], text_width: int, embedding: int) -> None:
        super().__init__()
        self.image = nn.ModuleList(Projector(channels, embedding) for channels in widths)
        self.text = nn.ModuleList(nn.Linear(text_width, embedding) for _ in widths)

    def pixels(self, level: int, features: Tensor) -> Tensor:
        """Unit vectors ``(B, E, H, W)`` of every pixel of one level."""
        projected = self.image[level](features.permute(0, 2, 3, 1))
        return F.normalize(projected, dim=-1, eps=NORM_EPS).permute(0, 3, 1, 2)

    def weights(self, level: int) -> tuple[Tensor, ...]:
        """The weights of one level's image projection, as :func:`project` takes them."""
        return weights_of(self.image[level])

    def sentence(self, level: int, vector: Tensor) -> Tensor:
        """Unit vector ``(B, E)`` of each sentence's mean state ``(B, D)``; the mean commutes with the projection."""
        return F.normalize(self.text[level](vector), dim=-1, eps=NORM_EPS)


def names(level: int) -> tuple[str, str, tuple[str, ...]]:
    """Names under which a level's features, sentence vector and projection weights travel to the loss."""
    return f"features_{level}", f"sentence_{level}", tuple(f"projection_{level}_{k}" for k in range(6))
