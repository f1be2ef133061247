"""Slices held in memory, ready to be paired with sentences: decoded, resized and equalised once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from LMISCore.data.lungs import LungGeometry, lung_geometry
from LMISCore.data.manifest import CASE_PATTERN, Pair, read_pairs
from LMISCore.errors import InputError
from LMISCore.text.places import lvit_axial_words
from LMISCore.training.augment import Augmentation, geometric, mirrored, mix_intensity, photometric
from LMISCore.training.pairs import FindingWords, PairSampler, SlicePlaces
from LMISCore.training.recipe import Recipe
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.intensity import CONVENTIONS, fit_normaliser

# Degradations that equalisation does not undo, for all variants of a slice but the first.
LARGEST_CLIP = 0.12
LARGEST_NOISE = 0.03


@dataclass(frozen=True)
class Slice:
    """One training or validation slice.

    Attributes:
        pair: where it came from.
        places: its native mask, lung geometry and (rewritten) sentence.
        frame: how it fits the network's picture.
        plain, equalised: variants ``(V, C, h, w)`` uint8, C 1 or 3, the first one undisturbed; both the same where
            the convention does not equalise.
    """

    pair: Pair
    places: SlicePlaces
    frame: Frame
    plain: np.ndarray
    equalised: np.ndarray


def rewrite(text: str, recipe: Recipe) -> str:
    """The sentence as the network is asked it: place words rewritten, or nothing for image-only training."""
    if recipe.text.ignore:
        return ""
    return lvit_axial_words(text) if recipe.text.rewrite == "lvit_axial" else text


def read_split(recipe: Recipe, split: str) -> list[Pair]:
    """Pairs of one split that the recipe's patterns admit."""
    if not recipe.data.source:
        raise InputError("The recipe names no data; give data.source=FOLDER after it (LViT layout or a .csv manifest).")
    include = recipe.data.train if split == "Train" else recipe.data.val
    return read_pairs(recipe.data.source, split, include, recipe.data.case_pattern or CASE_PATTERN)


def load_slices(
    recipe: Recipe, pairs: Sequence[Pair], variants: int, progress: Callable[[int, int, str], object] | None = None
) -> list[Slice]:
    """Decode and prepare pairs.

    Args:
        recipe: gives size, convention and rewriting.
        pairs: of one split; slices of one case must stand together.
        variants: pictures per slice; the first is undisturbed, the others have their darkest and brightest parts
            clipped by up to 12 % of the range and noise of up to 3 % added before the convention is applied.
        progress: called with (done, total, stage).

    Raises:
        InputError: if a picture and its mask differ in size.
    """
    slices: list[Slice] = []
    for _, group in groupby(pairs, key=lambda pair: pair.case):
        case = list(group)
        geometry = _case_geometry(case)
        for pair in case:
            slices.append(_load_slice(recipe, pair, geometry, variants))
            if progress is not None:
                progress(len(slices), len(pairs), "preparing pictures")
    return slices


def _case_geometry(case: Sequence[Pair]) -> LungGeometry | None:
    masks = [read_volume(pair.lungs).array[0] for pair in case if pair.lungs is not None]
    return lung_geometry(masks) if masks else None


def _load_slice(recipe: Recipe, pair: Pair, geometry: LungGeometry | None, variants: int) -> Slice:
    picture = read_volume(pair.image).array[0]
    mask = read_volume(pair.mask).array[0]
    lesion = (mask.max(-1) if mask.ndim == 3 else mask) > 0
    if lesion.shape != picture.shape[:2]:
        raise InputError(
            f"{pair.image.name} has {picture.shape[:2]} pixels but its mask {lesion.shape}; expected the same size."
        )
    height, width = recipe.image.size
    frame = Frame((lesion.shape[0], lesion.shape[1]), (height, width))
    # Seeded by the name, so that a slice's variants do not depend on what else is in the set.
    rng = np.random.default_rng([recipe.training.seed, *pair.image.name.encode()])
    plain, equalised = [], []
    for number in range(variants):
        normaliser, _ = fit_normaliser(picture[None], recipe.image.convention)
        shown = _disturbed(picture, rng) if number else picture
        parts = normaliser.parts(shown, frame)
        plain.append(_bytes(parts[0]))
        equalised.append(_bytes(parts[0] if parts[1] is None else parts[1]))
    places = SlicePlaces(lesion, geometry, rewrite(pair.text, recipe))
    return Slice(pair, places, frame, np.stack(plain), np.stack(equalised))


