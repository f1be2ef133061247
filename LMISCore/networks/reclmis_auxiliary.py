"""RecLMIS's training-only half: words and patches of interest, hidden tokens rebuilt, and tokens for the contrast.

Nothing of it touches the logits; a network without it segments alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.blocks import masked_mean, returning_clamp
from LMISCore.networks.collective import gathered
from LMISCore.networks.normalised_product import wide
from LMISCore.networks.places import place_waves, word_waves
from LMISCore.networks.randomness import draw_hidden
from LMISCore.networks.reclmis_interest import Interest, TokenMixer
from LMISCore.networks.reclmis_reconstruct import Reconstructor

CONSTANT_SCALE = 100.0
# CLIP's start; the constant is also what a learned scale may not exceed.
START_SCALE = 1 / 0.07
SAME = 1e-5


@dataclass(frozen=True)
class AuxiliaryOptions:
    """What the training-only half is built with; the network's docstring says what each means."""

    layers: int
    hide_words: float
    hide_patches: float
    interest_dropout: float
    contrast_weights: str
    order: str
    target: str
    padding: str
    repeats: str
    learned_scale: bool
    released_layout: bool


class Tokens(NamedTuple):
    """What segmentation has made of a batch, as the training-only half reads it.

    Attributes:
        states: T_clip, the text encoder's token states (scaled where the network scales them), ``(B, L, D)``.
        mask: ``(B, L)`` bool, true on real tokens.
        words: T, ``(B, L, d)``.
        seen: T', ``(B, L, d)``.
        raw: V, patches of the deepest map, ``(B, N, d)``.
        patches: V', ``(B, N, d)``.
        grid: (h, w) of the patches, h w = N.
    """

    states: Tensor
    mask: Tensor
    words: Tensor
    seen: Tensor
    raw: Tensor
    patches: Tensor
    grid: tuple[int, int]


class Auxiliary(nn.Module):
    """Gives RecLMIS's loss what it compares.

    Args:
        width: d.
        text_width: D.
        options: see ``AuxiliaryOptions``.
    """

    def __init__(self, width: int, text_width: int, options: AuxiliaryOptions) -> None:
        super().__init__()
        self.options = options
        bias = options.released_layout
        self.mixer = TokenMixer(width)
        self.word_interest = Interest(width, options.interest_dropout, bias)
        self.patch_interest = Interest(width, options.interest_dropout, bias)
        causal = options.order == "causal"
        self.image_from_text = Reconstructor(width, options.layers, causal)
        self.text_from_image = Reconstructor(width, options.layers, causal)
        # The release has equal widths and nothing in between.
        self.text_out = nn.Identity() if text_width == width else nn.Linear(width, text_width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(START_SCALE))) if options.learned_scale else None

    def interest(self, tokens: Tokens) -> tuple[Tensor, Tensor]:
        """Log weights of words ``(B, L)`` and patches ``(B, N)``, both float32."""
        mixed = self.mixer(tokens.seen, tokens.mask if self.options.padding == "masked" else None)
        return self.word_interest(mixed, tokens.mask), self.patch_interest(tokens.patches)

    def forward(
        self,
        tokens: Tokens,
        generator: torch.Generator | None = None,
        hidden_words: Tensor | None = None,
        hidden_patches: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Everything that ``RecLMISLoss`` reads, by name.

        Args:
            tokens: of the batch.
            generator: draws the tokens to hide; None for the global one.
            hidden_words, hidden_patches: ``(B, L)`` and ``(B, N)`` bool, instead of a draw.
        """
        words_log, patches_log = self.interest(tokens)
        if hidden_words is None:
            hidden_words = draw_hidden(words_log, self.options.hide_words, tokens.mask, generator)
        if hidden_patches is None:
            hidden_patches = draw_hidden(patches_log, self.options.hide_patches, None, generator)
        weights = words_log.exp(), patches_log.exp()
        found = self.rebuild(tokens, weights, hidden_words, hidden_patches)
        return found | self._contrast(tokens, *weights)

    def rebuild(
        self, tokens: Tokens, weights: tuple[Tensor, Tensor], hidden_words: Tensor, hidden_patches: Tensor
    ) -> dict[str, Tensor]:
        """Images from words and words from images, with what they are compared to; arguments as in ``forward``."""
        options = self.options
        mask = tokens.mask if options.padding == "masked" else None
        words = tokens.words.masked_fill(hidden_words.unsqueeze(-1), 0)
        patches = tokens.raw.masked_fill(hidden_patches.unsqueeze(-1), 0)
        if options.order == "waves":
            length, width = words.shape[1:]
            counted = torch.ones_like(tokens.mask) if mask is None else mask
            words = words + word_waves(counted.sum(1), length, width).to(words.dtype)
            patches = patches + place_waves(*tokens.grid, width, patches.device).to(patches.dtype)
        image = self.image_from_text(tokens.words, weights[0], patches, mask, None)
        text = self.text_out(self.text_from_image(tokens.raw, weights[1], words, None, mask))
        return {
            "image_rebuilt": image,
            "image_target": tokens.patches if options.target == "moving" else tokens.patches.detach(),
            "text_rebuilt": text,
            "text_target": tokens.states,
            "text_counted": torch.ones_like(tokens.mask) if mask is None else mask,
        }

    def _contrast(self, tokens: Tokens, word_weights: Tensor, patch_weights: Tensor) -> dict[str, Tensor]:
        options = self.options
        words = F.normalize(wide(tokens.words), dim=-1) * tokens.mask.unsqueeze(-1)
        if options.contrast_weights == "twice":
            word_weights, patch_weights = word_weights.softmax(-1), patch_weights.softmax(-1)
        if self.log_scale is None:
            scale = words.new_full((), CONSTANT_SCALE)
        else:
            scale = returning_clamp(self.log_scale.exp(), 0.0, CONSTANT_SCALE)
        return {
            "words": words,
            "word_weights": word_weights,
            "words_compared": torch.ones_like(tokens.mask) if options.padding == "release" else tokens.mask,
            "patches": F.normalize(wide(tokens.raw), dim=-1),
            "patch_weights": patch_weights,
            "left_out": self._repeated(tokens) & (options.repeats == "left_out"),
            "scale": scale,
        }

    @torch.no_grad()
    def _repeated(self, tokens: Tokens) -> Tensor:
        """Pairs (i, j), i not j, of equal sentences or equal images: ``(B, B)`` bool, B those of all processes."""
        vectors = masked_mean(wide(tokens.states), tokens.mask), wide(tokens.raw).mean(1)
        sentences, images = gathered(*vectors)
        same = _same(sentences) | _same(images)
        return same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)


def _same(vectors: Tensor) -> Tensor:
    """Which of B vectors ``(B, D)`` are equal but for rounding: ``(B, B)`` bool."""
    difference = (vectors[:, None] - vectors[None]).abs().amax(-1)
    return difference <= SAME * vectors.abs().amax()
