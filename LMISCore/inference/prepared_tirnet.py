"""TIRNet prepared for inference: the same logits with fewer passes over the maps; each rewrite has its test.

* the batch normalisations are folded in; the sentence is projected once, for all stages;
* a pixel's product with the sentence commutes with bilinear interpolation, so it is taken before enlarging;
* the detail ``K - avgpool3(K)`` of ``K = W skip`` is one 3x3 convolution of the skip (bfloat16);
* a group's mean of ``W x`` is ``W mean(x)``: query and key leave their convolution with it subtracted already, so that
  one product and one sum give the agreement, and the group's deviation has nothing to cancel.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.inference.prepared_layers import Convolution, PreparedEncoder, let_go, pixels
from LMISCore.inference.prepared_network import PreparedNetwork
from LMISCore.networks.blocks import crop
from LMISCore.networks.normalised_product import GROUP_EPS
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.networks.places import place_basis
from LMISCore.networks.tirnet import (
    NORM_EPS,
    PLACES,
    TEMPERATURE,
    ConsistentDetailCompensation,
    DecoderStage,
    RetinexTextModulation,
    TIRNet,
)

# Squares of 1 MB at a time.
SQUARES = 2**18


class ReadText(NamedTuple):
    """What one stage needs of a sentence: unit vector ``(B, C)`` and tilt ``(B, 4)`` or None, both over 0.1."""

    direction: Tensor
    tilt: Tensor | None


class CentredProjection(nn.Module):
    """Bias-free 1x1 convolution less each group's mean over the picture, and the groups' reciprocal deviation."""

    means: Tensor

    def __init__(self, convolution: nn.Conv2d, groups: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.groups = groups
        self.project = Convolution(convolution.weight, dtype=dtype)
        # Mean of a group's channels, for each of them.
        weight = convolution.weight.detach().flatten(1)
        means = weight.unflatten(0, (groups, -1)).mean(1, keepdim=True).expand(-1, len(weight) // groups, -1)
        self.register_buffer("means", means.flatten(0, 1).contiguous())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, H, W)`` and ``(B, C)`` float32."""
        middle = -F.linear(_pixel_mean(x), self.means)
        if len(x) == 1:
            projected = self.project(x, bias=middle[0].to(x.dtype))
        else:
            projected = self.project(x).add_(middle.to(x.dtype)[:, :, None, None])
        variance = _square_mean(projected).unflatten(1, (self.groups, -1)).mean(-1, keepdim=True)
        scale = (variance + GROUP_EPS).rsqrt().expand(-1, -1, x.shape[1] // self.groups)
        return projected, scale.flatten(1)


def _pixel_mean(x: Tensor) -> Tensor:
    """Mean over a picture's pixels, ``(B, C)`` float32."""
    if x.dtype == torch.float32:
        return x.mean((2, 3))
    # A sum per row as a matrix product (four times as fast on a processor), the rows' sums in single precision.
    rows = x.permute(0, 2, 3, 1)
    sums = torch.ones(1, rows.shape[2], dtype=x.dtype, device=x.device) @ rows
    return sums.float().sum((1, 2)) / (x.shape[2] * x.shape[3])


def _square_mean(x: Tensor) -> Tensor:
    """Mean of the squares over a picture's pixels, ``(B, C)`` float32."""
    if x.dtype != torch.float32:
        return _pixel_mean(x * x)
    # A few rows at a time, so that the squares stay in the cache.
    rows = max(1, SQUARES // (x.shape[1] * x.shape[3]))
    sums = [(part * part).sum((2, 3)) for part in x.split(rows, 2)]
    return torch.stack(sums).sum(0) / (x.shape[2] * x.shape[3])


class PreparedStage(nn.Module):
    """TIRNet's :class:`DecoderStage` with its scalars worked out."""

    basis: Tensor

    def __init__(self, stage: DecoderStage, dtype: torch.dtype) -> None:
        super().__init__()
        light, detail = stage.rtmb, stage.cdcb
        assert isinstance(light, RetinexTextModulation) and isinstance(detail, ConsistentDetailCompensation)
        channels = stage.up.out_channels
        self.dtype = dtype
        self.up = Convolution(stage.up.weight, stage.up.bias, dtype=dtype)
        self.project, self.place = copy.deepcopy(light.project), copy.deepcopy(light.place)
        self.beta = float(F.softplus(light.beta_raw)) + 1e-4
        self.rho, self.kappa = 2 * float(light.rho_raw.sigmoid()), float(light.kappa_raw.sigmoid())
        self.gamma = float(light.gamma_raw.sigmoid())
        self.steepness = float(detail.delta) * detail.scale
        # One convolution is faster where arithmetic is cheap; three passes over the map are, where it is not.
        self.joined_detail = dtype == torch.bfloat16
        self.skip = Convolution(_detail(stage.skip.weight) if self.joined_detail else stage.skip.weight, dtype=dtype)
        self.key = CentredProjection(detail.key, detail.groups, dtype)
        self.query = CentredProjection(detail.query, detail.groups, dtype)
        first, _, second = detail.base
        assert isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d)
        self.first = Convolution(first.weight, first.bias, "gelu", dtype)
        self.second = Convolution(second.weight, second.bias, dtype=dtype)
        of_base, of_detail, of_light = detail.gate_in.weight.split([channels, channels, 1], dim=1)
        self.of_light = Convolution(of_light, dtype=dtype)
        self.of_detail = Convolution(of_detail, dtype=dtype)
        self.of_base = Convolution(of_base, None, "gelu", dtype)
        self.gate = Convolution(detail.gate_out.weight, detail.gate_out.bias, dtype=dtype)
        self.register_buffer("basis", torch.zeros(PLACES, 0, 0), persistent=False)

    def prepare(self, skip: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Detail and centred key ``(B, C, H, W)`` of a skip, and the key's scale ``(B, C, 1, 1)``."""
        detail = self.skip(skip)
        if not self.joined_detail:
            detail = detail.sub_(F.avg_pool2d(detail, 3, stride=1, padding=1))
        key, scale = self.key(detail)
        return detail, key, scale[:, :, None, None]

    def read(self, vector: Tensor) -> ReadText:
        """What the stage needs of a sentence's vector ``(B, 8C)``."""
        direction = F.normalize(self.project(vector), dim=1, eps=NORM_EPS) / TEMPERATURE
        return ReadText(direction, None if self.place is None else self.place(vector) / TEMPERATURE)

    def forward(
        self, x: Tensor, detail: Tensor, key: Tensor, key_scale: Tensor, text: ReadText
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the stage's output ``(B, C, 2h, 2w)`` and its maps by name."""
        low = self.up(x)
        x = F.interpolate(low, scale_factor=2.0, mode="bilinear", align_corners=False)
        similarity = self._similarity(low, x, text)
        positive = F.avg_pool2d(similarity, 3, stride=1, padding=1).sigmoid()
        negative = (-self.beta * similarity).sigmoid()
        factor = (1 + self.rho * positive) * (1 - self.kappa * negative) + self.gamma
        x = self.first(x.mul_(factor.to(x.dtype)))
        base = self.second(x)
        # Maps of full resolution are let go as soon as they are read: they are most of the memory that a picture takes.
        del low, x, factor
        query, scale = self.query(base)
        both = (scale * key_scale.flatten(1)).to(base.dtype).unsqueeze(-1)
        agreement = pixels(query.mul_(key)) @ both
        del query
        weight = (self.steepness * agreement.float()).sigmoid().view_as(positive)
        detail = detail * weight.to(detail.dtype)
        # One map takes up the three shares of the gate's input, one after the other.
        features = self.of_light(positive.to(base.dtype))
        features = self.of_detail(detail, features, reuse=True)
        features = self.of_base(base, features, reuse=True)
        gate = self.gate(features).float().sigmoid()
        del features
        maps = {
            "similarity": similarity,
            "positive": positive,
            "negative": negative,
            "detail_weight": weight,
            "detail_gate": gate,
        }
        return base.addcmul_(detail, gate.to(base.dtype)), maps

    def _similarity(self, low: Tensor, x: Tensor, text: ReadText) -> Tensor:
        """``A (B, 1, 2h, 2w)`` float32 of the projected map before and after enlarging."""
        height, width = low.shape[-2:]
        product = (pixels(low).float() @ text.direction.unsqueeze(-1)).view(-1, 1, height, width)
        product = F.interpolate(product, scale_factor=2.0, mode="bilinear", align_corners=False)
        length = torch.linalg.vector_norm(x.permute(0, 2, 3, 1), dim=-1).unsqueeze(1).float().clamp_min(NORM_EPS)
        similarity: Tensor = product / length
        if text.tilt is not None:
            if self.basis.shape[-2:] != x.shape[-2:]:
                self.basis = place_basis(x.shape[-2], x.shape[-1], x.device)[:PLACES]
            similarity = similarity + torch.einsum("bn,nhw->bhw", text.tilt, self.basis).unsqueeze(1)
        return similarity


def _detail(weight: Tensor) -> Tensor:
    """3x3 weights of ``K - avgpool3(K)`` for the 1x1 weights ``(O, I, 1, 1)`` of K; zeros beyond the border count."""
    around = torch.full((3, 3), -1 / 9, dtype=weight.dtype, device=weight.device)
    around[1, 1] += 1
    return weight * around


class PreparedTIRNet(PreparedNetwork):
    """See the module's docstring.

    Args:
        network: in evaluation mode.
        dtype: float32 or bfloat16.
        keep: false to take the network's weights away as they are copied.
    """

    maps_alive = 8

    def __init__(self, network: TIRNet, dtype: torch.dtype, keep: bool = True) -> None:
        super().__init__(network, dtype)
        self.numbers = network.STAGES
        self.encoder = PreparedEncoder(network.encoder, dtype, keep)
        self.stages = nn.ModuleList()
        for stage in network.decoder:
            assert isinstance(stage, DecoderStage)
            self.stages.append(PreparedStage(stage, dtype))
            let_go(stage, keep)
        self.text = SentenceReader(network)
        self.head = Convolution(network.head.weight, network.head.bias, dtype=dtype)

    def encode_image(self, image: Tensor) -> ImageFeatures:
        prepared, deepest = self.encoder(image.to(self.dtype), [stage.prepare for stage in reversed(self.stages)])
        size = (image.shape[-2], image.shape[-1])
        return ImageFeatures((*(tensor for stage in prepared for tensor in stage), deepest), size)

    def read_text(self, states: Tensor, mask: Tensor) -> list[ReadText]:
        vector = self.text(states, mask)
        return [stage.read(vector) for stage in self.stages]  # type: ignore[operator]

    def decode_read(self, features: ImageFeatures, text: list[ReadText]) -> NetworkOutput:
        *prepared, x = features.levels
        triples = [prepared[first : first + 3] for first in range(0, len(prepared), 3)]
        maps: dict[str, Tensor] = {}
        for number, stage, triple, read in zip(self.numbers, self.stages, reversed(triples), text, strict=True):
            x, found = stage(x, *triple, read)
            maps.update({f"{name}_{number}": value for name, value in found.items()})
        return NetworkOutput(crop(self.head(x).float(), features.size), maps)


class SentenceReader(nn.Module):
    """The network's own :meth:`TIRNet.sentence_vector` with nothing of the network but what it reads."""

    text_mean: Tensor
    text_deviation: Tensor

    def __init__(self, network: TIRNet) -> None:
        super().__init__()
        self.pool, self.text_scale = network.pool, network.text_scale
        self.text_projection = copy.deepcopy(network.text_projection)
        if self.text_scale == "fitted":
            self.register_buffer("text_mean", network.text_mean.clone())
            self.register_buffer("text_deviation", network.text_deviation.clone())

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """``(B, L, D)`` and ``(B, L)`` to ``(B, 8C)``."""
        return TIRNet.sentence_vector(self, states, mask)  # type: ignore[arg-type]
