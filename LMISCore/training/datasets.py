"""Slices ready to be paired with sentences: decoded, resized and equalised once, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from LMISCore.data.context import neighbours
from LMISCore.data.lungs import ZONES
from LMISCore.data.manifest import Pair
from LMISCore.data.slices import as_grey, by_case, case_geometries, fit_case, read_slice, sentence_rule
from LMISCore.errors import InputError
from LMISCore.training.augment import draw_change, geometric, mirrored, mix_intensity, photometric
from LMISCore.training.pairs import FindingWords, PairSampler, SlicePlaces
from LMISCore.training.picture_store import PictureStore
from LMISCore.training.recipe import Recipe
from LMISCore.training.sending import sent
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.intensity import CONVENTIONS, Normaliser

Colour = Literal["grey", "rgb"]

# Degradations that equalisation does not undo, for all variants of a slice but the first.
LARGEST_CLIP = 0.12
LARGEST_NOISE = 0.03
_PARTS = ("plain", "equalised")
WHOLE = slice(None)
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Slice:
    """One training or validation slice.

    Attributes:
        pair: where it came from.
        places: its native mask, lung geometry and (rewritten) sentence.
        frame: how it fits the network's picture.
        plain, equalised: variants ``(V, C, h, w)`` uint8, C 1 or 3, the first one undisturbed; both the same where
            the convention does not equalise.
        context: 1 where the three channels are the slice before, itself and the slice after, see ``data.context``.
    """

    pair: Pair
    places: SlicePlaces
    frame: Frame
    plain: np.ndarray
    equalised: np.ndarray
    context: int = 0


def load_slices(
    recipe: Recipe,
    pairs: Sequence[Pair],
    variants: int,
    progress: Callable[[int, int, str], object] | None = None,
    colour: Colour | None = None,
    store: PictureStore | None = None,
) -> list[Slice]:
    """Decode and prepare pairs.

    Args:
        recipe: gives size, convention and rewriting.
        pairs: of one split; slices of one case must stand together.
        variants: pictures per slice; the first is undisturbed, the others have their darkest and brightest parts
            clipped by up to 12 % of the range and noise of up to 3 % added before the convention is applied.
        progress: called with (done, total, stage).
        colour: "grey" takes the luma of colour pictures, "rgb" gives grey ones three equal channels; None decides once
            over the set: "grey" when all its pictures are.
        store: keeps the pictures; None keeps all in memory.

    Raises:
        InputError: if a picture and its mask differ in size, a file holds several slices, or slice context is asked of
            pictures in colour or without any neighbour.
    """
    slices: list[Slice] = []
    geometries = case_geometries(pairs)
    rule = sentence_rule(recipe.text.rewrite, recipe.text.ignore)
    for case, rows in by_case(pairs):
        some = [pairs[row] for row in rows]
        truths = [read_slice(pair) for pair in some]
        normaliser = fit_case([truth.picture for truth in truths], recipe.image.convention)
        for pair, truth in zip(some, truths, strict=True):
            places = SlicePlaces(truth.truth, geometries[case], rule(pair.text))
            picture = as_grey(truth.picture) if colour == "grey" else truth.picture
            slices.append(_kept(_prepare(recipe, pair, places, picture, truth.spacing, normaliser, variants), store))
            if progress is not None:
                progress(len(slices), len(pairs), "preparing pictures")
    colour = colour or colour_of(slices)
    if recipe.image.context:
        beside = _with_neighbours(slices, neighbours([item.pair for item in slices]), colour)
        return [_kept(item, store) for item in beside]
    if colour == "rgb":
        slices = [_with_three_channels(item) for item in slices]
    return slices


def colour_of(slices: Sequence[Slice]) -> Colour:
    """``grey`` when every slice's picture has one channel (neighbours beside it do not count), else ``rgb``."""
    return "grey" if all(item.context or item.plain.shape[1] == 1 for item in slices) else "rgb"


def _with_neighbours(slices: Sequence[Slice], beside: Sequence[tuple[int, int]], colour: Colour) -> Iterator[Slice]:
    """Give each slice the channels (slice before, itself, slice after)."""
    if colour == "rgb":
        raise InputError(
            "image.context is 1, but the pictures are in colour, whose channels are taken; expected grey pictures, or "
            "image.context=0."
        )
    if all(rows == (number, number) for number, rows in enumerate(beside)):
        raise InputError(
            f"image.context is 1, but none of {len(slices)} pictures has a neighbour in its case; set "
            "data.case_pattern, or the columns case and slice, so that a scan's slices are known, or image.context=0."
        )
    for item, (before, after) in zip(slices, beside, strict=True):
        three = (slices[before], item, slices[after])
        plain, equalised = (np.concatenate([getattr(one, part) for one in three], axis=1) for part in _PARTS)
        yield replace(item, plain=plain, equalised=equalised, context=1)


