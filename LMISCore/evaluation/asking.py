"""A checkpoint that is asked many sentences about each slice of a data set, each slice read as inference reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.data.slices import sentence_rule
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.presence import slice_presence
from LMISCore.inference.slices import SlicePictures, prepare_slices
from LMISCore.networks.outputs import ImageFeatures
from LMISCore.text.states import TextEncoder
from LMISCore.volumes.intensity import Normaliser
from LMISCore.volumes.volume import Volume


def rule_of(card: Card) -> Callable[[str], str]:
    """What a set's sentence goes through before these weights are asked it, as their recipe says."""
    text = card.recipe.get("text", {})
    return sentence_rule(text.get("rewrite", card.data.get("text_rewriting", "none")), bool(text.get("ignore")))


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
        self.rule = rule_of(checkpoint.card)
        self.engine = predictor.engine
        self.cache = predictor.cache

    def prepare(
        self,
        volume: Volume,
        fitted: Normaliser | None = None,
        beyond: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> SlicePictures:
        """Frame and normalise a picture as the card says.

        Args:
            volume: of one slice.
            fitted: the card's convention fitted to the slice's whole case; None fits it to this slice alone.
            beyond: the slices before and after it as ``SlicePictures.plane`` gives them, for weights that see them;
                None has the slice stand in for both.
        """
        if fitted is None:
            prepared = prepare_slices(volume, self.card.image)
        else:
            # Of "picture" every value is accepted; the normaliser fitted here is not used.
            prepared = replace(prepare_slices(volume, self.card.image, "picture"), normaliser=fitted)
        return replace(prepared, beyond=beyond)

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

    @property
    def threshold(self) -> float:
        """The card's cut of the probability."""
        return float(self.card.thresholds["mask"])

    def mask(self, prepared: SlicePictures, probability: Tensor) -> np.ndarray:
        """Restore a probability ``(h, w)`` to native resolution and cut it: ``(H, W)`` bool."""
        cut: np.ndarray = prepared.frame.restore(probability.numpy()) >= self.threshold
        return cut


def changed_volume(volume: Volume, picture: np.ndarray) -> Volume:
    """The same one-slice volume with another picture ``(H, W[, 3])``."""
    return replace(volume, array=picture[None])
