"""Batch normalisation over the batch of all processes.

On CUDA that is PyTorch's own SyncBatchNorm, which runs on accelerators only; on the CPU it is the class below, so that
training in several processes is the same there.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from LMISCore.networks.collective import process_count, total
from LMISCore.networks.normalised_product import wide


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation whose statistics in training are those of all processes' rows; outside it is the usual one.

    The numbers of rows may differ between processes.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        """Any input ``(B, C, ...)`` is taken."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, ...)``; in training the running statistics move, alike in every process."""
        if not self.training or process_count() == 1:
            return super().forward(input)
        normalised, mean, variance, number = _Shared.apply(input, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._keep(mean, variance, float(number))
        return normalised  # type: ignore[no-any-return]

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor, number: float) -> None:
        """Move the running statistics as PyTorch does: with the variance's unbiased estimate."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_((variance * (number / max(1.0, number - 1))).to(self.running_var.dtype), share)


class _Shared(torch.autograd.Function):
    """``y = (x - m) / sqrt(v + eps) * weight + bias`` with mean and variance over all processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(x.dim()) if axis != 1]
        values = wide(x)
        number = values.new_tensor([x.numel() / x.shape[1]])
        # A process without rows has neither mean nor variance, and counts nothing.
        none = values.new_zeros(x.shape[1])
        variance, mean = torch.var_mean(values, dim=axes, correction=0) if x.numel() else (none, none)
        own = torch.cat([mean, variance, number])
        each = [torch.empty_like(own) for _ in range(process_count())]
        dist.all_gather(each, own)
        means, variances, numbers = torch.stack(each).split([x.shape[1], x.shape[1], 1], dim=1)
        everyone = numbers.sum()
        mean = (means * numbers).sum(0) / everyone
        # What the processes' means differ by belongs to the variance too.
        variance = ((variances + (means - mean).square()) * numbers).sum(0) / everyone
        ctx.mark_non_differentiable(mean, variance, everyone)
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), everyone)
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps), mean, variance, everyone

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale, everyone = ctx.saved_tensors
        shape = [1, -1] + [1] * (x.dim() - 2)
        axes = [axis for axis in range(x.dim()) if axis != 1]
        gradient = wide(gradients[0])
        standard = (wide(x) - mean.view(shape)) * scale.view(shape)
        of_bias, of_weight = gradient.sum(axes), (gradient * standard).sum(axes)
        # The statistics are everybody's, so their gradient is everybody's sum; weight and bias stay each process's own.
        both = torch.stack([of_bias, of_weight])
        dist.all_reduce(both)
        shared = (both / everyone).view(2, *shape)
        found = (scale * weight).view(shape) * (gradient - shared[0] - standard * shared[1])
        return found.to(x.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None


def share_norms(network: nn.Module, device: torch.device) -> nn.Module:
    """Exchange a network's batch normalisations for shared ones with the same weights, on the device it lies on."""
    if device.type == "cuda":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return converted
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(network, name, _shared(child))
        else:
            share_norms(child, device)
    return network


def _shared(norm: _BatchNorm) -> SharedBatchNorm:
    found = SharedBatchNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    for name, value in [*norm.named_parameters(recurse=False), *norm.named_buffers(recurse=False)]:
        setattr(found, name, value)
    return found.train(norm.training)


@torch.no_grad()
def average_statistics(network: nn.Module) -> None:
    """Give all processes the mean of their running statistics, where each normalises by its own share of the batch."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    kept = [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]
    if not kept:
        return
    mean = total(torch.cat(kept)) / process_count()
    for value, part in zip(kept, mean.split([len(value) for value in kept]), strict=True):
        value.copy_(part)
