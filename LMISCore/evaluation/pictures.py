"""Slices of a set as a network's pictures, with their neighbours where its weights see them, changed or as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from LMISCore.data.context import neighbours
from LMISCore.data.manifest import Pair
from LMISCore.data.slices import read_picture_volume
from LMISCore.evaluation.asking import Asker, changed_volume
from LMISCore.inference.slices import SlicePictures
from LMISCore.volumes.intensity import Normaliser
from LMISCore.volumes.volume import Volume

# Slices are read in order, and each is the neighbour of two.
KEPT = 4


class Pictures:
    """Prepares the slices of a set for one checkpoint.

    Args:
        asker: the checkpoint.
        pairs: N slices, those of a case together and in order.
        fits: the card's intensity convention, fitted to each case.
        change: called with a slice's number and its picture, gives the changed picture; None changes nothing. A
            slice's neighbours are changed as they are when it is their turn.
    """

    def __init__(
        self,
        asker: Asker,
        pairs: Sequence[Pair],
        fits: Mapping[str, Normaliser],
        change: Callable[[int, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.asker = asker
        self.pairs = pairs
        self.fits = fits
        self.change = change
        self._beside = neighbours(pairs) if asker.card.context else None
        self._plane = lru_cache(maxsize=KEPT)(self._read_plane)

    def picture(self, row: int, volume: Volume) -> SlicePictures:
        """Slice ``row``, whose picture was read into ``volume``."""
        if self._beside is None:
            return self._prepare(row, volume)
        before, after = self._beside[row]
        return self._prepare(row, volume, (self._plane(before), self._plane(after)))

    def _prepare(self, row: int, volume: Volume, beyond: tuple[np.ndarray, np.ndarray] | None = None) -> SlicePictures:
        if self.change is not None:
            volume = changed_volume(volume, self.change(row, volume.array[0]))
        return self.asker.prepare(volume, self.fits[self.pairs[row].case], beyond)

    def _read_plane(self, row: int) -> np.ndarray:
        return self._prepare(row, read_picture_volume(self.pairs[row])).plane(0)
