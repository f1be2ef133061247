"""RecLMIS: cross-modal conditioned reconstruction for language-guided segmentation (arXiv 2404.02845).

Written from the paper and a written specification of the released arithmetic, not from the released files.
A convolutional encoder's deepest patches and the sentence's words look at each other (``reclmis_interactor``); a
decoder with gated skip connections (``reclmis_gate``) makes the mask of it. In training a second half
(``reclmis_auxiliary``) weighs words and patches, hides the important ones and rebuilds each modality's hidden tokens
from the other's, and gives the tokens of a contrastive loss.

``variant="release"`` repeats the authors' arithmetic; the default mends the following, each by one named option:

* ``interactor="residual"``: the release passes on the attentions' results alone. The patches start nearly alike before
  the softmax, so at initialisation all N output patches carry the same numbers and the decoder sees nothing of the
  deepest map; the default adds what was there before and normalises. Measured: Dice +0.038 [+0.016, +0.058], named side
  -0.005 [-0.009, -0.001].
* ``padding="masked"``: in the release patches look at padding, padding is rebuilt, and padding counts in the contrast,
  so the same sentence gives another mask with another padded length; the default uses real tokens only, in training
  too: neither the place of a word nor the batch normalisation of words depends on how far sentences are padded.
  Measured: Dice -0.003 [-0.015, +0.008], named side +0.008 [+0.004, +0.013].
* ``order="waves"``: the release hides later tokens from earlier ones in the reconstructors, image patches too, which
  have no order in time; it is also the only thing that tells one hidden token from another there. The default lets
  every token see all and adds sine waves of its place. Measured: Dice +0.023 [+0.010, +0.040], named side +0.003
  [+0.001, +0.007].
* ``target="detached"``: the release lets the gradient of the image reconstruction into its target V' as well, which is
  met best by a V' that is the same for all images; the default treats the target as given. Measured: Dice +0.015
  [+0.004, +0.025], named side -0.005 [-0.010, -0.003].
* ``contrast_weights="once"``: in the contrastive loss the release sends the weights of words and patches, which sum to
  1 already, through a softmax again, over padding too: what remains is nearly uniform. The default uses them as they
  are. Measured: Dice -0.001 [-0.012, +0.009], named side +0.327 [+0.298, +0.359].
* ``repeats="left_out"``: the release takes equal sentences of a batch for each other's negatives (QaTa-COV19 has 273
  distinct ones in 5,716 training rows); the default leaves pairs of equal sentences or equal images out. Measured: Dice
  -0.010 [-0.018, -0.002], named side +0.002 [-0.001, +0.005].
* ``text_scale="fitted"``: token states are scaled by the training sentences' mean and deviation (``fit_text``); without
  it the words in which two sentences differ are a small part of their states. Measured: Dice -0.005 [-0.022, +0.011],
  named side -0.005 [-0.010, -0.003].
* ``position="waves"``: the learned position of patches starts from sines and cosines of row and column, not from zero,
  so that words of place have something to refer to from the first step. Measured: Dice +0.022 [+0.008, +0.036], named
  side -0.000 [-0.002, +0.002].

"Measured" is what the authors' value changed by itself in a short training on chest CT, one seed: mean Dice and the
share of the foreground on the named side, the authors' value minus ours, with 95 % intervals over slices
(Training/RESULTS.md, which says the budget and how much other seeds change of themselves: more than most of these
differences). On eight drawn pairs (width 8, 64 x 64 pixels, MiniLM) the default learnt them by heart, mean Dice above
0.96 with the smallest above 0.95, within 75 steps; so did each option with the authors' value by itself
(``target="moving"`` within 100; ``padding`` was not tried, both sentences being equally long) and
``variant="release"``.

Two more defects of the release have no switch. A bare ``except`` in its training loop turns all auxiliary losses off
for good after any error in them: set their weights in the loss to 0 to have such a run. And it computes the auxiliary
half at inference, where nothing reads it; here it runs in training mode only, and ``stripped`` leaves it out.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from LMISCore.networks.blocks import ImageEncoder, as_bool, crop
from LMISCore.networks.contract import LanguageGuidedNetwork
from LMISCore.networks.options import check_choice, check_counts, check_shares, check_switches
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.networks.randomness import drawing_from
from LMISCore.networks.reclmis_auxiliary import Auxiliary, AuxiliaryOptions, Tokens
from LMISCore.networks.reclmis_gate import GatedStage, PreparedSkip
from LMISCore.networks.reclmis_interactor import Interactor
from LMISCore.networks.text_scaling import TokenScaling

Variant = Literal["default", "release"]

# What a named option is when it is not given: ours, then the authors'. Also all the values it may have.
MENDED: dict[str, tuple[str, str]] = {
    "interactor": ("residual", "plain"),
    "padding": ("masked", "release"),
    "order": ("waves", "causal"),
    "target": ("detached", "moving"),
    "contrast_weights": ("once", "twice"),
    "repeats": ("left_out", "negatives"),
    "text_scale": ("fitted", "none"),
    "position": ("waves", "zeros"),
}


class RecLMIS(LanguageGuidedNetwork):
    """RecLMIS with any base width, image size and text encoder.

    Args:
        width: base width C (64 in the paper); tokens have d = 8 C values.
        text_width: D, the width of the token states the text encoder gives.
        variant: "release" for the authors' arithmetic, "default" for ours (see the module's docstring).
        auxiliary: whether the training-only half is there; false for inference alone, and for training without the
            auxiliary losses.
        layers: of each half of a reconstructor (4; the paper's MosMedData+ and MoNuSeg runs have 3).
        hide_words, hide_patches: shares hidden in training (0.3 and 0.5; MosMedData+ 0.3 and 0.3).
        interest_dropout: on the input of the two perceptrons that weigh words and patches (MosMedData+, MoNuSeg: 0.5).
        grid: side of the learned position's grid; 14 fits 224 x 224 pixels, other sizes are interpolated.
        contrast_scale: "constant" (100, as released) or "learned" (from 1 / 0.07, at most 100).
        interactor, padding, order, target, contrast_weights, repeats, text_scale, position: see the module's docstring;
            None takes the variant's.
    """

    name = "reclmis"
    title = "RecLMIS (arXiv 2404.02845)"
    stride = ImageEncoder.stride
    STAGES = (4, 3, 2, 1)
    RECOMPUTES: ClassVar[bool] = True
    MAP_NUMBER: ClassVar[str] = "decoder stage {}"
    MAP_MEANINGS: ClassVar[dict[str, str]] = {
        "attention": "how much the sentence's words look at this patch, relative to an even spread (1)",
        "gate": "factor with which fine detail of the image is let through (unbounded, the same for all sentences)",
    }

    def __init__(
        self,
        width: int = 64,
        text_width: int = 512,
        variant: Variant = "default",
        auxiliary: bool = True,
        layers: int = 4,
        hide_words: float = 0.3,
        hide_patches: float = 0.5,
        interest_dropout: float = 0.0,
        grid: int = 14,
        contrast_scale: Literal["constant", "learned"] = "constant",
        interactor: Literal["residual", "plain"] | None = None,
        padding: Literal["masked", "release"] | None = None,
        order: Literal["waves", "causal"] | None = None,
        target: Literal["detached", "moving"] | None = None,
        contrast_weights: Literal["once", "twice"] | None = None,
        repeats: Literal["left_out", "negatives"] | None = None,
        text_scale: Literal["fitted", "none"] | None = None,
        position: Literal["waves", "zeros"] | None = None,
    ) -> None:
        super().__init__()
        check_counts(width=width, text_width=text_width, layers=layers, grid=grid)
        check_choice("variant", variant, "default", "release")
        check_choice("contrast_scale", contrast_scale, "constant", "learned")
        check_shares(hide_words=hide_words, hide_patches=hide_patches, interest_dropout=interest_dropout)
        check_switches(auxiliary=auxiliary)
        given = {
            "interactor": interactor,
            "padding": padding,
            "order": order,
            "target": target,
            "contrast_weights": contrast_weights,
            "repeats": repeats,
            "text_scale": text_scale,
            "position": position,
        }
        chosen = {name: _choose(name, value, variant) for name, value in given.items()}
        self.text_width = text_width
        self.padding = chosen["padding"]
        self.options: dict[str, Any] = {
            "width": width,
            "text_width": text_width,
            "variant": variant,
            "auxiliary": auxiliary,
            "layers": layers,
            "hide_words": hide_words,
            "hide_patches": hide_patches,
            "interest_dropout": interest_dropout,
            "grid": grid,
            "contrast_scale": contrast_scale,
            **chosen,
        }
        c, d = width, 8 * width
        self.encoder = ImageEncoder(width)
        self.text_scaling = TokenScaling(text_width) if chosen["text_scale"] == "fitted" else None
        self.text_projection = nn.Conv1d(text_width, d, 3, padding=1)
        self.interactor = Interactor(
            d, grid, chosen["interactor"] == "residual", self.padding == "masked", chosen["position"] == "waves"
        )
        self.decoder = nn.ModuleList(GatedStage(a, b) for a, b in ((8 * c, 4 * c), (4 * c, 2 * c), (2 * c, c), (c, c)))
        self.head = nn.Conv2d(c, 1, 1)
        self.auxiliary = (
            Auxiliary(
                d,
                text_width,
                AuxiliaryOptions(
                    layers=layers,
                    hide_words=hide_words,
                    hide_patches=hide_patches,
                    interest_dropout=interest_dropout,
                    contrast_weights=chosen["contrast_weights"],
                    order=chosen["order"],
                    target=chosen["target"],
                    padding=self.padding,
                    repeats=chosen["repeats"],
                    learned_scale=contrast_scale == "learned",
                    released_layout=variant == "release",
                ),
            )
            if auxiliary
            else None
        )

    def fit_text(self, text_states: Tensor, text_mask: Tensor) -> None:
        """Keep mean and deviation of N training sentences' tokens, for ``text_scale="fitted"``.

        Args:
            text_states: ``(N, L, D)``.
            text_mask: ``(N, L)``, true on real tokens.
        """
        if self.text_scaling is not None:
            self.text_scaling.fit(text_states, as_bool(text_mask))

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Everything that is free of text, of ``(B, 3, H, W)`` images in [0, 1].

        The levels are each decoder stage's prepared skip, fine to coarse, the deepest map, and each stage's gate.
        """
        encoded: ImageFeatures = self.encoder(image)
        *skips, deepest = encoded.levels
        # The stages run from coarse to fine, the levels from fine to coarse.
        prepared: list[PreparedSkip] = []
        for stage, skip in zip(reversed(self.decoder), skips, strict=True):
            assert isinstance(stage, GatedStage)
            prepared.append(stage.prepare(skip))
        parts, gates = ([item.part for item in prepared], [item.gate for item in prepared])
        return ImageFeatures((*parts, deepest, *gates), encoded.size)

    def join(self, deepest: Tensor, text_states: Tensor, text_mask: Tensor) -> tuple[Tokens, Tensor]:
        """Let words and patches look at each other.

        Args:
            deepest: map ``(B, d, h, w)``.
            text_states: ``(B, L, D)``.
            text_mask: ``(B, L)``, true on real tokens.

        Returns:
            the tokens, and the words' attention to each patch ``(B, N)``.
        """
        mask = as_bool(text_mask)
        states = text_states if self.text_scaling is None else self.text_scaling(text_states)
        if self.padding == "masked":
            states = states.masked_fill(~mask.unsqueeze(-1), 0)
        words = self.text_projection(states.transpose(1, 2)).transpose(1, 2)
        seen, patches, looked_at = self.interactor(deepest, words, mask)
        raw = deepest.flatten(2).transpose(1, 2)
        grid = (deepest.shape[-2], deepest.shape[-1])
        return Tokens(states, mask, words, seen, raw, patches, grid), looked_at

    def decode(
        self,
        features: ImageFeatures,
        text_states: Tensor,
        text_mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> NetworkOutput:
        """Segment what one sentence per image says; tokens to hide and dropout follow ``generator``."""
        with drawing_from(generator if self.training else None, text_states.device):
            logits, maps, tokens = self.segment(features, text_states, text_mask)
            compared = self.auxiliary(tokens, generator) if self.training and self.auxiliary is not None else {}
        return NetworkOutput(logits, maps, compared)

    def segment(
        self, features: ImageFeatures, text_states: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tokens]:
        """Logits ``(B, 1, H, W)``, the explanation maps, and the tokens that the training-only half compares."""
        stages = len(self.STAGES)
        parts, deepest, gates = features.levels[:stages], features.levels[stages], features.levels[stages + 1 :]
        tokens, looked_at = self.join(deepest, text_states, text_mask)
        x = tokens.patches.transpose(1, 2).unflatten(2, tokens.grid)
        for stage, part in zip(self.decoder, reversed(parts), strict=True):
            x = stage(x, part)
        attention = (looked_at * looked_at.shape[1]).unflatten(1, tokens.grid).unsqueeze(1)
        maps = {"attention": attention} | {
            f"gate_{number}": gate for number, gate in zip(self.STAGES, reversed(gates), strict=True)
        }
        return crop(self.head(x), features.size), maps, tokens

    def traceable(self) -> tuple[tuple[nn.Module, str], ...]:
        """Its halves for image and sentence, and what the training-only half does with tokens that were drawn."""
        own: tuple[tuple[nn.Module, str], ...] = (self, "encode_image"), (self, "segment")
        if self.auxiliary is None:
            return own
        return *own, (self.auxiliary, "rebuild")

    def stripped(self) -> RecLMIS:
        """The same network without its training-only half; it shares its tensors with this one, or is this one."""
        if self.auxiliary is None:
            return self
        # Its tensors come from this network; memory for random ones is not taken.
        with torch.device("meta"):
            network = RecLMIS(**{**self.options, "auxiliary": False})
        kept = {name: value for name, value in self.state_dict().items() if not name.startswith("auxiliary.")}
        network.load_state_dict(kept, assign=True)
        return network.train(self.training)


def _choose(name: str, value: str | None, variant: Variant) -> str:
    """The option's value, the variant's where none is given."""
    ours, theirs = MENDED[name]
    if value is None:
        return theirs if variant == "release" else ours
    check_choice(name, value, ours, theirs)
    return value
