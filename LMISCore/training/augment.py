"""Random changes of training pictures, their masks and, where a picture is mirrored, its sentence.

All randomness comes from a NumPy generator of each picture's own, so a step can be repeated bit by bit and a picture's
changes do not depend on what else is in its batch. What was drawn is applied to all pictures of a batch at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from LMISCore.text.places import can_be_mirrored, mirror_sides
from LMISCore.training.sending import sent


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


@dataclass(frozen=True)
class Change:
    """What was drawn for one picture.

    Attributes:
        variant: which of the prepared pictures.
        gamma: power of the plain picture.
        strength: share of the equalised picture.
        exchanged: whether the channels are taken in reverse, for pictures with slice context.
        move: ``(2, 3)`` float32, where each pixel comes from; the flip is part of it.
        warp: ``(2, 6, 6)`` float32, smooth displacement on a coarse grid, shares of half the side.
        gain, offset: contrast around the middle of the range, and brightness.
        blurred: whether the picture is blurred.
        noise: ``(h, w)`` float32; None for none.
    """

    variant: int
    gamma: float
    strength: float
    exchanged: bool
    move: np.ndarray
    warp: np.ndarray
    gain: float
    offset: float
    blurred: bool
    noise: np.ndarray | None


def draw_change(
    options: Augmentation,
    rng: np.random.Generator,
    flip: bool,
    size: tuple[int, int],
    usual: float,
    variants: int = 1,
    context: bool = False,
) -> Change:
    """Draw all changes of one picture, independent of every other one.

    Args:
        options: how strong.
        rng: the picture's own.
        flip: whether it is mirrored, as :func:`mirrored` decided.
        size: ``(h, w)``.
        usual: the convention's own share of the equalised picture; half of the draws keep it.
        variants: number of prepared pictures.
        context: whether the channels are neighbouring slices.
    """
    variant = int(rng.integers(variants))
    gamma = _factor(rng, options.gamma)
    lowest = min(options.strength, usual)
    strength = usual if not options.strength or rng.random() < 0.5 else rng.uniform(lowest, 1.0)
    # The numbers of a set's slices may run to the head or to the feet.
    exchanged = context and rng.random() < options.exchange
    angle = np.deg2rad(rng.uniform(-options.rotate, options.rotate))
    scale = _factor(rng, options.scale)
    sign = -1.0 if flip else 1.0
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    shift = rng.uniform(-2 * options.shift, 2 * options.shift, 2)
    move = np.array([[sign * cos, -sin, shift[0]], [sign * sin, cos, shift[1]]], dtype=np.float32)
    coarse = rng.uniform(-1, 1, (2, 6, 6)) if options.warp else np.zeros((2, 6, 6))
    warp = coarse.astype(np.float32) * np.float32(2 * options.warp)
    gain = _factor(rng, options.contrast)
    offset = rng.uniform(-0.5, 0.5) * options.contrast
    blurred = bool(rng.random() < options.blur)
    noise = None
    if options.noise:
        sigma = rng.uniform(0, options.noise) if rng.random() < 0.5 else 0.0
        if sigma:
            noise = np.float32(sigma) * rng.standard_normal(size, dtype=np.float32)
    return Change(variant, gamma, strength, exchanged, move, warp, gain, offset, blurred, noise)


def mix_intensity(plain: Tensor, equalised: Tensor, changes: Sequence[Change]) -> Tensor:
    """Vary gamma of plain pictures ``(B, C, h, w)`` and their share in the mix with the equalised ones.

    Local equalisation gives the same picture whatever the gamma, so both are computed once and mixed anew each time.

    Args:
        plain, equalised: bytes of [0, 1]; each of their 256 values is looked up, which is exact and takes no power of
            every pixel.
        changes: of each picture.

    Returns:
        ``(B, C, h, w)`` float32 in [0, 1].
    """
    levels = np.arange(256, dtype=np.uint8) / np.float32(255)
    darkened = [(1 - c.strength) * np.power(levels, c.gamma, dtype=np.float32) for c in changes]
    return _looked_up(darkened, plain) + _looked_up([c.strength * levels for c in changes], equalised)


def _looked_up(tables: Sequence[np.ndarray], pictures: Tensor) -> Tensor:
    """Values of bytes ``(B, C, h, w)`` by one table of 256 float32 for each picture."""
    values = sent(torch.from_numpy(np.stack(tables)), pictures.device)
    return values.gather(1, pictures.flatten(1).long()).view(pictures.shape)


def geometric(images: Tensor, masks: Tensor, changes: Sequence[Change]) -> tuple[Tensor, Tensor]:
    """Flip, rotate, scale, shift and warp pictures ``(B, C, H, W)`` together with masks ``(B, K, H, W)`` in {0, 1}.

    Masks are interpolated and cut at half, so that area is kept.
    """
    batch, channels, height, width = images.shape
    theta = sent(torch.from_numpy(np.stack([change.move for change in changes])), images.device)
    grid = F.affine_grid(theta, [batch, 1, height, width], align_corners=False)
    if any(change.warp.any() for change in changes):
        coarse = sent(torch.from_numpy(np.stack([change.warp for change in changes])), images.device)
        smooth = F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
        grid = grid + smooth.permute(0, 2, 3, 1)
    stacked = torch.cat([images, masks.to(images.dtype)], dim=1)
    moved = F.grid_sample(stacked, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved[:, :channels], (moved[:, channels:] > 0.5).to(masks.dtype)


def photometric(images: Tensor, changes: Sequence[Change]) -> Tensor:
    """Change contrast and brightness of pictures ``(B, C, H, W)`` in [0, 1], blur some and add noise to some."""
    gain = _each(images, [change.gain for change in changes])
    out = (images - 0.5) * gain + 0.5 + _each(images, [change.offset for change in changes])
    blurred = [row for row, change in enumerate(changes) if change.blurred]
    if blurred:
        rows = sent(torch.tensor(blurred), images.device)
        smooth = F.avg_pool2d(out.index_select(0, rows), 3, stride=1, padding=1, count_include_pad=False)
        out = out.index_copy(0, rows, smooth)
    noisy = [(row, change.noise) for row, change in enumerate(changes) if change.noise is not None]
    if noisy:
        rows = sent(torch.tensor([row for row, _ in noisy]), images.device)
        noise = sent(torch.from_numpy(np.stack([noise for _, noise in noisy])), images.device)
        out = out.index_add(0, rows, noise.unsqueeze(1).expand(-1, out.shape[1], -1, -1))
    return out.clamp(0, 1)


def _each(like: Tensor, values: Sequence[float]) -> Tensor:
    """One number for each picture, ``(B, 1, 1, 1)``."""
    return sent(torch.tensor(values, dtype=like.dtype), like.device).view(-1, 1, 1, 1)


def _factor(rng: np.random.Generator, largest: float) -> float:
    """A factor between ``1 / (1 + largest)`` and ``1 + largest``, as likely to shrink as to grow."""
    return float(np.exp(rng.uniform(-1, 1) * np.log1p(largest)))
