"""Building blocks shared by the networks: the convolutional image encoder and text pooling.

The encoder is the one RecLMIS (arXiv 2404.02845) and TIRNet (arXiv 2606.27794) share: 3x3 convolutions with bias,
batch normalisation, ReLU, and a 2x2 max-pooling before each of four stages.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.outputs import ImageFeatures
from LMISCore.networks.sparing import MaxPool, norm_relu


class ConvNormReLU(nn.Sequential):
    """3x3 convolution with bias, batch normalisation, ReLU: ``(B, C_in, H, W) -> (B, C_out, H, W)``."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        convolution, norm, _ = self
        return norm_relu(norm, convolution(x))


class ImageEncoder(nn.Module):
    """Five-level convolutional encoder: ``(B, 3, H, W)`` in [0, 1] to widths C, 2C, 4C, 8C, 8C at 1/1 ... 1/16.

    Args:
        width: base width C (64 in both papers).
    """

    stride = 16

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 8 * width, 8 * width)
        self.widths = widths
        self.stem = ConvNormReLU(3, width)
        self.stages = nn.ModuleList(
            nn.Sequential(MaxPool(), ConvNormReLU(a, b), ConvNormReLU(b, b)) for a, b in pairwise(widths)
        )

    def forward(self, image: Tensor) -> ImageFeatures:
        """Pad to a multiple of the stride (edge values repeated) and return the five levels, fine to coarse."""
        height, width = image.shape[-2:]
        x = self.stem(pad_to_multiple(image, self.stride))
        levels = [x]
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return ImageFeatures(tuple(levels), (height, width))


def pad_to_multiple(image: Tensor, stride: int) -> Tensor:
    """Pad ``(B, C, H, W)`` at the bottom and right so that the stride divides both sides; edge values are repeated."""
    bottom, right = -image.shape[-2] % stride, -image.shape[-1] % stride
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if bottom or right else image


def crop(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo :func:`pad_to_multiple` on ``(B, C, H', W')``."""
    return logits[..., : size[0], : size[1]]


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Mean of token states ``(B, L, D)`` over the tokens where ``mask`` ``(B, L)`` is true; ``(B, D)``."""
    weight = mask.to(states.dtype).unsqueeze(-1)
    return (states * weight).sum(1) / weight.sum(1).clamp_min(1)


def largest_group(channels: int, candidates: tuple[int, ...] = (32, 16, 8, 4, 2, 1)) -> int:
    """Return the largest number of groups among ``candidates`` that divides ``channels``."""
    return next(groups for groups in candidates if channels % groups == 0)


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def check_inputs(image: Tensor, states: Tensor, mask: Tensor, text_width: int) -> None:
    """Say in one sentence which input has the wrong shape.

    Raises:
        ValueError: if the image is not ``(B, 3, H, W)``, the states not ``(B, L, D)`` with this network's D, or the
            mask not ``(B, L)``.
    """
    if image.dim() != 4 or image.shape[1] != 3:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected (B, 3, H, W); repeat a grey image thrice")
    if states.dim() != 3 or states.shape[-1] != text_width:
        raise ValueError(
            f"text states have shape {tuple(states.shape)}, expected (B, L, {text_width}); "
            "use the text encoder named in the checkpoint's card"
        )
    if mask.shape != states.shape[:2] or states.shape[0] != image.shape[0]:
        raise ValueError(
            f"text mask has shape {tuple(mask.shape)} and batch {image.shape[0]} images, "
            f"expected a mask {tuple(states.shape[:2])} and as many images as sentences"
        )


def as_bool(mask: Tensor) -> Tensor:
    """Return a padding mask as booleans, true on real tokens."""
    return mask if mask.dtype == torch.bool else mask != 0


def returning_clamp(x: Tensor, low: float, high: float) -> Tensor:
    """``x`` kept between ``low`` and ``high``, with the gradient that leads back from beyond them.

    ``torch.clamp`` has no gradient outside its range: a learned value that once stepped over stays there for good.
    """
    clamped: Tensor = _ReturningClamp.apply(x, low, high)  # type: ignore[no-untyped-call]
    return clamped


class _ReturningClamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.range = low, high
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (x,), (low, high), gradient = ctx.saved_tensors, ctx.range, gradients[0]
        # A step goes against the gradient.
        outwards = ((x > high) & (gradient < 0)) | ((x < low) & (gradient > 0))
        return gradient.masked_fill(outwards, 0), None, None
