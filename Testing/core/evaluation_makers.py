"""A small made-up data set, and a network whose every figure on it is known beforehand."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint
from LMISCore.networks.outputs import ImageFeatures, NetworkOutput
from LMISCore.text.states import TextEncoder

SIZE = 32
SIDE_WORDS = ("left", "right")
LESIONS = {"left": (slice(20, 25), slice(20, 25)), "right": (slice(18, 24), slice(6, 10))}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Pictures this small gain nothing from threads, which on a busy machine mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class WordEncoder(TextEncoder):
    """One state per word: (names the left, names the right, is a word)."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), "cpu")
        self.name, self.width, self.length, self.hash = "words", 3, 32, "words-1"

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        words = re.findall(r"[a-z]+", sentence.lower()) or [""]
        ids = [SIDE_WORDS.index(word) if word in SIDE_WORDS else 2 if word else 3 for word in words]
        return torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        return torch.eye(4)[ids][..., :3]


class ObedientNetwork(nn.Module):
    """Marks what is bright on the sides that the sentence names; everything bright when it names none."""

    stride = 16
    text_width = 3

    def __init__(self, reads_text: bool = True) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.reads_text = reads_text
        self.encoded = 0

    def encode_image(self, image: Tensor) -> ImageFeatures:
        self.encoded += image.shape[0]
        return ImageFeatures((image,), (image.shape[-2], image.shape[-1]))

    def decode(self, features: ImageFeatures, states: Tensor, mask: Tensor) -> NetworkOutput:
        image = features.levels[0]
        named = (states * mask.unsqueeze(-1)).amax(1)
        left, right, words = (named[:, i].view(-1, 1, 1, 1) > 0 for i in range(3))
        column = torch.arange(image.shape[-1]).view(1, 1, 1, -1)
        on_left = column >= image.shape[-1] // 2
        inside = torch.where(on_left, left, right) | (~left & ~right & words)
        if not self.reads_text:
            inside = torch.ones_like(inside)
        bright = image.mean(1, keepdim=True) > 0.5
        return NetworkOutput(torch.where(bright & inside, 9.0, -9.0))


def card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "name": "obedient",
        "network": "tirnet",
        "network_options": {"width": 4, "text_width": 3},
        "text_encoder": {"name": "words", "hash": "words-1", "width": 3, "length": 32},
        "image": {
            "size": [SIZE, SIZE],
            "convention": "unit",
            "plane": "axial",
            "orientation": "patient's right on the picture's left",
            "colour": "grey",
        },
        "vocabulary": {"findings": {"pulmonary infection": ["infection"]}, "places": [], "sentences_seen": 0},
        "recipe": {"text": {"rewrite": "lvit_axial", "ignore": False}},
    }
    return Card(**{**values, **changes})


def checkpoint(network: nn.Module, its_card: Card) -> Checkpoint:
    return Checkpoint(network, its_card, Path("obedient"), "0" * 64)


def write_slice(folder: Path, name: str, lesions: list[str]) -> None:
    picture = np.full((SIZE, SIZE), 20 if folder.name == "Test_Folder" else 21, dtype=np.uint8)
    mask, lungs = np.zeros_like(picture), np.zeros_like(picture)
    lungs[4:28, 4:14] = lungs[4:28, 18:28] = 255
    picture[lungs > 0] = 40
    for lesion in lesions:
        if lesion == "dot":
            place: Any = (slice(10, 11), slice(20, 23))
        else:
            place = LESIONS[lesion]
        picture[place], mask[place] = 235, 255
    picture[0, 0] = 255
    for kind, array in (("img", picture), ("labelcol", mask), ("lungs", lungs)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / name)


@pytest.fixture(name="data", scope="module")
def small_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patient case_001: 12 slices, right lesion. case_002: 6 bilateral, 3 left, one dot and one without lesion."""
    right = "Unilateral pulmonary infection, one infected area, lower right lung."
    left = "Unilateral pulmonary infection, one infected area, lower left lung."
    both = "Bilateral pulmonary infection, two infected areas, lower left lung and lower right lung."
    rows = [("case_001", ["right"], right)] * 12
    rows += [("case_002", ["left", "right"], both)] * 6 + [("case_002", ["left"], left)] * 3
    rows += [("case_002", ["dot"], left), ("case_002", [], "No infection.")]
    folder = tmp_path_factory.mktemp("data") / "small set"
    for split in ("Val", "Test"):
        place = folder / f"{split}_Folder"
        table = [("Image", "Description")]
        for number, (case, lesions, text) in enumerate(rows):
            name = f"{case}_s{number:04d}.png"
            write_slice(place, name, lesions)
            table.append((name, text))
        with (place / f"{split}_text.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(table)
    return folder


@pytest.fixture(name="own_data")
def small_data_copy(data: Path, tmp_path: Path) -> Path:
    """A copy for tests that damage it."""
    return Path(shutil.copytree(data, tmp_path / data.name))
