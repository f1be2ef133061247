"""Operations of a network's call, counted as it runs.

The counter of PyTorch knows matrix products and convolutions; normalisation, pooling and products of maps count
nothing, here as in the papers' figures. What it does not know is added: the packed kernels of the prepared copies, by
the shape of what they give, and fused attention, which is made of matrix products while it is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from LMISCore.inference.prepared_layers import Convolution


def gflop(run: Callable[[], object]) -> float:
    """Counted operations of a call in 10^9, two for each multiply-add."""
    # The fused attention kernels are not in the counter's list; this one is made of matrix products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops()) / 1e9


def gflop_of_products(copy: Any, run: Callable[[], object]) -> float:
    """Operations in 10^9 of a prepared network as it runs: Winograd's products in place of the convolutions they are.

    Args:
        copy: the prepared network.
        run: a call of it.
    """
    direct = 0.0

    def count(layer: Convolution, given: Any, found: Tensor) -> None:
        nonlocal direct
        if layer.winograd is None and layer.fused:
            # The packed kernels are not in the counter's list.
            share = 4 if layer.doubling else (2 * layer.padding + 1) ** 2
            direct += 2 * share * given[0].shape[1] * found.numel() / 1e9

    hooks = [layer.register_forward_hook(count) for layer in copy.modules() if isinstance(layer, Convolution)]
    products = gflop(run)
    for hook in hooks:
        hook.remove()
    return products + direct
