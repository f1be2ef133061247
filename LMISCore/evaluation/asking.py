"""Slices of a data set read as inference reads them, and a checkpoint that is asked many sentences about each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.data.lungs import LungGeometry, lung_geometry
from LMISCore.data.manifest import Pair
from LMISCore.errors import InputError
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.presence import slice_presence
from LMISCore.inference.slices import SlicePictures, prepare_slices
from LMISCore.networks.outputs import ImageFeatures
from LMISCore.text.places import lvit_axial_words
from LMISCore.text.states import TextEncoder
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.volume import Volume


@dataclass(frozen=True)
class TruthSlice:
    """One slice with what is true of it, at native resolution.

    Attributes:
        volume: the picture as a volume of one slice.
        truth: mask ``(H, W)`` bool.
        lungs: lung mask ``(H, W)``, non-zero inside; None where the set has none.
    """

    volume: Volume
    truth: np.ndarray
    lungs: np.ndarray | None


def read_slice(pair: Pair) -> TruthSlice:
    """Read one pair.

    Raises:
        InputError: if a file cannot be read, or picture and masks differ in size.
    """
    volume = read_volume(pair.image)
    shape = volume.array.shape[1:3]
    masks = []
    for path in (pair.mask, pair.lungs):
        mask = None if path is None else _flat(read_volume(path).array[0])
        if mask is not None and mask.shape != shape:
            raise InputError(
                f"{pair.image.name} has {_size(shape)} pixels but {path} has {_size(mask.shape)}; "
                "expected the same size."
            )
        masks.append(mask)
    truth, lungs = masks
    assert truth is not None
    return TruthSlice(volume, truth > 0, lungs)


def case_geometries(pairs: Sequence[Pair]) -> dict[str, LungGeometry | None]:
    """Measure the lungs of every case from all its slices' lung masks; None for a case without any."""
    found: dict[str, LungGeometry | None] = {}
    for case, group in groupby(sorted(pairs, key=lambda pair: pair.case), key=lambda pair: pair.case):
        masks = [_flat(read_volume(pair.lungs).array[0]) for pair in group if pair.lungs is not None]
        found[case] = lung_geometry(masks) if masks else None
    return found


def sentence_rule(card: Card) -> Callable[[str], str]:
    """What a set's sentence goes through before these weights are asked it, as their recipe says."""
    text = card.recipe.get("text", {})
    if text.get("ignore"):
        return lambda sentence: ""
    rewriting = text.get("rewrite", card.data.get("text_rewriting", "none"))
    if rewriting == "lvit_axial":
        return lvit_axial_words
    if rewriting != "none":
        raise InputError(
            f"The card rewrites sentences by {rewriting!r}, which this LMISCore does not know; update LMISCore."
        )
    return lambda sentence: sentence


def reads_text(card: Card) -> bool:
    """Whether these weights were trained with sentences."""
    return not card.recipe.get("text", {}).get("ignore", False)


class Asker:
    """A checkpoint on a device that is asked sentences about slices, with a Predictor's own network and text encoder.

    Args:
        checkpoint: the weights.
        device: auto, cpu, cuda or mps; arithmetic is float32.
        encoder: a text encoder, or its name or folder; None takes the one that the card names.
    """

    def __init__(
        self, checkpoint: Checkpoint, device: str = "auto", encoder: TextEncoder | str | Path | None = None
    ) -> None:
        predictor = Predictor(checkpoint, device, encoder=encoder)
        self.checkpoint = checkpoint
        self.card = checkpoint.card
        self.rule = sentence_rule(checkpoint.card)
        self.engine = predictor.engine
        self.cache = predictor.cache

    def prepare(self, volume: Volume, intensity: str = "auto") -> SlicePictures:
        """Frame and normalise a picture as the card says."""
        return prepare_slices(volume, self.card.image, intensity)

    def features(self, prepared: Sequence[SlicePictures]) -> ImageFeatures:
        """Image features of B one-slice pictures, computed once for all sentences."""
        return self.engine.features(np.stack([item.picture(0) for item in prepared]))

    def ask(self, features: ImageFeatures, questions: Sequence[tuple[int, str]]) -> list[Tensor]:
        """Ask sentences about pictures.

        Args:
            features: of B pictures.
            questions: Q pairs (number of the picture, sentence as it is sent).

        Returns:
            Q probabilities ``(h, w)`` float32 at the network's size, on the CPU.
        """
        found: list[Tensor] = []
        step = self.engine.batch_size
        for start in range(0, len(questions), step):
            part = questions[start : start + step]
            rows = torch.tensor([row for row, _ in part], device=features.levels[0].device)
            states = self.cache.states([sentence for _, sentence in part])
            found += self.engine.probability(features.rows(rows), states).unbind(0)
        return found

    def presence(self, prepared: SlicePictures, probability: Tensor) -> float:
        """Presence score of ``(h, w)`` on one slice, as the Predictor gives it: padding does not count."""
        frame = prepared.frame
        inside = torch.zeros(frame.size)
        (top, left), (height, width) = frame.corner, frame.inner
        inside[top : top + height, left : left + width] = 1
        return float(slice_presence(probability * inside))

    def mask(self, prepared: SlicePictures, probability: Tensor) -> np.ndarray:
        """Restore a probability ``(h, w)`` to native resolution and cut it: ``(H, W)`` bool."""
        restored = prepared.frame.restore(probability.numpy())
        cut: np.ndarray = restored >= float(self.card.thresholds["mask"])
        return cut


def changed_volume(volume: Volume, picture: np.ndarray) -> Volume:
    """The same one-slice volume with another picture ``(H, W[, 3])``."""
    return replace(volume, array=picture[None])


def _flat(mask: np.ndarray) -> np.ndarray:
    return mask.max(-1) if mask.ndim == 3 else mask


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
