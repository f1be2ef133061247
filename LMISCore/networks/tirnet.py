"""TIRNet: text as illumination of image features (arXiv 2606.27794).

Written from the paper and a written specification of the released arithmetic, not from the released files.
Each decoder stage has two parts, with the paper's names:

* RTMB, the Retinex-inspired text modulation block: the sentence lights the pixels it speaks of and darkens the others;
* CDCB, the consistent detail compensation block: detail of the skip connection is let through where it fits.

``variant="release"`` repeats the authors' arithmetic; the default changes four things, each a named option:

* ``pool="tokens"``: the release averages the padding into the sentence vector, so the same sentence gives another
  mask with another padded length; the default averages real tokens only.
* ``gate_scale="sqrt"``: the release feeds the plain channel sum of two normalised maps to a sigmoid, which is
  saturated from the first step (its standard deviation is sqrt(C)); the default divides by sqrt(C).
* ``text_scale="fitted"``: sentence encoders give nearly the same vector for sentences that differ in one word (MiniLM's
  for "... in the left lung." and "... in the right lung." have a cosine of 0.963), and the network then learns to
  ignore the text (600 steps of the bundled recipe left 50 % of the foreground on the named side); the default
  subtracts the mean and divides by the standard deviation of the training set's sentence vectors (``fit_text``).
* ``position=True``: words of place need to know where a pixel is, which a convolutional encoder learns only slowly
  from its zero padding; the default lets the sentence tilt the light of each stage along rows and columns:
  ``A = (cos(X, p) + q . (row, column, row^2, column^2)) / tau`` with q linear in the sentence vector.

Either part can be taken out, to see what it is worth, by ``rtmb=False`` and ``cdcb=False``; what stands in its place
then is in ``tirnet_plain``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.blocks import ImageEncoder, as_bool, crop, largest_group, masked_mean
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.normalised_product import normalised_product, weighted_sum, wide
from LMISCore.networks.options import check_choice, check_counts, check_switches
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.networks.places import place_basis
from LMISCore.networks.recompute import recomputable
from LMISCore.networks.text_scaling import mean_and_deviation, sentence_vectors
from LMISCore.networks.tirnet_plain import SentenceAddition, SkipAddition

Variant = Literal["default", "release"]

TEMPERATURE = 0.1
NORM_EPS = 1e-6
# Row, column and their squares; their product is not among them.
PLACES = 4


def cosine_map(x: Tensor, vector: Tensor) -> Tensor:
    """Cosine of each pixel's features with one vector: ``(B, C, H, W), (B, C) -> (B, 1, H, W)`` float32."""
    dot = weighted_sum(x, F.normalize(wide(vector), dim=1, eps=NORM_EPS))
    # Not vector_norm: in bfloat16 its backward pass works in float32, and takes three times as long.
    length = weighted_sum(recomputable(x * x, torch.square, x), torch.ones_like(vector)).clamp_min(NORM_EPS**2).sqrt()
    cosine: Tensor = dot / length
    return cosine.unsqueeze(1)


