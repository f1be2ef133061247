"""3x3 convolutions with 4 multiplications in place of 16: Winograd's minimal filtering F(4x4, 3x3), in float32.

Sixteen neighbouring results of a 3x3 convolution come out of a 6x6 patch of the map by 36 products for each pair of
channels, not 144 (A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016,
arXiv:1509.09308, equation 12). The 36 products are 36 matrix products over all patches; patches are taken a band at a
time, so that what lies between the three steps stays in the processor's cache. Rounding grows from some 4e-7 to 9e-7
(root mean square, 256 channels, maps of order one); bfloat16 has not the digits for it.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from math import prod

import torch
from torch import Tensor, nn

# Results of a patch along one axis, and its pixels.
RESULTS, PATCH = 4, 6
# Where the polynomials are taken, besides infinity. With the paper's 0, 1, -1, 2, -2 rounding is twice as large
# (why: B. Barabasz et al., ACM TOMS 2020, arXiv:1803.10986).
POINTS = (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2))
# Patches of 64 channels at a time, fewer of more: 4 MB, which two cores' second caches hold, and which the C library
# does not ask of the system anew for every band.
PATCHES, CHANNELS = 448, 64
# Fewer patches than this do not pay for reading weights that are four times as large.
FEWEST_PATCHES = 32
# What bringing one channel of a patch in and out costs, in multiply-adds of the direct convolution, and how much
# slower a multiply-add is in 36 smaller products; from times of 64 to 512 channels on maps of 14 to 224 pixels.
COST_IN, COST_OUT, COST_PRODUCT = 3800, 1900, 1.15
# The estimate is up to a tenth too high where two threads share a memory.
LEAST_GAIN = 1.15
# Output channels whose filters are worked out in double precision at a time.
PART = 64


@functools.cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """The matrices of F(4, 3) for ``POINTS`` and infinity, float64.

    Returns:
        of a patch ``(6, 6)``, of a filter ``(6, 3)`` and of the results ``(4, 6)``: for a patch d and a filter g,
        ``results @ ((filters @ g) * (patches @ d))`` holds ``sum_k g[k] d[i + k]`` for i = 0 to 3.
    """
    patches, filters = [], []
    for point in POINTS:
        others = [other for other in POINTS if other != point]
        patches.append([*_polynomial(others), Fraction(0)])
        scale = prod(point - other for other in others)
        filters.append([point**power / scale for power in range(3)])
    patches.append(_polynomial(list(POINTS)))
    filters.append([Fraction(0), Fraction(0), Fraction(1)])
    results = [[*(point**power for point in POINTS), Fraction(power == RESULTS - 1)] for power in range(RESULTS)]
    return _matrix(patches), _matrix(filters), _matrix(results)


def _polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients of the product of ``(x - root)``, from the constant on."""
    found = [Fraction(1)]
    for root in roots:
        found = [high - root * low for high, low in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def _matrix(rows: list[list[Fraction]]) -> Tensor:
    return torch.tensor([[float(value) for value in row] for row in rows], dtype=torch.float64)


def gain(inputs: int, outputs: int, height: int, width: int) -> float:
    """How many times faster than the direct convolution this one is expected to be; 0 for too small a map."""
    rows, columns = -(-height // RESULTS), -(-width // RESULTS)
    if rows * columns < FEWEST_PATCHES:
        return 0.0
    patch = COST_PRODUCT * PATCH**2 * inputs * outputs + COST_IN * inputs + COST_OUT * outputs
    return 9 * inputs * outputs * height * width / (patch * rows * columns)


class Winograd(nn.Module):
    """A 3x3 convolution of float32 maps on a processor, with padding 1, a second map added and an activation.

    Args:
        weight: ``(O, I, 3, 3)``.
    """

    filters: Tensor
    of_patch: Tensor
    of_results: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.out_channels = len(weight)
        patches, filters, results = transforms()
        found = weight.new_empty(PATCH**2, weight.shape[1], self.out_channels)
        # In parts: in double precision a whole layer's would be eight times as large as its weights.
        for part in torch.arange(self.out_channels).split(PART):
            products = torch.einsum("ik,ockl,jl->ijco", filters, weight[part].detach().double(), filters)
            found[:, :, part] = products.flatten(0, 1).float()
        self.register_buffer("filters", found)
        self.register_buffer("of_patch", torch.kron(patches, patches).float())
        self.register_buffer("of_results", torch.kron(results, results).float())

    @torch.no_grad()
    def forward(self, x: Tensor, bias: Tensor | None, other: Tensor | None, activation: str) -> Tensor:
        """``(B, I, H, W)`` to ``(B, O, H, W)`` in channels-last order, without gradient.

        Args:
            x: the map.
            bias: ``(O,)``, added.
            other: a map like the result, added.
            activation: "none", "relu" or "gelu", of the sum.
        """
        x = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        rows, columns = -(-height // RESULTS), -(-width // RESULTS)
        out = x.new_empty(batch, height, width, self.out_channels)
        band = max(1, PATCHES * CHANNELS // max(channels, self.out_channels) // (batch * columns))
        for first in range(0, rows, band):
            last = min(rows, first + band)
            part = slice(first * RESULTS, last * RESULTS)
            there = out[:, part]
            beside = None if other is None else other.permute(0, 2, 3, 1)[:, part]
            # While the band is still in the cache.
            _write(self._band(x, first, last, columns), there, beside, bias)
            if activation == "relu":
                there.relu_()
            elif activation == "gelu":
                torch.ops.aten.gelu_.default(there)
        return out.permute(0, 3, 1, 2)

    def _band(self, x: Tensor, first: int, last: int, columns: int) -> Tensor:
        """Results ``(B, n, 4, m, 4, O)`` of ``(B, H, W, I)`` for its rows of patches from ``first`` to ``last``."""
        batch, _, _, channels = x.shape
        rows = _framed(x, first * RESULTS - 1, last * RESULTS + 1, columns * RESULTS + 2)
        of_batch, of_row, of_column, _ = rows.stride()
        patches = rows.as_strided(
            (PATCH, PATCH, batch, last - first, columns, channels),
            (of_row, of_column, of_batch, RESULTS * of_row, RESULTS * of_column, 1),
        )
        patches = self.of_patch @ patches.reshape(PATCH**2, -1)
        products = torch.bmm(patches.view(PATCH**2, -1, channels), self.filters)
        results = self.of_results @ products.view(PATCH**2, -1)
        shape = (RESULTS, RESULTS, batch, last - first, columns, self.out_channels)
        return results.view(shape).permute(2, 3, 0, 4, 1, 5)


def _framed(x: Tensor, top: int, bottom: int, across: int) -> Tensor:
    """Rows ``top`` to ``bottom`` and columns from -1 on, ``across`` of them, of ``(B, H, W, C)`` in zeros."""
    batch, height, width, channels = x.shape
    framed = x.new_empty(batch, bottom - top, across, channels)
    start, stop = max(0, -top), min(height, bottom) - top
    framed[:, :start].zero_()
    framed[:, stop:].zero_()
    framed[:, start:stop, :1].zero_()
    framed[:, start:stop, width + 1 :].zero_()
    framed[:, start:stop, 1 : width + 1] = x[:, start + top : stop + top]
    return framed


def _write(results: Tensor, there: Tensor, other: Tensor | None, bias: Tensor | None) -> None:
    """Put ``results (B, n, 4, m, 4, O)``, ``other`` and ``bias`` together into ``there (B, h, w, O)``, h <= 4 n."""
    added = [summand for summand in (other, bias) if summand is not None]
    if results.numel() == there.numel():
        there = there.view(results.shape)
        if other is not None:
            added[0] = other.reshape(results.shape)
    else:
        results = results.flatten(3, 4).flatten(1, 2)[:, : there.shape[1], : there.shape[2]]
    if not added:
        there.copy_(results)
        return
    torch.add(results, added[0], out=there)
    for summand in added[1:]:
        there.add_(summand)
