"""RecLMIS's decoder stage: the skip connection passes a gate of one number per pixel and joins the enlarged map."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.blocks import ConvNormReLU
from LMISCore.networks.recompute import recomputable
from LMISCore.networks.sparing import norm_relu, rectified_maximum, rectified_mean


class PixelGate(nn.Module):
    """One factor per pixel of ``(B, C, H, W)``, from the channels' mean and maximum: ``(B, 1, H, W)``.

    ``m = mean_c relu(W1 x)``, ``n = max_c relu(W2 x)``, factor ``MLP(m, n, m + n)`` with 6 hidden units and no
    sigmoid, so that it is not bounded.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean = nn.Conv2d(channels, channels, 1, bias=False)
        self.max = nn.Conv2d(channels, channels, 1, bias=False)
        self.mix_in = nn.Linear(3, 6)
        self.mix_out = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the factor of each pixel."""
        mean = rectified_mean(recomputable(self.mean(x), F.conv2d, x, self.mean.weight))
        largest = rectified_maximum(recomputable(self.max(x), F.conv2d, x, self.max.weight))
        factor: Tensor = self.mix_out(F.relu(self.mix_in(torch.stack([mean, largest, mean + largest], dim=-1))))
        return factor.squeeze(-1).unsqueeze(1)


class PreparedSkip(NamedTuple):
    """A stage's share that is free of text: computed once per image, however many sentences are asked of it.

    Attributes:
        part: the first convolution's answer to the gated skip, its bias included, ``(B, C_out, H, W)``.
        gate: the factor of each pixel, ``(B, 1, H, W)``.
    """

    part: Tensor
    gate: Tensor


def enlarged(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` to ``(B, C, 2 H, 2 W)``, each value four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class GatedStage(nn.Module):
    """Nearest-neighbour x2, ``[gate * skip, up]``, two 3x3 convolutions with batch normalisation and ReLU.

    The first convolution is linear, so its answer to the skip's channels and to the others are added: equal to the
    convolution of both joined, and the skip's half need not be repeated for every sentence.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.gate = PixelGate(channels)
        self.first = ConvNormReLU(2 * channels, out_channels)
        self.second = ConvNormReLU(out_channels, out_channels)

    def prepare(self, skip: Tensor) -> PreparedSkip:
        """Gate the skip ``(B, C, H, W)`` and convolve it."""
        gate = self.gate(skip)
        weight, bias = self._convolution()
        gated = recomputable(skip * gate, torch.mul, skip, gate)
        return PreparedSkip(F.conv2d(gated, weight[:, : self.channels], bias, padding=1), gate)

    def forward(self, x: Tensor, part: Tensor) -> Tensor:
        """Join ``x (B, C, H/2, W/2)`` with a prepared skip's ``part``: ``(B, C_out, H, W)``."""
        weight, _ = self._convolution()
        up = recomputable(enlarged(x), enlarged, x)
        joined = norm_relu(self.first[1], F.conv2d(up, weight[:, self.channels :], padding=1).add_(part))
        out: Tensor = self.second(joined)
        return out

    def _convolution(self) -> tuple[Tensor, Tensor | None]:
        convolution = self.first[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution.weight, convolution.bias
