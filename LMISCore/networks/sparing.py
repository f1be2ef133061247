"""Operations of the convolutional networks that keep one map for their way back where PyTorch's own keep two.

Each is PyTorch's own outside of :func:`recomputing`; inside it has the same values, and the same gradients but for
rounding. A convolution with normalisation and ReLU then keeps its result alone; what the next convolution reads is made
of it again.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from LMISCore.networks.recompute import Recipe, is_recomputing, recomputable

aten: Any = torch.ops.aten


def norm_relu(norm: nn.Module, x: Tensor) -> Tensor:
    """``relu(norm(x))`` of maps ``(B, C, H, W)``."""
    # Normalisations over several processes are other classes, and may not be asked twice.
    usual = type(norm) is nn.BatchNorm2d and norm.training and norm.momentum is not None and norm.track_running_stats
    if not usual or not is_recomputing():
        return F.relu(norm(x), inplace=True)
    assert isinstance(norm, nn.BatchNorm2d) and norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    again: list[weakref.ref[Recipe]] = []
    result, mean, scale = _NormReLU.apply(  # type: ignore[no-untyped-call]
        x, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.momentum, norm.eps, again
    )
    return recomputable(result, _normed(norm.eps), x, norm.weight, norm.bias, mean, scale, again=again)


def _normed(eps: float) -> Any:
    def make(x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        return F.batch_norm(x, mean, scale.pow(-2) - eps, weight, bias, False, 0.0, eps).relu_()

    return make


class _NormReLU(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        momentum: float,
        eps: float,
        again: list[weakref.ref[Recipe]],
    ) -> tuple[Tensor, Tensor, Tensor]:
        out, batch_mean, scale = aten.native_batch_norm(x, weight, bias, mean, variance, True, momentum, eps)
        ctx.mark_non_differentiable(batch_mean, scale)
        ctx.save_for_backward(x, weight, bias, batch_mean, scale)
        ctx.eps, ctx.again = eps, again
        return out.relu_(), batch_mean, scale

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, mean, scale = ctx.saved_tensors
        recipe = ctx.again[0]()
        result = _normed(ctx.eps)(x, weight, bias, mean, scale) if recipe is None else recipe()
        gradient = aten.threshold_backward(gradients[0], result, 0)
        del result, recipe
        found = aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, ctx.eps, list(ctx.needs_input_grad[:3])
        )
        return (*found, None, None, None, None, None)


def max_pool(x: Tensor) -> Tensor:
    """2x2 maxima: ``(B, C, H, W)`` to ``(B, C, H / 2, W / 2)``.

    PyTorch keeps their places too, in 64 bits each, which in bfloat16 is as much as the map itself.
    """
    if not is_recomputing():
        return F.max_pool2d(x, 2)
    pooled: Tensor = _MaxPool.apply(x)  # type: ignore[no-untyped-call]
    return recomputable(pooled, _pooled, x)


def _pooled(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 2)


class _MaxPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.max_pool2d(x, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        _, places = F.max_pool2d(x, 2, return_indices=True)
        found: Tensor = aten.max_pool2d_with_indices_backward(
            gradients[0], x, [2, 2], [2, 2], [0, 0], [1, 1], False, places
        )
        return found


def rectified_mean(x: Tensor) -> Tensor:
    """Mean over the channels of ``relu(x)``: ``(B, C, H, W)`` to ``(B, H, W)``."""
    if not is_recomputing():
        return F.relu(x).mean(1)
    mean: Tensor = _RectifiedMean.apply(x)  # type: ignore[no-untyped-call]
    return mean


class _RectifiedMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.relu(x).mean(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        share = (gradients[0] / x.shape[1]).unsqueeze(1).expand_as(x)
        found: Tensor = aten.threshold_backward(share, x, 0)
        return found


def rectified_maximum(x: Tensor) -> Tensor:
    """Maximum over the channels of ``relu(x)``: ``(B, C, H, W)`` to ``(B, H, W)``."""
    # The maximum commutes with ReLU; taken first it is applied to one channel.
    if not is_recomputing():
        return F.relu(x.amax(1))
    largest: Tensor = _RectifiedMaximum.apply(x)  # type: ignore[no-untyped-call]
    return largest


class _RectifiedMaximum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return F.relu(x.amax(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Sought anew: a map that was made again may differ from the first one's maximum by rounding.
        (x,) = ctx.saved_tensors
        largest = x.amax(1, keepdim=True)
        share = aten.threshold_backward(gradients[0].unsqueeze(1), largest, 0)
        # Equal largest values share the gradient, as they do in PyTorch.
        equal = (x == largest).to(x.dtype)
        found: Tensor = equal.mul_(share / equal.sum(1, keepdim=True))
        return found


class MaxPool(nn.Module):
    """:func:`max_pool` as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        return max_pool(x)
