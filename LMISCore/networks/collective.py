"""Sums, means and gathers over all processes of a training, with gradients.

In one process, and wherever ``torch.distributed`` is not begun, every function gives what PyTorch's own would.

With W processes each of them computes the same total loss from what all have, and DistributedDataParallel takes the
mean of their gradients. So the gradient of what a process gave is its own part of the total's, times W; no second
exchange is needed on the way back. That holds only where all processes go on alike with what is returned here.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor


def process_count() -> int:
    """Number of processes that train together; 1 outside of a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def total(x: Tensor) -> Tensor:
    """Sum of every process's ``x``, all of one shape."""
    if process_count() == 1:
        return x
    summed: Tensor = _Total.apply(x)  # type: ignore[no-untyped-call]
    return summed


def mean_over_all(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean of all values of all processes, or of those that are counted; 0 when none is.

    Args:
        values: of any shape, which may differ between processes.
        counted: 1 or true where a value counts, else 0; the same shape. None counts all.
    """
    if process_count() == 1:
        if counted is None:
            return values.mean()
        return (values * counted).sum() / counted.sum().clamp_min(1)
    chosen = values if counted is None else values * counted
    number = values.new_full((), values.numel(), dtype=torch.float64) if counted is None else counted.sum().double()
    # In double precision a number of pixels is exact however many there are.
    both = total(torch.stack([chosen.sum().double(), number]))
    return (both[0] / both[1].clamp_min(1)).to(values.dtype)


def cross_entropy_over_all(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of logits with a target of the same shape, averaged over all values of all processes."""
    if process_count() == 1:
        return F.binary_cross_entropy_with_logits(logits, target)
    return mean_over_all(F.binary_cross_entropy_with_logits(logits, target, reduction="none"))


def gathered(*parts: Tensor) -> tuple[Tensor, ...]:
    """Every process's rows one after the other: each ``(B_r, ...)`` to ``(B, ...)``, B the sum of the B_r.

    Args:
        parts: with equally many rows; numbers of rows may differ between processes, other sides may not.
    """
    if process_count() == 1:
        return parts
    # On the CPU: numbers of rows are needed there, and a GPU would have to be waited for.
    own = torch.tensor([len(parts[0])])
    each = [torch.empty_like(own) for _ in range(process_count())]
    dist.all_gather(each, own)
    rows = tuple(int(number) for number in torch.cat(each).tolist())
    return tuple(_gather(part, rows) for part in parts)


def _gather(part: Tensor, rows: tuple[int, ...]) -> Tensor:
    if part.dtype == torch.bool:
        return _gather(part.to(torch.uint8), rows).bool()
    found: Tensor = _Gather.apply(part, rows)  # type: ignore[no-untyped-call]
    return found


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        summed = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * process_count()


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, rows: tuple[int, ...]) -> Tensor:
        start = sum(rows[: dist.get_rank()])
        ctx.own = slice(start, start + len(part))
        # The backends exchange tensors of one size only.
        padded = part.new_zeros(max(rows), *part.shape[1:])
        padded[: len(part)] = part
        each = [torch.empty_like(padded) for _ in rows]
        dist.all_gather(each, padded)
        return torch.cat([found[:number] for found, number in zip(each, rows, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0][ctx.own] * process_count(), None
