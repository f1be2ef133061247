"""Layers of a network prepared for inference: convolutions with normalisation folded in, on oneDNN's own kernels.

The kernels are those that ``torch.compile`` calls on a processor: weights lie in the order in which the kernel reads
them, and adding another map, ReLU or GELU happens while the result is still in the processor's registers. Calling them
by hand needs neither a C++ compiler nor the half minute a compilation takes. Where they are missing (another device,
another build of torch) the same arithmetic runs on PyTorch's public functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.inference.prepared_winograd import LEAST_GAIN, Winograd, gain
from LMISCore.networks.blocks import ImageEncoder, pad_to_multiple

Activation = Literal["none", "relu", "gelu"]
Skip = TypeVar("Skip")
# Output channels that are worked on in double precision at a time.
PART = 64


def fused_kernels(dtype: torch.dtype) -> bool:
    """Whether this build of torch, on this processor, has the oneDNN kernels that take a packed weight."""
    names = (
        "_convolution_pointwise",
        "_convolution_pointwise_",
        "_convolution_transpose_pointwise",
        "_reorder_convolution_weight",
    )
    if not torch.backends.mkldnn.is_available() or not all(hasattr(torch.ops.mkldnn, name) for name in names):
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def channels_last(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` with the channels of a pixel side by side in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def pixels(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` in channels-last order as ``(B, H W, C)`` without a copy."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that does what both do in inference."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = torch.empty_like(convolution.weight, memory_format=torch.contiguous_format)
    # In parts: in double precision a whole layer would be the largest piece of memory that preparing takes.
    for part in torch.arange(len(scale)).split(PART):
        weight[part] = (convolution.weight[part].double() * scale[part, None, None, None]).float()
    bias = 0.0 if convolution.bias is None else convolution.bias.double()
    return weight, ((bias - norm.running_mean.double()) * scale + norm.bias.double()).float()


def spread(weight: Tensor) -> Tensor:
    """The transposed 4x4 convolution of stride 2 that equals nearest-neighbour x2 and a 3x3 convolution.

    Each of the four output pixels that share an input pixel sees it and three neighbours, so 16 products a pixel
    and channel stand for 36.

    Args:
        weight: ``(O, I, 3, 3)`` of the convolution, with padding 1.

    Returns:
        ``(I, O, 4, 4)`` for a padding of 1.
    """

    def along(values: Tensor, axis: int) -> Tensor:
        first, middle, last = values.unbind(axis)
        return torch.stack([last, middle + last, first + middle, first], axis)

    outputs, inputs = weight.shape[:2]
    found = weight.new_empty(inputs, outputs, 4, 4)
    for part in torch.arange(outputs).split(PART):
        found[:, part] = along(along(weight[part].double(), 2), 3).transpose(0, 1).float()
    return found


class Convolution(nn.Module):
    """Convolution, an optional second map added, an activation: ``(B, I, H, W)`` to ``(B, O, H', W')``.

    Args:
        weight: ``(O, I, k, k)``, odd k, padded so that H' = H; with ``doubling`` ``(I, O, 4, 4)``, H' = 2 H.
        bias: ``(O,)`` or None.
        activation: after the sum.
        dtype: of weights and maps.
        doubling: transposed convolution of stride 2 with padding 1, see :func:`spread`.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None = None,
        activation: Activation = "none",
        dtype: torch.dtype = torch.float32,
        doubling: bool = False,
    ) -> None:
        super().__init__()
        self.activation, self.doubling = activation, doubling
        self.padding = 1 if doubling else weight.shape[-1] // 2
        self.out_channels = weight.shape[1 if doubling else 0]
        own = torch.empty(weight.shape, dtype=dtype, device=weight.device, memory_format=torch.channels_last)
        self.register_buffer("weight", own.copy_(weight.detach()))
        self.register_buffer("bias", None if bias is None else bias.detach().to(dtype, copy=True))
        self.packed: Any = None
        self.packed_bytes = 0
        self.fused = fused_kernels(dtype)
        # Whether 3x3 convolutions in float32 may take Winograd's products; decided by the first map.
        self.may_winograd = True
        self.winograd: Winograd | None = None

    def forward(
        self, x: Tensor, other: Tensor | None = None, bias: Tensor | None = None, reuse: bool = False
    ) -> Tensor:
        """Convolve ``x`` and add a second map.

        Args:
            x: the map.
            other: a map like the result.
            bias: stands for the layer's own.
            reuse: whether the result may be written into ``other``, which spares memory for one map.
        """
        bias = self.bias if bias is None else bias
        if not self.fused or x.device.type != "cpu":
            return self._plain(x, other, bias)
        if self.packed is None and self.winograd is None:
            self._pack(x)
        if self.winograd is not None:
            return self.winograd(x, bias, other, self.activation)  # type: ignore[no-any-return]
        return self._doubled(x, other, bias) if self.doubling else self._fused(x, other, bias, reuse)

    def _fused(self, x: Tensor, other: Tensor | None, bias: Tensor | None, reuse: bool) -> Tensor:
        pads, ones = [self.padding, self.padding], [1, 1]
        if other is None:
            form = "none" if self.activation == "gelu" else ""
            found: Tensor = torch.ops.mkldnn._convolution_pointwise(
                x, self.packed, bias, pads, ones, ones, 1, self.activation, [], form
            )
            return found
        unary = "relu" if self.activation == "relu" else None
        rest: tuple[Any, ...] = (self.packed, bias, pads, ones, ones, 1, "add", 1.0, unary, [], None)
        if reuse and not torch.is_grad_enabled():
            found = torch.ops.mkldnn._convolution_pointwise_.binary(other, x, *rest)
        else:
            found = torch.ops.mkldnn._convolution_pointwise.binary(x, other, *rest)
        # The kernel joins a sum with ReLU only.
        if self.activation == "gelu":
            found = F.gelu(found) if torch.is_grad_enabled() else torch.ops.aten.gelu_.default(found)
        return found

    def _doubled(self, x: Tensor, other: Tensor | None, bias: Tensor | None) -> Tensor:
        activation = self.activation if other is None else "none"
        form = "none" if activation == "gelu" else ""
        found: Tensor = torch.ops.mkldnn._convolution_transpose_pointwise(
            x, self.packed, bias, [1, 1], [0, 0], [2, 2], [1, 1], 1, activation, [], form
        )
        return self._activated(found.add_(other)) if other is not None else found

    def _plain(self, x: Tensor, other: Tensor | None, bias: Tensor | None) -> Tensor:
        if self.weight is None:
            raise RuntimeError("a convolution that was packed for the processor was asked to run on another device")
        if self.doubling:
            found = F.conv_transpose2d(x, self.weight, bias, stride=2, padding=1)
        else:
            found = F.conv2d(x, self.weight, bias, padding=self.padding)
        return self._activated(found if other is None else found + other)

    def _activated(self, x: Tensor) -> Tensor:
        if self.activation == "relu":
            return F.relu_(x) if not torch.is_grad_enabled() else F.relu(x)
        return F.gelu(x) if self.activation == "gelu" else x

    def _pack(self, x: Tensor) -> None:
        """Bring the weight into the order that the kernel wants for maps like ``x``; the ordinary one is let go.

        Other sizes stay right: the kernel then reorders the weight at every call, and Winograd's products may no longer
        be the faster way.
        """
        assert self.weight is not None
        shape, pads = list(x.shape), [self.padding, self.padding]
        # Ordinary tensors, not those of inference mode, so that the network can be used outside it too.
        with torch.inference_mode(False), torch.no_grad():
            if self.pays_winograd(x):
                self.winograd = Winograd(self.weight)
                self.weight = None
                return
            self.packed_bytes = self.weight.numel() * self.weight.element_size()
            if self.doubling:
                self.packed = torch.ops.mkldnn._reorder_convolution_transpose_weight(
                    self.weight, [1, 1], [0, 0], [2, 2], [1, 1], 1, shape
                )
            else:
                self.packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, pads, [1, 1], [1, 1], 1, shape)
        self.weight = None

    def pays_winograd(self, x: Tensor) -> bool:
        """Whether maps like ``x`` are convolved faster by Winograd's products; only their shape is looked at."""
        weight = self.weight
        if weight is None or weight.dtype != torch.float32 or weight.shape[2:] != (3, 3) or not self.may_winograd:
            return False
        return gain(weight.shape[1], weight.shape[0], x.shape[2], x.shape[3]) >= LEAST_GAIN