class RetinexTextModulation(nn.Module):
    """RTMB: light the pixels that are similar to the sentence, darken those that are not.

    ``A = cos(X, p) / tau``, ``L+ = sigmoid(avgpool3(A))``, ``L- = sigmoid(-beta A)``,
    ``Y = X (1 + rho L+)(1 - kappa L-) + gamma X`` with four learned scalars in their ranges.
    """

    def __init__(self, channels: int, text_channels: int, position: bool) -> None:
        super().__init__()
        self.project = nn.Linear(text_channels, channels)
        self.place = nn.Linear(text_channels, PLACES, bias=False) if position else None
        if self.place is not None:
            nn.init.zeros_(self.place.weight)
        # softplus(0.5413) = 1: beta starts at 1 as in the paper.
        self.beta_raw = nn.Parameter(torch.tensor(0.5413))
        self.rho_raw = nn.Parameter(torch.tensor(0.0))
        self.kappa_raw = nn.Parameter(torch.tensor(0.0))
        self.gamma_raw = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return ``Y (B, C, H, W)``, ``A``, ``L+`` and the logits of ``L-``, the last three ``(B, 1, H, W)``."""
        beta = F.softplus(self.beta_raw) + 1e-4
        rho, kappa, gamma = 2 * self.rho_raw.sigmoid(), self.kappa_raw.sigmoid(), self.gamma_raw.sigmoid()
        similarity = cosine_map(x, self.project(text)) / TEMPERATURE
        if self.place is not None:
            basis = place_basis(x.shape[-2], x.shape[-1], x.device)[:PLACES].to(similarity.dtype)
            tilt = torch.einsum("bn,nhw->bhw", wide(self.place(text)), basis).unsqueeze(1)
            similarity = similarity + tilt / TEMPERATURE
        positive = F.avg_pool2d(similarity, 3, stride=1, padding=1).sigmoid()
        negative_logits = -beta * similarity
        # One per-pixel factor instead of three products over all channels: same value, a third of the memory traffic.
        factor = (1 + rho * positive) * (1 - kappa * negative_logits.sigmoid()) + gamma
        factor = factor.to(x.dtype)
        return recomputable(x * factor, torch.mul, x, factor), similarity, positive, negative_logits


def refinement(channels: int) -> nn.Sequential:
    """Two 3x3 convolutions of the lit features: CDCB's base."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1), nn.GELU(), nn.Conv2d(channels, channels, 3, padding=1)
    )