def _disturbed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    values = picture.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    span = high - low
    low_cut, high_cut = rng.uniform(0, LARGEST_CLIP, 2) * span * (rng.random(2) < 0.7)
    values = np.clip(values, low + low_cut, high - high_cut)
    noise = rng.uniform(0, LARGEST_NOISE) * span * rng.standard_normal(values.shape[:2]).astype(np.float32)
    disturbed: np.ndarray = values + (noise[..., None] if values.ndim == 3 else noise)
    return disturbed


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.round(picture * 255).astype(np.uint8)


def share_of_equalised(convention: str) -> float:
    """The convention's own share of the equalised picture."""
    return CONVENTIONS[convention].equalised


def clean_picture(item: Slice, convention: str) -> Tensor:
    """The undisturbed picture ``(3, h, w)`` float32 in [0, 1], as inference would prepare it (to 8 bits)."""
    share = np.float32(share_of_equalised(convention))
    mixed = ((1 - share) * item.plain[0] + share * item.equalised[0]) / np.float32(255)
    return torch.from_numpy(mixed).expand(3, -1, -1).contiguous()


@dataclass(frozen=True)
class Batch:
    """Pictures ``(B, 3, h, w)``, masks ``(B, h, w)`` in {0, 1}, B sentences and their kinds."""

    images: Tensor
    masks: Tensor
    sentences: list[str]
    kinds: list[str]


class BatchMaker:
    """Makes the batch of any step from the seed and the step's number alone, so that a resumed run sees the same."""

    def __init__(self, slices: Sequence[Slice], recipe: Recipe) -> None:
        self.slices = slices
        self.recipe = recipe
        shares = {"report": 1.0} if recipe.text.ignore else recipe.pairs.shares
        self.sampler = PairSampler(shares, FindingWords(recipe.pairs.names, recipe.pairs.others))

    def batch(self, step: int) -> Batch:
        """Draw slices, sentences and changes for one step (counted from 0)."""
        recipe, options = self.recipe, self.recipe.augment
        size = recipe.training.batch
        rng = np.random.default_rng([recipe.training.seed, 1, step])
        images, masks, sentences, kinds, flips = [], [], [], [], []
        for position in range(step * size, (step + 1) * size):
            item = self.slices[self._index(position)]
            drawn = self.sampler.draw(item.places, rng)
            text, flip = mirrored(drawn.text, rng, options.mirror)
            images.append(self._picture(item, options, rng))
            masks.append(item.frame.pad(item.frame.resize_mask(drawn.mask)))
            sentences.append(text)
            kinds.append(drawn.kind)
            flips.append(flip)
        stacked = torch.from_numpy(np.stack(images)).float()
        moved, cut = geometric(stacked, torch.from_numpy(np.stack(masks)).float(), flips, options, rng)
        return Batch(photometric(moved, options, rng).expand(-1, 3, -1, -1), cut, sentences, kinds)

    def _index(self, position: int) -> int:
        """Every slice once per pass, each pass in its own order."""
        turn, place = divmod(position, len(self.slices))
        order = np.random.default_rng([self.recipe.training.seed, 2, turn]).permutation(len(self.slices))
        return int(order[place])

    def _picture(self, item: Slice, options: Augmentation, rng: np.random.Generator) -> np.ndarray:
        variant = int(rng.integers(len(item.plain)))
        share = share_of_equalised(self.recipe.image.convention)
        plain, equalised = item.plain[variant] / np.float32(255), item.equalised[variant] / np.float32(255)
        return mix_intensity(plain, equalised, share, options, rng)
