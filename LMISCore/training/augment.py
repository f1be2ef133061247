"""Random changes of a training picture, its mask and, where the picture is mirrored, its sentence.

All randomness comes from a NumPy generator that the caller passes in, so a step can be repeated bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.text.places import can_be_mirrored, mirror_sides


@dataclass(frozen=True)
class Augmentation:
    """Strength of each change; 0 switches it off.

    Attributes:
        mirror: probability of a left-right flip; the sentence is rewritten, or the flip refused where the sentence
            names an organ that sits on one side.
        rotate: largest rotation, degrees.
        scale: largest change of size; 0.2 means from 1/1.2 to 1.2.
        shift: largest shift, share of the side.
        warp: largest smooth displacement, share of the side.
        gamma: largest change of gamma; 0.4 means from 1/1.4 to 1.4.
        contrast: largest change of contrast and of brightness, share of the range.
        strength: smallest share of the equalised picture in its mix with the plain one (largest: 1).
        noise: largest standard deviation of Gaussian noise, share of the range.
        blur: probability of a slight blur.
        exchange: probability that the slices before and after change places, for pictures with slice context.
    """

    mirror: float = 0.5
    rotate: float = 10.0
    scale: float = 0.2
    shift: float = 0.06
    warp: float = 0.02
    gamma: float = 0.4
    contrast: float = 0.2
    strength: float = 0.4
    noise: float = 0.03
    blur: float = 0.15
    exchange: float = 0.5


def mirrored(texts: Sequence[str], rng: np.random.Generator, probability: float) -> tuple[list[str], bool]:
    """Decide a picture's flip and rewrite its sentences for it; no flip when one of them cannot be mirrored."""
    if rng.random() >= probability or not all(map(can_be_mirrored, texts)):
        return list(texts), False
    return [mirror_sides(text) for text in texts], True


def geometric(
    images: Tensor, masks: Tensor, flips: list[bool], options: Augmentation, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Flip, rotate, scale, shift and warp pictures ``(B, C, H, W)`` together with masks ``(B, K, H, W)`` in {0, 1}.

    Masks are interpolated and cut at half, so that area is kept.
    """
    batch, _, height, width = images.shape
    theta = np.zeros((batch, 2, 3), dtype=np.float32)
    for b in range(batch):
        angle = np.deg2rad(rng.uniform(-options.rotate, options.rotate))
        scale = _factor(rng, options.scale)
        sign = -1.0 if flips[b] else 1.0
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        theta[b, :, :2] = [[sign * cos, -sin], [sign * sin, cos]]
        theta[b, :, 2] = rng.uniform(-2 * options.shift, 2 * options.shift, 2)
    grid = F.affine_grid(torch.from_numpy(theta), [batch, 1, height, width], align_corners=False)
    if options.warp:
        coarse = torch.from_numpy(rng.uniform(-1, 1, (batch, 2, 6, 6)).astype(np.float32)) * 2 * options.warp
        smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
        grid = grid + smooth.permute(0, 2, 3, 1)
    channels = images.shape[1]
    stacked = torch.cat([images, masks.to(images.dtype)], dim=1)
    moved = F.grid_sample(stacked, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved[:, :channels], (moved[:, channels:] > 0.5).to(masks.dtype)


def mix_intensity(
    plain: np.ndarray, equalised: np.ndarray, usual: float, options: Augmentation, rng: np.random.Generator
) -> np.ndarray:
    """Vary gamma of the plain picture ``(h, w)`` and its share in the mix with the equalised one.

    Local equalisation gives the same picture whatever the gamma, so both are computed once and mixed anew each time.

    Args:
        usual: the convention's own share of the equalised picture; half of the draws keep it.
    """
    gamma = _factor(rng, options.gamma)
    lowest = min(options.strength, usual)
    strength = usual if not options.strength or rng.random() < 0.5 else rng.uniform(lowest, 1.0)
    mixed: np.ndarray = (1 - strength) * np.power(plain, gamma, dtype=np.float32) + strength * equalised
    return mixed


def photometric(images: Tensor, options: Augmentation, rng: np.random.Generator) -> Tensor:
    """Change contrast and brightness, blur and add noise, picture by picture ``(B, C, H, W)`` in [0, 1]."""
    out = images.clone()
    for b in range(images.shape[0]):
        gain = _factor(rng, options.contrast)
        offset = rng.uniform(-0.5, 0.5) * options.contrast
        picture = (out[b] - 0.5) * gain + 0.5 + offset
        if rng.random() < options.blur:
            picture = F.avg_pool2d(picture.unsqueeze(0), 3, stride=1, padding=1, count_include_pad=False)[0]
        if options.noise:
            sigma = rng.uniform(0, options.noise) if rng.random() < 0.5 else 0.0
            if sigma:
                noise = rng.standard_normal(tuple(picture.shape[1:]), dtype=np.float32)
                picture = picture + sigma * torch.from_numpy(noise)
        out[b] = picture.clamp(0, 1)
    return out


def _factor(rng: np.random.Generator, largest: float) -> float:
    """A factor between ``1 / (1 + largest)`` and ``1 + largest``, as likely to shrink as to grow."""
    return float(np.exp(rng.uniform(-1, 1) * np.log1p(largest)))