class ConsistentDetailCompensation(nn.Module):
    """CDCB: add the skip's detail ``D = K - avgpool3(K)`` where it agrees with the lit base.

    ``W = sigmoid(delta sum_c q k)``, ``G = sigmoid(conv([B, W D, L+]))``, output ``B + G W D``.
    """

    def __init__(self, channels: int, scale_gate: bool) -> None:
        super().__init__()
        self.base = refinement(channels)
        self.query = nn.Conv2d(channels, channels, 1, bias=False)
        self.key = nn.Conv2d(channels, channels, 1, bias=False)
        self.gate_in = nn.Conv2d(2 * channels + 1, channels, 3, padding=1, bias=False)
        self.gate_out = nn.Conv2d(channels, 1, 1)
        self.delta = nn.Parameter(torch.tensor(1.0))
        self.groups = largest_group(channels)
        self.scale = channels**-0.5 if scale_gate else 1.0

    def detail(self, skip: Tensor) -> tuple[Tensor, Tensor]:
        """Detail ``D`` of the projected skip ``(B, C, H, W)`` and its key; free of text, so once per image."""
        detail = skip - F.avg_pool2d(skip, 3, stride=1, padding=1)
        return detail, self.key(detail)

    def forward(self, lit: Tensor, detail: Tensor, key: Tensor, positive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the stage's output ``(B, C, H, W)`` and the maps ``W`` and ``G``, each ``(B, 1, H, W)``."""
        base = self.base(lit)
        agreement = normalised_product(self.query(base), key, self.groups)
        weight = (self.delta * self.scale * agreement).sigmoid()
        share = weight.to(detail.dtype)
        detail = recomputable(detail * share, torch.mul, detail, share)
        gate = self.gate_out(F.gelu(self._gate_features(base, detail, positive))).sigmoid()
        return base + gate * detail, weight, gate

    def _gate_features(self, base: Tensor, detail: Tensor, positive: Tensor) -> Tensor:
        """``gate_in`` of the three maps side by side, as the sum of three convolutions.

        The same value without a map of 2 C + 1 channels: convolutions with an odd number of channels, and the copies
        into and out of that map, took a tenth of a training step on CPU.
        """
        channels = base.shape[1]
        of_base, of_detail, of_light = self.gate_in.weight.split([channels, channels, 1], dim=1)
        found: Tensor = F.conv2d(base, of_base, padding=1) + F.conv2d(detail.to(base.dtype), of_detail, padding=1)
        return found + F.conv2d(positive.to(base.dtype), of_light, padding=1)


def enlarged(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` to ``(B, C, 2 H, 2 W)``, bilinear."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class DecoderStage(nn.Module):
    """Upsample, light with the text, add fitting detail of the skip."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: int,
        out_channels: int,
        text_channels: int,
        scale_gate: bool,
        position: bool,
        rtmb: bool = True,
        cdcb: bool = True,
    ) -> None:
        super().__init__()
        self.up = nn.Conv2d(in_channels, out_channels, 1)
        self.skip = nn.Conv2d(skip_channels, out_channels, 1, bias=False)
        self.rtmb: RetinexTextModulation | SentenceAddition = (
            RetinexTextModulation(out_channels, text_channels, position)
            if rtmb
            else SentenceAddition(out_channels, text_channels)
        )
        self.cdcb: ConsistentDetailCompensation | SkipAddition = (
            ConsistentDetailCompensation(out_channels, scale_gate) if cdcb else SkipAddition(refinement(out_channels))
        )

    def prepare(self, skip: Tensor) -> tuple[Tensor, Tensor]:
        """What the stage needs of its skip connection, free of text: detail and key, each ``(B, C_out, 2h, 2w)``."""
        projected: Tensor = self.skip(skip)
        return self.cdcb.detail(projected) if isinstance(self.cdcb, ConsistentDetailCompensation) else (projected,) * 2

    def forward(
        self, x: Tensor, detail: Tensor, key: Tensor, text: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Return the output ``(B, C_out, 2h, 2w)``, the stage's maps by name and, with RTMB, the logits of ``L-``."""
        # A 1x1 convolution commutes with bilinear interpolation (weights sum to 1): a quarter of the work before it.
        small = self.up(x)
        x = recomputable(enlarged(small), enlarged, small)
        maps: dict[str, Tensor] = {}
        negative_logits: Tensor | None = None
        if isinstance(self.rtmb, RetinexTextModulation):
            lit, similarity, positive, negative_logits = self.rtmb(x, text)
            maps |= {"similarity": similarity, "positive": positive, "negative": negative_logits.sigmoid()}
        else:
            lit = self.rtmb(x, text)
            positive = self.rtmb.light(lit)
        if isinstance(self.cdcb, ConsistentDetailCompensation):
            out, weight, gate = self.cdcb(lit, detail, key, positive)
            maps |= {"detail_weight": weight, "detail_gate": gate}
        else:
            out = self.cdcb(lit, detail)
        return out, maps, negative_logits


class TIRNet(LanguageGuidedNetwork):
    """TIRNet with any base width, image size and text encoder.

    Args:
        width: base width C (64 in the paper).
        text_width: D, the width of the token states the text encoder gives.
        variant: "release" for the authors' arithmetic, "default" for ours (see the module's docstring).
        pool: "tokens" or "release"; None takes the variant's.
        gate_scale: "sqrt" or "none"; None takes the variant's.
        text_scale: "fitted" or "none"; None takes the variant's.
        position: whether the sentence can tilt the light along rows and columns; None takes the variant's.
        rtmb, cdcb: whether the decoder has that part; see the module's docstring.
    """

    name = "tirnet"
    title = "TIRNet (arXiv 2606.27794)"
    stride = ImageEncoder.stride
    STAGES = (4, 3, 2, 1)
    MAP_NUMBER: ClassVar[str] = "decoder stage {}"
    text_mean: Tensor
    text_deviation: Tensor
    MAP_MEANINGS: ClassVar[dict[str, str]] = {
        "similarity": "cosine of the pixel's features with the sentence, and its place in the picture, over 0.1",
        "positive": "light: where the sentence brightens the features (0 to 1)",
        "negative": "shade: where the sentence darkens the features (0 to 1)",
        "detail_weight": "where fine detail of the image agrees with the lit features (0 to 1)",
        "detail_gate": "how much of that detail is let through (0 to 1)",
    }

    def __init__(
        self,
        width: int = 64,
        text_width: int = 512,
        variant: Variant = "default",
        pool: Literal["tokens", "release"] | None = None,
        gate_scale: Literal["sqrt", "none"] | None = None,
        text_scale: Literal["fitted", "none"] | None = None,
        position: bool | None = None,
        rtmb: bool = True,
        cdcb: bool = True,
    ) -> None:
        super().__init__()
        check_counts(width=width, text_width=text_width)
        check_choice("variant", variant, "default", "release")
        self.pool = pool or ("release" if variant == "release" else "tokens")
        self.gate_scale = gate_scale or ("none" if variant == "release" else "sqrt")
        self.text_scale = text_scale or ("none" if variant == "release" else "fitted")
        position = variant != "release" if position is None else position
        check_choice("pool", self.pool, "tokens", "release")
        check_choice("gate_scale", self.gate_scale, "sqrt", "none")
        check_choice("text_scale", self.text_scale, "fitted", "none")
        check_switches(position=position, rtmb=rtmb, cdcb=cdcb)
        self.text_width = text_width
        self.options: dict[str, Any] = {
            "width": width,
            "text_width": text_width,
            "variant": variant,
            "pool": self.pool,
            "gate_scale": self.gate_scale,
            "text_scale": self.text_scale,
            "position": position,
            "rtmb": rtmb,
            "cdcb": cdcb,
        }
        text_channels = 8 * width
        self.encoder = ImageEncoder(width)
        if self.text_scale == "fitted":
            self.register_buffer("text_mean", torch.zeros(text_width))
            self.register_buffer("text_deviation", torch.ones(text_width))
        self.text_projection = nn.Conv1d(text_width, text_channels, 3, padding=1)
        c = width
        shapes = ((8 * c, 8 * c, 4 * c), (4 * c, 4 * c, 2 * c), (2 * c, 2 * c, c), (c, c, c))
        self.decoder = nn.ModuleList(
            DecoderStage(a, s, o, text_channels, self.gate_scale == "sqrt", position, rtmb, cdcb) for a, s, o in shapes
        )
        self.head = nn.Conv2d(c, 1, 1)

    @torch.no_grad()
    def fit_text(self, text_states: Tensor, text_mask: Tensor) -> None:
        """Keep mean and standard deviation of N training sentences' mean states, for ``text_scale="fitted"``.

        Args:
            text_states: ``(N, L, D)``.
            text_mask: ``(N, L)``, true on real tokens.
        """
        if self.text_scale != "fitted":
            return
        mean, deviation = mean_and_deviation(sentence_vectors(text_states, as_bool(text_mask)))
        self.text_mean.copy_(mean.to(self.text_mean.dtype))
        self.text_deviation.copy_(deviation.to(self.text_mean.dtype))

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Everything that is free of text, of ``(B, 3, H, W)`` images in [0, 1].

        The levels are detail and key of each decoder stage, fine to coarse, then the encoder's deepest features.
        """
        features: ImageFeatures = self.encoder(image)
        *skips, deepest = features.levels
        prepared: list[Tensor] = []
        for stage, skip in zip(reversed(self.decoder), skips, strict=True):
            prepared += stage.prepare(skip)  # type: ignore[operator]
        return ImageFeatures((*prepared, deepest), features.size)

    def sentence_vector(self, text_states: Tensor, text_mask: Tensor) -> Tensor:
        """Project token states ``(B, L, D)`` and average them over the tokens: ``(B, 8C)``."""
        mask = as_bool(text_mask)
        if self.text_scale == "fitted":
            text_states = (text_states - self.text_mean) / self.text_deviation
        if self.pool == "tokens":
            text_states = text_states * mask.unsqueeze(-1).to(text_states.dtype)
        projected = self.text_projection(text_states.transpose(1, 2)).transpose(1, 2)
        return masked_mean(projected, mask) if self.pool == "tokens" else projected.mean(1)

    def decode(
        self,
        features: ImageFeatures,
        text_states: Tensor,
        text_mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> NetworkOutput:
        """Segment what one sentence per image says; nothing is drawn, so ``generator`` has no effect."""
        text = self.sentence_vector(text_states, text_mask)
        *prepared, x = features.levels
        details, keys = prepared[::2], prepared[1::2]
        maps: dict[str, Tensor] = {}
        intermediates: dict[str, Tensor] = {}
        for number, stage, detail, key in zip(
            self.STAGES, self.decoder, reversed(details), reversed(keys), strict=True
        ):
            x, stage_maps, negative_logits = stage(x, detail, key, text)
            maps.update({f"{name}_{number}": value for name, value in stage_maps.items()})
            if negative_logits is not None:
                intermediates[f"negative_logits_{number}"] = negative_logits
        return NetworkOutput(crop(self.head(x), features.size), maps, intermediates)
