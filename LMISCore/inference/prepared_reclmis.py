"""RecLMIS prepared for inference: the same logits with fewer passes over the maps; each rewrite has its test.

* the training-only half and the batch normalisations are gone;
* nearest-neighbour x2 and the 3x3 convolution after it are one transposed convolution (float32), or the convolution
  takes the prepared skip's share and ReLU along (bfloat16, where a pass over the map costs more than its arithmetic);
* the gate's two 1x1 convolutions are one, its third input ``m + n`` goes into the weights of the other two;
* words are projected once per sentence.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.inference.prepared_layers import (
    Convolution,
    PreparedEncoder,
    channels_last,
    folded,
    folded_convolution,
    let_go,
    pixels,
    spread,
)
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.networks.blocks import as_bool, crop
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.networks.reclmis import RecLMIS
from LMISCore.networks.reclmis_gate import GatedStage, PixelGate


class ReadText(NamedTuple):
    """A sentence's projected words ``(B, L, d)`` and their mask ``(B, L)``."""

    words: Tensor
    mask: Tensor


class PreparedGate(nn.Module):
    """A :class:`PixelGate` with one convolution and two inputs to its perceptron."""

    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor
    even: Tensor

    def __init__(self, gate: PixelGate, dtype: torch.dtype) -> None:
        super().__init__()
        self.channels = gate.mean.out_channels
        self.both = Convolution(torch.cat([gate.mean.weight, gate.max.weight]), activation="relu", dtype=dtype)
        mean, largest, together = gate.mix_in.weight.detach().unbind(1)
        self.register_buffer("inner", torch.stack([mean + together, largest + together], 1))
        self.register_buffer("inner_bias", gate.mix_in.bias.detach()[:, None].clone())
        self.register_buffer("outer", gate.mix_out.weight.detach().clone())
        self.register_buffer("outer_bias", gate.mix_out.bias.detach()[:, None].clone())
        self.register_buffer("even", torch.full((self.channels, 1), 1 / self.channels, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """The factor of each pixel ``(B, 1, H, W)`` float32."""
        height, width = x.shape[-2:]
        answers = pixels(self.both(x))
        mean = (answers[..., : self.channels] @ self.even)[..., 0]
        largest = _largest(answers[..., self.channels :])
        found = self.inner @ torch.stack([mean, largest], 1).float()
        factor = self.outer @ F.relu(found + self.inner_bias) + self.outer_bias
        return factor.view(len(x), 1, height, width)


def _largest(x: Tensor) -> Tensor:
    """The largest of the last axis of values of at least 0.

    As whole numbers bfloat16 values from 0 on have the same order, and a processor compares those three times as fast.
    """
    if x.dtype == torch.bfloat16 and x.device.type == "cpu" and not torch.compiler.is_compiling():
        return x.view(torch.int16).amax(-1).view(torch.bfloat16)
    return x.amax(-1)


class PreparedStage(nn.Module):
    """A :class:`GatedStage` split into the skip's share and the enlarged map's."""

    def __init__(self, stage: GatedStage, dtype: torch.dtype, keep: bool = True) -> None:
        super().__init__()
        self.gate = PreparedGate(stage.gate, dtype)
        convolution, norm, _ = stage.first
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        weight, bias = folded(convolution, norm)
        let_go(stage.first, keep)
        of_skip, of_map = weight[:, : stage.channels], weight[:, stage.channels :]
        self.skip = Convolution(of_skip, bias, dtype=dtype)
        self.doubling = dtype == torch.float32
        self.up = Convolution(spread(of_map) if self.doubling else of_map, None, "relu", dtype, self.doubling)
        self.second = folded_convolution(stage.second, dtype, keep)

    def prepare(self, skip: Tensor) -> tuple[Tensor, Tensor]:
        """The gated skip's share ``(B, C_out, H, W)`` and the gate ``(B, 1, H, W)``; the skip is written into."""
        gate = self.gate(skip)
        return self.skip(skip.mul_(gate.to(skip.dtype))), gate

    def forward(self, x: Tensor, part: Tensor) -> Tensor:
        if not self.doubling:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        # The enlarged map is let go before the next one comes.
        x = self.up(x, part)
        out: Tensor = self.second(x)
        return out


class PreparedRecLMIS(PreparedNetwork):
    """See the module's docstring.

    Args:
        network: in evaluation mode.
        dtype: float32 or bfloat16.
        keep: false to take the network's weights away as they are copied.
    """

    maps_alive = 4

    def __init__(self, network: RecLMIS, dtype: torch.dtype, keep: bool = True) -> None:
        super().__init__(network, dtype)
        self.numbers = network.STAGES
        self.hides_padding = network.padding == "masked"
        self.encoder = PreparedEncoder(network.encoder, dtype, keep)
        self.text_scaling = copy.deepcopy(network.text_scaling)
        self.text_projection = copy.deepcopy(network.text_projection)
        self.interactor = copy.deepcopy(network.interactor).to(dtype)
        let_go(network.interactor, keep)
        self.stages = nn.ModuleList(
            PreparedStage(stage, dtype, keep) for stage in network.decoder if isinstance(stage, GatedStage)
        )
        assert network.head.bias is not None
        self.head = Convolution(network.head.weight, network.head.bias, dtype=dtype)

    def encode_image(self, image: Tensor) -> ImageFeatures:
        prepared, deepest = self.encoder(image.to(self.dtype), [stage.prepare for stage in reversed(self.stages)])
        parts, gates = zip(*prepared, strict=True)
        size = (image.shape[-2], image.shape[-1])
        return ImageFeatures((*parts, deepest, *gates), size)

    def read_text(self, states: Tensor, mask: Tensor) -> ReadText:
        mask = as_bool(mask)
        if self.text_scaling is not None:
            states = self.text_scaling(states)
        if self.hides_padding:
            states = states.masked_fill(~mask.unsqueeze(-1), 0)
        words = self.text_projection(states.transpose(1, 2)).transpose(1, 2)
        return ReadText(words.to(self.dtype), mask)

    def decode_read(self, features: ImageFeatures, text: ReadText) -> NetworkOutput:
        count = len(self.numbers)
        parts, deepest, gates = features.levels[:count], features.levels[count], features.levels[count + 1 :]
        batch, _, height, width = deepest.shape
        words, mask = text.words.expand(batch, -1, -1), text.mask.expand(batch, -1)
        _, patches, looked_at = self.interactor(deepest, words, mask)
        x = channels_last(patches.transpose(1, 2).unflatten(2, (height, width)))
        for stage, part in zip(self.stages, reversed(parts), strict=True):
            x = stage(x, part)
        attention = (looked_at * looked_at.shape[1]).unflatten(1, (height, width)).unsqueeze(1)
        maps = {"attention": attention} | {
            f"gate_{number}": gate for number, gate in zip(self.numbers, reversed(gates), strict=True)
        }
        return NetworkOutput(crop(self.head(x).float(), features.size), maps)