class PreparedEncoder(nn.Module):
    """The networks' :class:`ImageEncoder` with its normalisations folded in; levels from fine to coarse."""

    def __init__(self, encoder: ImageEncoder, dtype: torch.dtype, keep: bool = True) -> None:
        super().__init__()
        self.stride = encoder.stride
        self.stem = folded_convolution(encoder.stem, dtype, keep)
        self.stages = nn.ModuleList(
            nn.ModuleList(folded_convolution(stage[number], dtype, keep) for number in (1, 2))  # type: ignore[index]
            for stage in encoder.stages
        )

    def forward(self, image: Tensor, of_skips: Sequence[Callable[[Tensor], Skip]]) -> tuple[list[Skip], Tensor]:
        """Encode ``(B, 3, H, W)``.

        Args:
            image: of any size.
            of_skips: what to make of each level but the deepest, from fine to coarse. A level is handed over when it
                was pooled already and is let go then, so one of them is in memory at a time; it may be written into.

        Returns:
            what was made of them, and the deepest level.
        """
        x = self.stem(channels_last(pad_to_multiple(image, self.stride)))
        found = []
        for stage, of_skip in zip(self.stages, of_skips, strict=True):
            pooled = F.max_pool2d(x, 2)
            found.append(of_skip(x))
            x = pooled
            for convolution in stage:  # type: ignore[attr-defined]
                x = convolution(x)
        return found, x


def folded_convolution(block: nn.Module, dtype: torch.dtype, keep: bool = True) -> Convolution:
    """A ``ConvNormReLU`` as one convolution; without ``keep`` the block loses its weights."""
    convolution, norm, _ = block.children()
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    weight, bias = folded(convolution, norm)
    let_go(block, keep)
    return Convolution(weight, bias, activation="relu", dtype=dtype)


def let_go(module: nn.Module, keep: bool = False) -> None:
    """Take a module's weights away unless it is to be kept; whoever else holds them still does."""
    if not keep:
        for part in module.modules():
            for name, _ in list(part.named_parameters(recurse=False)):
                setattr(part, name, None)
