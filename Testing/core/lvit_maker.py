"""A small data set in the LViT layout: pictures of two lungs with bright lesions, masks, lung masks and sentences."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 64
SENTENCES = {
    "left": "Unilateral pulmonary infection, one infected area, lower left lung.",
    "right": "Unilateral pulmonary infection, one infected area, lower right lung.",
    "both": "Bilateral pulmonary infection, two infected areas, lower left lung and lower right lung.",
}


def draw(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture, lesion mask and lung mask, each ``(64, 64)`` uint8; the patient's right is on the picture's left."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:SIZE, :SIZE]
    lungs = np.zeros((SIZE, SIZE), dtype=bool)
    lesion = np.zeros_like(lungs)
    for side, column in (("right", 18), ("left", 46)):
        lungs |= ((xx - column) / 11) ** 2 + ((yy - 32) / 20) ** 2 < 1
        if kind in (side, "both"):
            lesion |= (xx - column - rng.integers(-3, 4)) ** 2 + (yy - 43 - rng.integers(-2, 3)) ** 2 < 16
    picture = np.where(lungs, 40, 150) + np.where(lesion & lungs, 110, 0) + rng.integers(0, 20, lungs.shape)
    return picture.astype(np.uint8), (255 * (lesion & lungs)).astype(np.uint8), (255 * lungs).astype(np.uint8)


def write_lvit(folder: Path, slices: int = 6, lungs: bool = True) -> Path:
    """Write Train, Val and Test with one patient each; the text tables are CSV."""
    for number, split in enumerate(("Train", "Val", "Test")):
        root = folder / f"{split}_Folder"
        for name in ("img", "labelcol", "lungs"):
            (root / name).mkdir(parents=True)
        rows = []
        for index in range(slices):
            kind = ("left", "right", "both")[index % 3]
            name = f"scan_{number}_s{index:04d}.png"
            files = zip(("img", "labelcol", "lungs"), draw(kind, 100 * number + index), strict=True)
            for place, array in files:
                if place != "lungs" or lungs:
                    Image.fromarray(array).save(root / place / name)
            rows.append([name, SENTENCES[kind]])
        with (root / f"{split}_text.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["Image", "Description"], *rows])
    return folder
