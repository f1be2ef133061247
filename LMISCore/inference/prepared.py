"""A network's copy made ready for inference on a processor: which networks have one, and in which arithmetic."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from LMISCore.inference.prepared_layers import Convolution, folded
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.inference.prepared_reclmis import PreparedRecLMIS
from LMISCore.inference.prepared_tirnet import PreparedTIRNet
from LMISCore.networks import without_training_parts
from LMISCore.networks.reclmis import RecLMIS
from LMISCore.networks.tirnet import ConsistentDetailCompensation, DecoderStage, RetinexTextModulation, TIRNet
from LMISCore.networks.tmca import TMCA


def prepare(network: nn.Module, dtype: torch.dtype = torch.float32, keep: bool = True) -> nn.Module | None:
    """A copy that only segments, faster and smaller.

    Args:
        network: with weights in float32.
        dtype: float32, with masks equal to the network's, or bfloat16; see :func:`runs_under_autocast`.
        keep: whether ``network`` stays as it is; if not, it loses each layer's weights as soon as they were copied and
            is of no use afterwards, unless the result is None.

    Returns:
        the copy, or None for a network that has none: one of another class, or with a part taken out.
    """
    with torch.no_grad():
        if isinstance(network, TIRNet) and _is_whole(network):
            return PreparedTIRNet(network, dtype, keep).eval().requires_grad_(False)
        if isinstance(network, RecLMIS):
            return PreparedRecLMIS(network, dtype, keep).eval().requires_grad_(False)
        if isinstance(network, TMCA):
            return _slimmed(copy.deepcopy(without_training_parts(network)) if keep else network, dtype)
    return None


def runs_under_autocast(network: nn.Module) -> bool:
    """Whether bfloat16 comes to this network through autocast, not from its own weights."""
    return not isinstance(network, PreparedNetwork)


def _is_whole(network: TIRNet) -> bool:
    return all(
        isinstance(stage, DecoderStage)
        and isinstance(stage.rtmb, RetinexTextModulation)
        and isinstance(stage.cdcb, ConsistentDetailCompensation)
        for stage in network.decoder
    )


def _slimmed(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The same class with normalisations folded in and large weights in ``dtype``."""
    slim: Any = without_training_parts(network).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in list(slim.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module, dtype)
    if dtype != torch.float32:
        for module in slim.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # Autocast would bring them to this type at every call.
                module.to(dtype)
    result: nn.Module = slim.requires_grad_(False)
    return result


def _fold(sequence: nn.Sequential, dtype: torch.dtype) -> None:
    """Join normalisations and ReLUs with the convolution before them.

    In float32 3x3 convolutions take the prepared networks' kernels; autocast, which brings bfloat16, knows none.
    """
    children = list(sequence.named_children())
    for (name, first), (following, second) in pairwise(children):
        if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
            continue
        setattr(sequence, following, nn.Identity())
        if dtype != torch.float32 or first.kernel_size != (3, 3):
            setattr(sequence, name, fuse_conv_bn_eval(first, second))
            continue
        last = dict(pairwise(child for child, _ in children)).get(following)
        rectified = last is not None and isinstance(getattr(sequence, last), nn.ReLU)
        setattr(sequence, name, Convolution(*folded(first, second), "relu" if rectified else "none"))
        if last is not None and rectified:
            setattr(sequence, last, nn.Identity())
