"""Slices of a data set as training and evaluation read them: turned as inference turns them, fitted case by case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np

from LMISCore.data.lungs import LungGeometry, lung_geometry
from LMISCore.data.manifest import Pair
from LMISCore.errors import InputError
from LMISCore.text.places import lvit_axial_words
from LMISCore.volumes.files import read_volume
from LMISCore.volumes.intensity import CONVENTIONS, Kind, Normaliser, fit_normaliser
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.pictures import SUFFIXES as FLAT_SUFFIXES
from LMISCore.volumes.volume import Volume

# Rec. 601 luma, what Pillow's "L" gives.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class TruthSlice:
    """One slice with what is true of it, at native resolution.

    Attributes:
        volume: the picture as a volume of one slice, as its file holds it.
        picture: ``(H, W)`` or ``(H, W, 3)``, turned as inference turns it; so are the masks.
        spacing: size of a pixel along rows and columns, mm; (1, 1) where the file states none.
        truth: mask ``(H, W)`` bool.
        lungs: lung mask ``(H, W)``, non-zero inside; None where the set has none.
    """

    volume: Volume
    picture: np.ndarray
    spacing: tuple[float, float]
    truth: np.ndarray
    lungs: np.ndarray | None


def read_slice(pair: Pair) -> TruthSlice:
    """Read one pair.

    Raises:
        InputError: if a file cannot be read or holds several slices, or picture and masks differ in size.
    """
    volume = _read_single(pair.image)
    canonical = Canonical(volume, plane="auto")
    picture = canonical.slices[0]
    masks = []
    for path in (pair.mask, pair.lungs):
        mask = None if path is None else _mask(path, volume)
        if mask is not None and mask.shape != picture.shape[:2]:
            raise InputError(
                f"{pair.image.name} has {_size(picture.shape[:2])} pixels but {path} has {_size(mask.shape)}; "
                "expected the same size."
            )
        masks.append(mask)
    truth, lungs = masks
    assert truth is not None
    return TruthSlice(volume, picture, canonical.spacing_rc, truth > 0, lungs)


def read_picture(pair: Pair) -> np.ndarray:
    """Read one pair's picture alone, ``(H, W)`` or ``(H, W, 3)``, as its file holds it."""
    picture: np.ndarray = read_picture_volume(pair).array[0]
    return picture


def read_picture_volume(pair: Pair) -> Volume:
    """Read one pair's picture alone, as a volume of one slice."""
    return _read_single(pair.image)


def by_case(pairs: Sequence[Pair]) -> Iterator[tuple[str, list[int]]]:
    """Row numbers of each case's slices; slices of one case must stand together."""
    for case, rows in groupby(range(len(pairs)), key=lambda row: pairs[row].case):
        yield case, list(rows)


def case_geometries(pairs: Sequence[Pair]) -> dict[str, LungGeometry | None]:
    """Measure the lungs of every case from all its slices' lung masks; None for a case without any."""
    return {case: _case_geometry([pairs[row] for row in rows]) for case, rows in by_case(pairs)}


def case_normalisers(pairs: Sequence[Pair], convention: str) -> dict[str, Normaliser]:
    """Fit a convention to every case; memory is that of one case."""
    return {case: fit_case([read_picture(pairs[row]) for row in rows], convention) for case, rows in by_case(pairs)}


def changed_normalisers(
    pairs: Sequence[Pair], fitted: dict[str, Normaliser], change: Callable[[int, np.ndarray], np.ndarray]
) -> dict[str, Normaliser]:
    """Fit to every case after its pictures were changed, whose values are still what they were: HU or brightness.

    Args:
        pairs: those of a case together.
        fitted: of ``case_normalisers``.
        change: called with a row's number and its picture, gives the changed picture.
    """
    found: dict[str, Normaliser] = {}
    for case, rows in by_case(pairs):
        before = fitted[case]
        if takes_numbers_from_case(before):
            changed = fit_case([change(row, read_picture(pairs[row])) for row in rows], before.convention, "picture")
            found[case] = replace(changed, kind=before.kind)
        else:
            found[case] = before
    return found


def takes_numbers_from_case(fitted: Normaliser) -> bool:
    """Whether what becomes 0 and 1 hangs on the case's values, and is not a window or each slice's own affair."""
    rule = CONVENTIONS[fitted.convention]
    return rule.stretched_by != "slice" and (fitted.kind != "hu" or rule.hu_window is None)


def fit_case(pictures: Sequence[np.ndarray], convention: str, kind: Kind | Literal["auto"] = "auto") -> Normaliser:
    """Fit a convention to all slices of one case together, as inference fits it to a whole volume.

    Args:
        pictures: each ``(H, W)`` or ``(H, W, 3)``; sizes may differ.
        convention: name in ``CONVENTIONS``.
        kind: "auto" decides by the values.

    Raises:
        InputError: if the convention does not suit the values.
    """
    if any(picture.ndim == 3 for picture in pictures):
        values = np.concatenate([as_colour(picture).reshape(-1, 3) for picture in pictures])[None, None]
    else:
        values = np.concatenate([picture.ravel() for picture in pictures])[None, None]
    return fit_normaliser(values, convention, kind)[0]


def as_colour(picture: np.ndarray) -> np.ndarray:
    """``(H, W, 3)``, a grey picture three times."""
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)


def as_grey(picture: np.ndarray) -> np.ndarray:
    """``(H, W)``: a colour picture's luma, float32; a grey one as it is."""
    grey: np.ndarray = picture.astype(np.float32) @ LUMA if picture.ndim == 3 else picture
    return grey


def sentence_rule(rewrite: str, ignore: bool) -> Callable[[str], str]:
    """What a set's sentence goes through before a network is asked it.

    Args:
        rewrite: "none", or "lvit_axial" for sets whose upper and lower mean the picture's front and back.
        ignore: whether text is withheld; every sentence is then empty.

    Raises:
        InputError: for an unknown rewriting.
    """
    if ignore:
        return lambda sentence: ""
    if rewrite == "lvit_axial":
        return lvit_axial_words
    if rewrite != "none":
        raise InputError(
            f"The card rewrites sentences by {rewrite!r}, which this LMISCore does not know; update LMISCore."
        )
    return lambda sentence: sentence


def _read_single(path: Path, missing: float | None = None) -> Volume:
    volume = read_volume(path, missing)
    if not volume.is_picture_2d:
        raise InputError(
            f"{path} holds {volume.geometry.size[2]} slices; expected one, with its own row of the data set; "
            "save each slice as a file of its own."
        )
    return volume


def _mask(path: Path, picture: Volume | None) -> np.ndarray:
    """A mask ``(H, W)`` turned like its picture; None stands for a picture that lies as it is stored.

    A mask that states its own axes is turned by them; one that states none (PNG) lies on the picture's stored grid.
    """
    mask = _read_single(path, missing=0)
    turned: np.ndarray
    if picture is None or not picture.spacing_known:
        turned = mask.array[0]
    elif mask.spacing_known:
        turned = Canonical(mask, plane="auto").slices[0]
    elif mask.array.shape[:3] == picture.array.shape[:3]:
        turned = Canonical(picture, plane="auto").from_native(mask.array)[0]
    else:
        turned = mask.array[0]
    return turned.max(-1) if turned.ndim == 3 else turned


def _case_geometry(pairs: Sequence[Pair]) -> LungGeometry | None:
    masks = []
    for pair in pairs:
        if pair.lungs is not None:
            flat = pair.image.suffix.lower() in FLAT_SUFFIXES
            masks.append(_mask(pair.lungs, None if flat else _read_single(pair.image)))
    return lung_geometry(masks) if masks else None


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
