"""A network and a text encoder that do exactly what a sentence says, so that tests know the right answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.text.states import TextEncoder
from LMISCore.volumes.volume import Geometry, Volume

SIZE = (16, 16)
WORDS = ("left", "right", "effusion", "infection")


class WordEncoder(TextEncoder):
    """One token per sentence: which of ``WORDS`` it holds, ``(1, 1, 4)``; counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 1), "cpu")
        self.name, self.width, self.length, self.hash = "words", len(WORDS), 8, "f" * 64
        self.sentences: list[str] = []

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        self.sentences.append(sentence)
        return torch.tensor([[int(word in sentence.lower()) for word in WORDS]]), torch.ones(1, 1, dtype=torch.bool)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        return ids.float().unsqueeze(1)


class ObedientNetwork(nn.Module):
    """Marks bright pixels (over 0.5) on the side that the sentence names; "effusion" is never there.

    Attributes:
        encoded: number of pictures in each call of ``encode_image``.
        decoded: number of pictures in each call of ``decode``.
        most: pictures that fit the pretended memory; more raise what the CPU's allocator raises.
    """

    name = "obedient"
    stride = 8
    text_width = len(WORDS)
    MAP_MEANINGS = {"light": "brightness of the picture (0 to 1)"}  # noqa: RUF012
    MAP_NUMBER = "stage {}"

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.encoded: list[int] = []
        self.decoded: list[int] = []
        self.most: int | None = None

    def encode_image(self, image: Tensor) -> ImageFeatures:
        self.encoded.append(len(image))
        if self.most is not None and len(image) > self.most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 123 bytes.")
        return ImageFeatures((image[:, :1].clone(),), (image.shape[-2], image.shape[-1]))

    def decode(self, features: ImageFeatures, text_states: Tensor, text_mask: Tensor) -> NetworkOutput:
        image = features.levels[0]
        self.decoded.append(len(image))
        left, right, effusion, _ = (text_states[:, 0, n].view(-1, 1, 1, 1) for n in range(len(WORDS)))
        # Columns run from the patient's right to the left.
        is_left = (torch.arange(image.shape[-1], device=image.device) >= image.shape[-1] / 2).float()
        refused = left * (1 - right) * (1 - is_left) + right * (1 - left) * is_left + effusion
        logits = (image - 0.5) * self.scale - 20 * refused.clamp(max=1)
        return NetworkOutput(logits, {"light_1": image[..., ::2, ::2]})


def obedient_card(**changes: object) -> Card:
    values: dict[str, object] = {
        "name": "obedient",
        "network": "obedient",
        "network_options": {},
        "text_encoder": {"name": "words", "hash": "f" * 64, "width": len(WORDS), "length": 8},
        "image": {
            "size": list(SIZE),
            "convention": "unit",
            "plane": "axial",
            "orientation": "patient's right on the picture's left, anterior up",
            "colour": "grey",
        },
        "modality": "CT",
        "vocabulary": {
            "findings": {"pulmonary infection": ["infection", "infiltrate"], "effusion": ["pleural effusion"]},
            "places": [],
            "sentences_seen": 0,
        },
        "thresholds": {"mask": 0.5, "presence": 0.5},
    }
    return Card(**{**values, **changes})  # type: ignore[arg-type]


def obedient_checkpoint(**changes: object) -> Checkpoint:
    return Checkpoint(ObedientNetwork(), obedient_card(**changes), Path("obedient"), "a" * 64)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tiny networks threads wait for each other more than they compute, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def body_value(places: np.ndarray) -> np.ndarray:
    """Brightness by place ``(..., 3)`` in LPS mm: a bright box on each side of the patient, different in all axes."""
    x, y, z = np.moveaxis(places, -1, 0)
    left = (x > 1) & (x < 6) & (y > -5) & (y < 0) & (z > -4)
    right = (x > -6) & (x < -2) & (y > 1) & (y < 4) & (z < 3)
    return np.where(left | right, 240, 20).astype(np.uint8)


def body(slices: int = 12) -> Volume:
    """A volume of 16 x 16 x ``slices`` voxels of 1 mm about the origin, in plain LPS axes."""
    geometry = Geometry((16, 16, slices), origin=(-7.5, -7.5, -(slices - 1) / 2))
    k, j, i = np.indices(geometry.shape)
    places = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ geometry.matrix().T
    return Volume(body_value(places[..., :3]), geometry, "body", "made for tests")
