"""Channel sum of the product of two group-normalised maps, with a backward pass written out.

TIRNet's consistent detail compensation compares query and key by ``sum_c q_hat k_hat`` with both group-normalised.
Two ``group_norm`` calls, their product and its sum took a third of a training step on CPU: they pass over maps of
full resolution again and again. With ``q_hat = s (q - m)`` and ``k_hat = t (k - n)`` the same sum is

    ``sum_c st q k - st n q - st m k + st m n``

four sums over channels and one product map forwards. Backwards, for the gradient ``g (B, H, W)`` of that sum and a
group of N values,

    ``dq = s (g k_hat - mean(g k_hat) - q_hat mean(g k_hat q_hat))``, the means over the group,

which needs sums over pixels only (matrix products) and one pass that writes ``dq``; the same for ``dk``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

GROUP_EPS = 1e-5


def wide(x: Tensor) -> Tensor:
    """``x`` in float32, or as it is in float64."""
    return x if x.dtype == torch.float64 else x.float()


def weighted_sum(x: Tensor, weight: Tensor) -> Tensor:
    """Channel sum of ``(B, C, H, W)`` with weights ``(B, C)``: ``(B, H, W)`` float32, in one pass over the map."""
    pixels = x.flatten(2).transpose(1, 2)
    total = wide(torch.bmm(pixels, weight.to(x.dtype).unsqueeze(-1)))
    height, width = x.shape[2:]
    return total.view(-1, height, width)


def pixel_sum(x: Tensor, weight: Tensor) -> Tensor:
    """Sum over pixels of ``(B, C, H, W)`` times ``(B, H, W)``: ``(B, C)`` float32, in one pass over the map."""
    total = wide(torch.bmm(x.flatten(2), weight.to(x.dtype).flatten(1).unsqueeze(-1)))
    return total.squeeze(-1)


def group_moments(x: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and reciprocal standard deviation that group normalisation uses, each ``(B, C)`` float32."""
    batch, channels = x.shape[:2]
    if x.dtype == torch.bfloat16:
        # var_mean takes three times as long on CPU; the values are rounded to 8 bits anyway.
        mean = x.mean((2, 3), dtype=torch.float32)
        variance = (x.square().mean((2, 3), dtype=torch.float32) - mean.square()).clamp_min(0)
    else:
        variance, mean = (wide(moment) for moment in torch.var_mean(x, dim=(2, 3), correction=0))
    variance, mean = variance.view(batch, groups, -1), mean.view(batch, groups, -1)
    group_mean = mean.mean(-1, keepdim=True)
    group_variance = (variance + (mean - group_mean).square()).mean(-1, keepdim=True)
    shape = mean.shape
    scale = (group_variance + GROUP_EPS).rsqrt()
    return group_mean.expand(shape).reshape(batch, channels), scale.expand(shape).reshape(batch, channels)


def normalised_product(query: Tensor, key: Tensor, groups: int) -> Tensor:
    """Channel sum of the product of two group-normalised maps: ``(B, C, H, W)`` twice to ``(B, 1, H, W)``, float32."""
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad):
        result: Tensor = _NormalisedProduct.apply(query, key, groups)  # type: ignore[no-untyped-call]
        return result
    return _forward(query, key, group_moments(query, groups), group_moments(key, groups), query * key)


Moments = tuple[Tensor, Tensor]


def _forward(query: Tensor, key: Tensor, of_query: Moments, of_key: Moments, product: Tensor) -> Tensor:
    (m, s), (n, t) = of_query, of_key
    both = s * t
    total = weighted_sum(product, both) - weighted_sum(query, both * n) - weighted_sum(key, both * m)
    return (total + (both * m * n).sum(1)[:, None, None]).unsqueeze(1)


def _group_mean(x: Tensor, groups: int) -> Tensor:
    """Mean of ``(B, C)`` over the channels of each group, given back to each of them."""
    batch, channels = x.shape
    return x.view(batch, groups, -1).mean(-1, keepdim=True).expand(batch, groups, channels // groups).reshape(x.shape)


class _NormalisedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, groups: int) -> Tensor:
        of_query, of_key = group_moments(query, groups), group_moments(key, groups)
        ctx.save_for_backward(query, key, *of_query, *of_key)
        ctx.groups = groups
        return _forward(query, key, of_query, of_key, query * key)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        query, key, m, s, n, t = ctx.saved_tensors
        g = wide(grads[0].squeeze(1))
        pixels = g[0].numel()
        total = g.sum((1, 2)).unsqueeze(1)
        along_query, along_key = pixel_sum(query, g), pixel_sum(key, g)
        # sum over pixels of g q_hat k_hat, of g q_hat and of g k_hat
        both = s * t * (pixel_sum(query * key, g) - n * along_query - m * along_key + m * n * total)
        both = _group_mean(both / pixels, ctx.groups)
        mean_key = _group_mean(t * (along_key - n * total) / pixels, ctx.groups)
        mean_query = _group_mean(s * (along_query - m * total) / pixels, ctx.groups)
        dq = _gradient(query, key, g, (m, s), (n, t), mean_key, both) if ctx.needs_input_grad[0] else None
        dk = _gradient(key, query, g, (n, t), (m, s), mean_query, both) if ctx.needs_input_grad[1] else None
        return dq, dk, None


def _gradient(
    x: Tensor, other: Tensor, g: Tensor, of_x: Moments, of_other: Moments, mean_other: Tensor, mean_both: Tensor
) -> Tensor:
    """``s (g t (other - n) - mean_other - s (x - m) mean_both)`` with as few passes over the maps as there can be."""
    (m, s), (n, t) = of_x, of_other

    def channel(values: Tensor) -> Tensor:
        return values.to(x.dtype)[:, :, None, None]

    found = (other - channel(n)).mul_(g.to(x.dtype).unsqueeze(1)).mul_(channel(s * t))
    found.addcmul_(x, channel(-s * s * mean_both))
    return found.add_(channel(s * (s * m * mean_both - mean_other)))
