"""A volume as the pictures a network sees, and the slices that a sentence's head-feet words choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from LMISCore.errors import InputError
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.intensity import Normaliser, fit_normaliser
from LMISCore.volumes.orientation import Canonical
from LMISCore.volumes.volume import Volume

# Feet to head, the order in which canonical axial slices run.
LEVELS = ("lower", "mid", "upper")
# Lung lies near -850 HU and soft tissue near 40; what is left of a table or a tube is fewer pixels than a body.
AIR_BELOW, AIR_SHARE = -500.0, 0.001


@dataclass(frozen=True)
class SlicePictures:
    """One volume, ready to be read slice by slice; a batch of pictures exists only while it is asked for.

    Attributes:
        canonical: the volume turned so that slices run feet to head, rows front to back, columns right to left.
        frame: place of a slice in the network's picture.
        normaliser: the card's intensity convention, fitted to the whole volume.
        kind_reason: one clause on how HU or picture was decided.
        colour: "grey", "rgb" or "bgr", as the network was trained.
        context: 1 where the network's three channels are the slice nearer the feet, the slice and the one nearer the
            head; the volume's first and last slices stand in for what lies beyond them. 0: three equal channels, or a
            picture's colours.
        beyond: what lies beyond the first and the last slice where that is known, each as ``plane`` gives it.
    """

    canonical: Canonical
    frame: Frame
    normaliser: Normaliser
    kind_reason: str
    colour: str
    context: int = 0
    beyond: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def count(self) -> int:
        """N, the number of slices."""
        return int(self.canonical.slices.shape[0])

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)`` of a slice, pixels."""
        return self.frame.shape

    def picture(self, index: int) -> np.ndarray:
        """Slice ``index`` as the network's picture ``(3, h, w)`` float32 in [0, 1]."""
        return self.batch([index])[0] if self.context else self._alone(index)

    def plane(self, index: int) -> np.ndarray:
        """Slice ``index`` alone as one channel ``(h, w)`` float32 in [0, 1], for networks that see its neighbours.

        Raises:
            ValueError: for a network that does not see them: its slice is no channel of its own.
        """
        if not self.context:
            raise ValueError("these pictures have no neighbours beside them; a channel of its own is the whole picture")
        channel: np.ndarray = self._alone(index)[0]
        return channel

    def _alone(self, index: int) -> np.ndarray:
        values = self.canonical.slices[index]
        if values.ndim == 3 and self.colour == "grey":
            # Rec. 601 luma, what Pillow's "L" gives.
            values = values.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        elif values.ndim == 3 and self.colour == "bgr":
            values = values[..., ::-1]
        return self.normaliser(values, self.frame)

    def batch(self, indices: Sequence[int]) -> np.ndarray:
        """Pictures ``(B, 3, h, w)`` float32 of some slices; each is prepared once, whose neighbour it may also be."""
        if not self.context:
            return np.stack([self._alone(index) for index in indices])
        around = [[self._place(index + step) for step in (-1, 0, 1)] for index in indices]
        planes = {place: self._plane_at(place) for place in sorted({place for three in around for place in three})}
        return np.stack([np.stack([planes[place] for place in three]) for three in around])

    def _place(self, index: int) -> int:
        """A slice's number, or -1 and N for what lies beyond the ends where that is known."""
        return index if self.beyond is not None else min(max(index, 0), self.count - 1)

    def _plane_at(self, place: int) -> np.ndarray:
        if self.beyond is not None and not 0 <= place < self.count:
            return self.beyond[place > 0]
        return self.plane(place)

    def shows_air(self, index: int) -> bool:
        """Whether a slice in HU shows nothing but air: at most ``AIR_SHARE`` of its pixels lie above ``AIR_BELOW``.

        Always false for pictures, whose values say nothing about what is air.
        """
        if self.normaliser.kind != "hu":
            return False
        values = self.canonical.slices[index]
        return bool(np.count_nonzero(values > AIR_BELOW) <= AIR_SHARE * values.size)

    def native(self, slices: np.ndarray) -> np.ndarray:
        """Bring ``(N, H, W)`` back to the volume's own ``(K, J, I)``, contiguous."""
        return np.ascontiguousarray(self.canonical.to_native(slices))


