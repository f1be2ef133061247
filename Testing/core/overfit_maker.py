"""Eight pairs that only the sentence tells apart: four slices with both lungs affected, each asked for either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from LMISCore.losses import LOSSES
from LMISCore.networks import create_network
from LMISCore.text.states import TextStates

SENTENCES = ("Pulmonary infection in the left lung.", "Pulmonary infection in the right lung.")


@dataclass(frozen=True)
class Pairs:
    """Slices and what each sentence's mask is.

    Attributes:
        images: ``(S, 3, h, w)`` float32 in [0, 1].
        masks: ``(2 S, h, w)`` in {0, 1}: the left lung's of all slices, then the right lung's.
    """

    images: Tensor
    masks: Tensor

    @property
    def sentences(self) -> list[str]:
        """One for each mask."""
        return [sentence for sentence in SENTENCES for _ in range(len(self.images))]


@dataclass(frozen=True)
class Answers:
    """Dice of each of the 2 S pairs with its own sentence and with the other side's; the steps it took."""

    own: np.ndarray
    swapped: np.ndarray
    steps: int


def draw_pairs(slices: int = 4, side: int = 64, seed: int = 0) -> Pairs:
    """Draw chests: two dark lungs of uneven texture, brighter lesions with soft edges in both, noise.

    The patient's right is on the picture's left.
    """
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:side, :side] / side
    images, masks = [], []
    for _ in range(slices):
        picture = 0.65 + 0.04 * np.sin(9 * xx + rng.uniform(0, 6)) * np.cos(7 * yy + rng.uniform(0, 6))
        lesions = []
        for column in (0.72, 0.28):
            lung = ((xx - column) / 0.19) ** 2 + ((yy - 0.5) / 0.36) ** 2 < 1
            picture[lung] = 0.2 + 0.04 * np.sin(40 * xx[lung] + rng.uniform(0, 6)) * np.sin(33 * yy[lung])
            lesion = np.zeros_like(lung)
            for _ in range(int(rng.integers(1, 3))):
                x, y = column + rng.uniform(-0.06, 0.06), rng.uniform(0.32, 0.68)
                lesion |= ((xx - x) / rng.uniform(0.06, 0.1)) ** 2 + ((yy - y) / rng.uniform(0.06, 0.12)) ** 2 < 1
            lesion &= lung
            picture[lesion] += rng.uniform(0.25, 0.35)
            lesions.append(lesion)
        images.append(np.clip(picture + rng.normal(0, 0.03, picture.shape), 0, 1))
        masks.append(lesions)
    grey = torch.from_numpy(np.stack(images)).float().unsqueeze(1)
    by_side = torch.from_numpy(np.array(masks)).float().transpose(0, 1)
    return Pairs(grey.expand(-1, 3, -1, -1).contiguous(), by_side.flatten(0, 1))


def overfit(
    name: str,
    options: dict[str, Any],
    pairs: Pairs,
    text: TextStates,
    steps: int = 400,
    rate: float = 2e-3,
    enough: float = 0.96,
    device: str = "cpu",
) -> Answers:
    """Train a network on nothing but the pairs until each is answered well, and ask it with sides exchanged.

    Args:
        name: of the network.
        options: of the network.
        pairs: to learn.
        text: states of ``SENTENCES``.
        steps: at most.
        rate: of AdamW, falling to 0 by a half cosine.
        enough: mean Dice with the own sentence at which training may end.
        device: where to train.
    """
    torch.manual_seed(0)
    network: Any = create_network(name, **{**options, "text_width": text.states.shape[-1]}).to(device)
    text = text.to(device)
    network.fit_text(text.states, text.mask)
    images, masks = pairs.images.to(device), pairs.masks.to(device)
    rows = torch.arange(2, device=device).repeat_interleave(len(images))
    loss = LOSSES[name]()
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(1, steps + 1):
        network.train()
        generator = torch.Generator(device).manual_seed(step)
        features = network.encode_image(images).repeat(2)
        total, _ = loss(network.decode(features, text.states[rows], text.mask[rows], generator=generator), masks)
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        if step % 25 == 0 or step == steps:
            answers = Answers(
                _dice(network, images, masks, text, rows), _dice(network, images, masks, text, 1 - rows), step
            )
            if answers.own.mean() >= enough and answers.own.min() >= 0.95:
                break
    return answers


@torch.no_grad()
def _dice(network: Any, images: Tensor, masks: Tensor, text: TextStates, rows: Tensor) -> np.ndarray:
    """Dice of each pair's mask when asked with the sentences ``rows``."""
    features = network.eval().encode_image(images).repeat(2)
    found = (network.decode(features, text.states[rows], text.mask[rows]).logits[:, 0] > 0).float()
    overlap = 2 * (found * masks).sum((1, 2)) / (found.sum((1, 2)) + masks.sum((1, 2))).clamp_min(1)
    values: np.ndarray = overlap.cpu().numpy()
    return values
