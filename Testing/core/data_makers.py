"""Manifests, published layouts and folders of volumes that the tests of ``lmis data`` share."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from lvit_maker import SENTENCES, draw
from PIL import Image

from LMISCore.volumes.files import write_volume
from LMISCore.volumes.segmentation import SegmentData, write_segmentation
from LMISCore.volumes.volume import Geometry

KINDS = ("left", "right", "both")
SHAPE = (6, 8, 9)


def write_manifest_set(folder: Path, patients: int = 4, slices: int = 3, split: str = "") -> Path:
    """Pictures of several patients with a CSV manifest; every row is asked by its own sentence."""
    for name in ("img", "mask", "lungs"):
        (folder / name).mkdir(parents=True)
    rows = []
    for patient in range(patients):
        for number in range(slices):
            kind = KINDS[number % 3]
            name = f"scan_{patient}_s{number:04d}.png"
            for place, array in zip(("img", "mask", "lungs"), draw(kind, 100 * patient + number), strict=True):
                Image.fromarray(array).save(folder / place / name)
            rows.append([f"img/{name}", f"mask/{name}", f"lungs/{name}", SENTENCES[kind], split, f"p{patient}"])
    path = folder / "set.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["image", "mask", "lungs", "text", "split", "patient"], *rows])
    return path


def table_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV manifest."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def edit_table(path: Path, row: int, **cells: str) -> None:
    """Change cells of one data row, counted from 0."""
    rows = table_of(path)
    rows[row].update(cells)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def geometry(turned: bool = False) -> Geometry:
    """A grid of 9 x 8 x 6 voxels; ``turned`` runs from left to right and from head to feet."""
    sign = -1.0 if turned else 1.0
    return Geometry((9, 8, 6), (0.7, 0.8, 2.5), (10, 20, 30), (sign, 0, 0, 0, 1, 0, 0, 0, sign))


def box(first: int, last: int) -> np.ndarray:
    """A mask ``(6, 8, 9)`` on slices first to last."""
    mask = np.zeros(SHAPE, dtype=bool)
    mask[first : last + 1, 2:5, 1:4] = True
    return mask


def write_scan(folder: Path, name: str = "scan", turned: bool = False) -> np.ndarray:
    """A volume of numbers; returns its array."""
    values = np.arange(int(np.prod(SHAPE)), dtype=np.int16).reshape(SHAPE) - 200
    write_volume(folder / f"{name}.nrrd", values, geometry(turned))
    return values


def segment(key: str, sentence: str, mask: np.ndarray, **tags: str) -> SegmentData:
    """A segment with its sentence in its tags, as the module saves it."""
    return SegmentData(key, tags.pop("name", key), (1, 0, 0), mask, {"Sentence": sentence, **tags} if sentence else {})


def write_segments(path: Path, segments: list[SegmentData], turned: bool = False) -> None:
    write_segmentation(path, segments, geometry(turned))


def write_languidemedseg(folder: Path, train: int = 10, published: bool = False) -> Path:
    """QaTa-COV19 as LanGuideMedSeg keeps it; ``published`` gives the folders the set's own names."""
    for split, first, count in (("Train", 0, train), ("Test", 100, 3)):
        root = folder / (f"{split} Set" if published else split)
        masks = root / ("Ground-truths" if published else "GTs")
        (root / "Images").mkdir(parents=True)
        masks.mkdir()
        rows = []
        for number in range(first, first + count):
            kind = ("left", "right", "both")[(number - first) % 3]
            picture, lesion, _ = draw(kind, number)
            Image.fromarray(picture).save(root / "Images" / f"covid_{number}.png")
            Image.fromarray(lesion).save(masks / f"mask_covid_{number}.png")
            rows.append([f"mask_covid_{number}.png", SENTENCES[kind]])
        (folder / "prompt").mkdir(exist_ok=True)
        with (folder / "prompt" / f"{split.lower()}.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["Image", "Description"], *rows])
    return folder