def _prepare(
    recipe: Recipe,
    pair: Pair,
    places: SlicePlaces,
    picture: np.ndarray,
    spacing: tuple[float, float],
    normaliser: Normaliser,
    variants: int,
) -> Slice:
    height, width = recipe.image.size
    frame = Frame((picture.shape[0], picture.shape[1]), (height, width), spacing)
    # Seeded by the name, so that a slice's variants do not depend on what else is in the set.
    rng = np.random.default_rng([recipe.training.seed, *pair.image.name.encode()])
    plain, equalised = [], []
    for number in range(variants):
        parts = normaliser.parts(_disturbed(picture, rng) if number else picture, frame)
        plain.append(_bytes(parts[0]))
        if parts[1] is not None:
            equalised.append(_bytes(parts[1]))
    both = np.stack(plain)
    return Slice(pair, places, frame, both, np.stack(equalised) if equalised else both)


def _kept(item: Slice, store: PictureStore | None) -> Slice:
    if store is None:
        return item
    plain = store.keep(item.plain)
    return replace(item, plain=plain, equalised=plain if item.equalised is item.plain else store.keep(item.equalised))


def _with_three_channels(item: Slice) -> Slice:
    if item.plain.shape[1] == 3:
        return item
    # Views: three equal channels take no more memory than one.
    plain, equalised = (np.broadcast_to(part, (len(part), 3, *part.shape[2:])) for part in (item.plain, item.equalised))
    return replace(item, plain=plain, equalised=equalised)


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
    """B pictures with K sentences each: the first sentence of every picture, then the second of every picture, ...

    Attributes:
        images: ``(B, 3, h, w)``.
        masks: ``(B K, h, w)`` in {0, 1}.
        sentences, kinds: B K of each.
    """

    images: Tensor
    masks: Tensor
    sentences: list[str]
    kinds: list[str]


class BatchMaker:
    """Makes the batch of any step from the seed and the step's number alone, so that a resumed run sees the same.

    Args:
        slices: of Train.
        recipe: says how many, which sentences and which changes.
        device: where pictures and masks are changed and stay.
    """

    def __init__(self, slices: Sequence[Slice], recipe: Recipe, device: torch.device = CPU) -> None:
        self.slices = slices
        self.device = device
        self.recipe = recipe
        shares = {"report": 1.0} if recipe.text.ignore else recipe.pairs.shares
        self.sampler = PairSampler(
            shares, FindingWords(recipe.pairs.names, recipe.pairs.others), ZONES[recipe.pairs.zones]
        )

    def batch(self, step: int, share: slice = WHOLE) -> Batch:
        """Draw slices, sentences and changes for one step (counted from 0).

        Args:
            step: whose batch.
            share: the pictures of it that are wanted. Each picture's draws have a seed of their own, so they are the
                same whoever draws the others.
        """
        recipe, options = self.recipe, self.recipe.augment
        size, several = recipe.training.batch, recipe.sentences
        plain, equalised, masks, changes = [], [], [], []
        sentences: list[list[str]] = []
        kinds: list[list[str]] = []
        usual = share_of_equalised(recipe.image.convention)
        for position in range(step * size, (step + 1) * size)[share]:
            rng = np.random.default_rng([recipe.training.seed, 1, position])
            item = self.slices[self._index(position)]
            drawn = [self.sampler.draw(item.places, rng) for _ in range(several)]
            texts, flip = mirrored([pair.text for pair in drawn], rng, options.mirror)
            change = draw_change(options, rng, flip, item.frame.size, usual, len(item.plain), bool(item.context))
            order = slice(None, None, -1 if change.exchanged else 1)
            plain.append(item.plain[change.variant][order])
            equalised.append(item.equalised[change.variant][order])
            masks.append(np.stack([item.frame.pad(item.frame.resize_mask(pair.mask)) for pair in drawn]))
            changes.append(change)
            sentences.append(texts)
            kinds.append([pair.kind for pair in drawn])
        # Everything is put together first and changed on the device, all pictures at once; as bytes it travels light.
        both = [sent(torch.from_numpy(np.stack(part)), self.device) for part in (plain, equalised)]
        truths = sent(torch.from_numpy(np.stack(masks)), self.device).float()
        moved, cut = geometric(mix_intensity(both[0], both[1], changes), truths, changes)
        return Batch(
            photometric(moved, changes).expand(-1, 3, -1, -1),
            cut.transpose(0, 1).flatten(0, 1),
            [texts[number] for number in range(several) for texts in sentences],
            [names[number] for number in range(several) for names in kinds],
        )

    def sentences(self, number: int) -> list[str]:
        """Draw that many sentences as training draws them, for fitting the text's scale."""
        rng = np.random.default_rng([self.recipe.training.seed, 3])
        rows = rng.integers(len(self.slices), size=number)
        drawn = [self.sampler.draw(self.slices[row].places, rng).text for row in rows]
        return [mirrored([text], rng, self.recipe.augment.mirror)[0][0] for text in drawn]

    def _index(self, position: int) -> int:
        """Every slice once per pass, each pass in its own order."""
        turn, place = divmod(position, len(self.slices))
        order = np.random.default_rng([self.recipe.training.seed, 2, turn]).permutation(len(self.slices))
        return int(order[place])
