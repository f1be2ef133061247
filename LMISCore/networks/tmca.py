"""TMCA as this project reads it: only the abstract of arXiv 2412.13533 is public to us, no code, no hyper-parameter.

What the abstract names, and what stands for it:

* a module for target-sensitive semantic distance: the loss softens the contrastive targets by how alike two reports
  and two masks are (``semantic_distance``; ``LMISCore.losses.tmca``);
* contrastive alignment at several levels: features weighted by the mask and the sentence meet in one space per level
  (``alignment``);
* a language-guided target enhancement module: ``F' = F + z F sigmoid(g cos(P F, t) + c)`` with the aligned projections
  ``P``, on every skip connection and on what asks the words (``enhancement``).

Each can be switched off. The base is a ConvNeXt encoder and a decoder crossed with text, as the same group released
them for another paper. Two options are this project's own, as in the other networks:

* ``text_scale="fitted"`` scales tokens and sentence vectors by the training set's statistics (``fit_text``), because
  vectors of sentences that differ in one word are otherwise nearly equal;
* ``position=True`` adds to every pixel's features where in the picture it is, for words of place.

No figure of this network may stand beside the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from LMISCore.networks.blocks import as_bool, crop, masked_mean, returning_clamp
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.convnext import LEVELS, ConvNeXt
from LMISCore.networks.normalised_product import wide
from LMISCore.networks.options import check_choice, check_counts, check_depths, check_positive, check_switches
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.networks.text_scaling import SentenceScaling, TokenScaling
from LMISCore.networks.tmca_alignment import Places, SharedSpace, TargetEnhancement, names
from LMISCore.networks.tmca_decoder import DecoderStage, SubpixelHead

TEMPERATURE = 0.07
TEMPERATURE_RANGE = (0.01, 0.5)


class TMCA(LanguageGuidedNetwork):
    """TMCA with any width, picture size and text encoder; our reading of the paper's abstract.

    Args:
        width: C, channels of the finest level (96 in ConvNeXt-Tiny).
        depths: blocks in each of the four levels (3, 3, 9, 3 in ConvNeXt-Tiny).
        embedding: width of the space in which image and text meet.
        text_width: D, the width of the token states the text encoder gives.
        semantic_distance: soften contrastive targets by semantic distance; needs ``alignment`` to have an effect.
        alignment: train the shared space by contrast.
        enhancement: let the aligned text direct the features.
        text_scale: "fitted" or "none".
        position: whether pixels know their place.
        layer_scale: first value of the encoder's own scales, for random weights.
        started_from: what the encoder's first weights were; filled in by :meth:`start_from`, shown on the card.
        auxiliary: whether what only training needs is there; :meth:`stripped` leaves it out.
    """

    name = "tmca"
    title = "TMCA (this project's reading of the abstract of arXiv 2412.13533)"
    NOTE: ClassVar[str] = (
        "TMCA is this project's reading of the paper's abstract: its authors published neither code nor "
        "hyper-parameters, so no figure of it can be compared with theirs."
    )
    stride = ConvNeXt.stride
    MAP_NUMBER: ClassVar[str] = "image level {} of 4, the finest first"
    MAP_MEANINGS: ClassVar[dict[str, str]] = {
        "focus": "where the features are enhanced because they are close to the sentence in the shared space (0 to 1)"
    }

    def __init__(
        self,
        width: int = 96,
        depths: Sequence[int] = (3, 3, 9, 3),
        embedding: int = 256,
        text_width: int = 512,
        semantic_distance: bool = True,
        alignment: bool = True,
        enhancement: bool = True,
        text_scale: Literal["fitted", "none"] = "fitted",
        position: bool = True,
        layer_scale: float = 0.1,
        started_from: str = "",
        auxiliary: bool = True,
    ) -> None:
        super().__init__()
        check_counts(width=width, embedding=embedding, text_width=text_width)
        check_depths(depths, LEVELS)
        check_switches(
            semantic_distance=semantic_distance,
            alignment=alignment,
            enhancement=enhancement,
            position=position,
            auxiliary=auxiliary,
        )
        check_choice("text_scale", text_scale, "fitted", "none")
        check_positive(layer_scale=layer_scale)
        if not isinstance(started_from, str):
            raise ValueError(f"started_from is {started_from!r}, expected words")
        self.text_width = text_width
        self.semantic_distance = semantic_distance
        self.options: dict[str, Any] = {
            "width": width,
            "depths": list(depths),
            "embedding": embedding,
            "text_width": text_width,
            "semantic_distance": semantic_distance,
            "alignment": alignment,
            "enhancement": enhancement,
            "text_scale": text_scale,
            "position": position,
            "layer_scale": layer_scale,
            "started_from": started_from,
            "auxiliary": auxiliary,
        }
        self.encoder = ConvNeXt(width, depths, layer_scale)
        widths = self.encoder.widths
        self.places = nn.ModuleList(Places(channels) for channels in widths) if position else None
        self.text_scale = text_scale
        self.tokens, self.sentences = TokenScaling(text_width), SentenceScaling(text_width)
        contrast = alignment and auxiliary
        self.shared = SharedSpace(widths, text_width, embedding) if contrast or enhancement else None
        self.log_temperature = nn.Parameter(torch.tensor(math.log(TEMPERATURE))) if contrast else None
        self.enhancement = nn.ModuleList(TargetEnhancement() for _ in widths) if enhancement else None
        self.decoder = nn.ModuleList(
            DecoderStage(widths[level], widths[level - 1], text_width) for level in range(LEVELS - 1, 0, -1)
        )
        self.head = SubpixelHead(width)

    def start_from(self, source: str) -> None:
        """Take released weights for the image encoder, see :meth:`ConvNeXt.start_from`."""
        self.options["started_from"] = self.encoder.start_from(source)

    def stripped(self) -> TMCA:
        """The same network without what only training needs; it shares its tensors with this one, or is this one."""
        if self.log_temperature is None:
            return self
        # Its tensors come from this network; memory for random ones is not taken.
        with torch.device("meta"):
            network = TMCA(**{**self.options, "auxiliary": False})
        own = self.state_dict()
        network.load_state_dict({name: own[name] for name in network.state_dict()}, assign=True)
        return network.train(self.training)

    def fit_text(self, text_states: Tensor, text_mask: Tensor) -> None:
        """Measure N training sentences, ``(N, L, D)`` and ``(N, L)``, for scaling and for semantic distance."""
        mask = as_bool(text_mask)
        self.tokens.fit(text_states, mask)
        self.sentences.fit(text_states, mask)

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Everything that is free of text, of ``(B, 3, H, W)`` images in [0, 1].

        The levels are the features of four resolutions, fine to coarse, then (for the enhancement) the unit vectors
        of their pixels in the shared space.
        """
        features: ImageFeatures = self.encoder(image)
        levels: list[Tensor] = list(features.levels)
        if self.places is not None:
            levels = [add(level) for add, level in zip(self.places, levels, strict=True)]
        if self.enhancement is not None:
            assert self.shared is not None
            levels += [self.shared.pixels(number, level) for number, level in enumerate(levels[:LEVELS])]
        return ImageFeatures(tuple(levels), features.size)

    def decode(
        self,
        features: ImageFeatures,
        text_states: Tensor,
        text_mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> NetworkOutput:
        """Segment what one sentence per image says; nothing is drawn, so ``generator`` has no effect."""
        mask = as_bool(text_mask)
        # Padding may hold anything, and infinity times zero is no number.
        states = text_states.masked_fill(~mask.unsqueeze(-1), 0)
        vector = masked_mean(states, mask)
        found = self._for_the_loss(features, vector)
        if self.text_scale == "fitted":
            states, vector = self.tokens(states), self.sentences(vector)
        sentences = [self.shared.sentence(level, vector) for level in range(LEVELS)] if self.shared else []
        levels = list(features.levels[:LEVELS])
        maps: dict[str, Tensor] = {}
        if self.enhancement is not None:
            for level, enhance in enumerate(self.enhancement):
                pixels = features.levels[LEVELS + level]
                levels[level], maps[f"focus_{level + 1}"] = enhance(levels[level], pixels, sentences[level])
        x = levels[-1]
        for stage, skip in zip(self.decoder, reversed(levels[:-1]), strict=True):
            x = stage(x, skip, states, mask)
        logits = crop(self.head(x), features.size)
        if found:
            found.update({names(level)[1]: sentence for level, sentence in enumerate(sentences)})
        return NetworkOutput(logits, maps, found)

    def _for_the_loss(self, features: ImageFeatures, vector: Tensor) -> dict[str, Tensor]:
        """What the alignment is computed from, but the sentences' own projections; in training alone."""
        if self.log_temperature is None or self.shared is None or not self.training:
            return {}
        found = {"temperature": returning_clamp(self.log_temperature.exp(), *TEMPERATURE_RANGE)}
        for level in range(LEVELS):
            features_name, _, weight_names = names(level)
            found[features_name] = features.levels[level]
            found.update(zip(weight_names, self.shared.weights(level), strict=True))
        if self.semantic_distance:
            found["semantic"] = wide(vector) - self.sentences.mean
        return found