def prepare_slices(volume: Volume, image: dict[str, Any], intensity: str = "auto") -> SlicePictures:
    """Turn, frame and normalise a volume as a card's ``image`` entry says.

    Args:
        volume: any geometry; a single slice is a picture and is taken as it is.
        image: the card's ``size`` [h, w], ``convention``, ``plane``, ``colour`` and, where it has one, ``context``.
        intensity: "auto", "hu" or "picture".

    Raises:
        InputError: for an unknown intensity kind or convention.
    """
    plane = image["plane"]
    # Weights made for single pictures read a volume in axial slices: there is no better guess.
    canonical = Canonical(volume, plane="auto" if volume.is_picture_2d or plane == "picture" else plane)
    height, width = (int(side) for side in canonical.slices.shape[1:3])
    rows, columns = canonical.spacing_rc
    frame = Frame((height, width), (int(image["size"][0]), int(image["size"][1])), (rows, columns))
    if intensity not in ("auto", "hu", "picture"):
        raise InputError(f"The intensity {intensity!r} is unknown; choose auto, hu or picture.")
    normaliser, reason = fit_normaliser(volume.array, image["convention"], intensity)  # type: ignore[arg-type]
    colour, context = str(image.get("colour", "grey")), int(image.get("context", 0))
    return SlicePictures(canonical, frame, normaliser, reason, colour, context)


def plane_of_words(volume: Volume, canonical: Canonical, image: dict[str, Any], places: Iterable[str]) -> str:
    """Return the plane by which a sentence's head-feet words are understood, which is not how the slices are turned.

    A volume's words follow its slices. A single slice given to weights made for axial slices is taken for one, however
    its file lies: it shows one level, so head-feet words say nothing about places in it. Weights that learnt upper and
    lower as places in the picture, as released ones did, keep these words, and so do weights made for other pictures.

    Args:
        volume: as given.
        canonical: the volume turned to slices.
        image: the card's ``image`` entry.
        places: the card's words of place.
    """
    if not volume.is_picture_2d:
        return canonical.plane
    return "axial" if image["plane"] == "axial" and not {"upper", "lower"} & set(places) else "picture"


def organ_slices(organ_mask: np.ndarray, volume: Volume, canonical: Canonical) -> tuple[int, int]:
    """First slice and one past the last slice that hold the organ.

    Args:
        organ_mask: ``(K, J, I)`` on the volume's own grid, non-zero inside.
        volume: the volume it belongs to.
        canonical: the volume turned to slices.

    Raises:
        InputError: if the mask has another shape than the volume or is empty.
    """
    if organ_mask.shape != volume.geometry.shape:
        raise InputError(
            f"The organ mask has {_size(organ_mask.shape)} voxels but the volume has {_size(volume.geometry.shape)}; "
            "give a mask on the volume's own grid."
        )
    found = np.flatnonzero((canonical.from_native(organ_mask) != 0).any(axis=(1, 2)))
    if not len(found):
        raise InputError("The organ mask is empty; give one with at least one voxel, or none at all.")
    return int(found[0]), int(found[-1]) + 1


def level_slices(levels: Iterable[str], extent: tuple[int, int]) -> list[int]:
    """Slices of the head-feet thirds that a sentence names.

    The extent (of the organ where its mask is given, else of the volume) is cut into three equal parts: "lower"
    (basal) is the third next to the feet, "upper" (apical) the one next to the head. A slice belongs to the third
    that holds its middle. No level means every slice of the volume is asked, which is the caller's to say; an
    extent of fewer than three slices has no thirds, and all of it is returned.

    Args:
        levels: some of "lower", "mid", "upper".
        extent: first slice and one past the last, counted from the feet.

    >>> level_slices({"lower"}, (0, 9)), level_slices({"upper", "mid"}, (10, 16))
    ([0, 1, 2], [12, 13, 14, 15])
    """
    first, end = extent
    count = end - first
    wanted = {LEVELS.index(level) for level in levels}
    if count < len(LEVELS) or not wanted:
        return list(range(first, end))
    return [first + n for n in range(count) if int((n + 0.5) * len(LEVELS) / count) in wanted]


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in reversed(shape))
