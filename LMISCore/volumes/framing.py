"""Fit a slice into the network's picture and bring the answer back onto the slice's own pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def _resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear with area weighting when shrinking (Pillow), ``(H, W[, C]) -> (h, w[, C])`` float32."""
    from PIL import Image

    if picture.shape[:2] == size:
        return picture.astype(np.float32)
    if picture.ndim == 3:
        return np.stack([_resize(picture[..., c], size) for c in range(picture.shape[-1])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(picture, dtype=np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR), dtype=np.float32)


@dataclass(frozen=True)
class Frame:
    """The place of one volume's slices in the network's picture.

    The slice keeps its proportions in mm and is centred; what is left of the picture is padding. A square slice of
    square pixels fills the picture.

    Attributes:
        shape: ``(H, W)`` of the slices, pixels.
        size: ``(h, w)`` of the network's picture, pixels.
        spacing: size of a pixel along rows and columns, mm; only the ratio matters.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    spacing: tuple[float, float] = (1.0, 1.0)

    @property
    def inner(self) -> tuple[int, int]:
        """``(h', w')``: the part of the network's picture that the slice covers."""
        extent = (self.shape[0] * self.spacing[0], self.shape[1] * self.spacing[1])
        scale = min(self.size[0] / extent[0], self.size[1] / extent[1])
        height, width = (round(e * scale) for e in extent)
        return min(max(height, 1), self.size[0]), min(max(width, 1), self.size[1])

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the covered part's first pixel."""
        inner = self.inner
        return (self.size[0] - inner[0]) // 2, (self.size[1] - inner[1]) // 2

    def resize(self, picture: np.ndarray) -> np.ndarray:
        """Resize a slice ``(H, W[, 3])`` to the covered part ``(h', w'[, 3])``, float32."""
        return _resize(picture, self.inner)

    def resize_mask(self, mask: np.ndarray) -> np.ndarray:
        """Resize a mask ``(H, W)`` to ``(h', w')`` bool: a pixel belongs to it when more than half of it does.

        (The released networks resize bilinearly and keep everything above 0, which enlarges a lesion of 3 pixels'
        radius by 45 %.)
        """
        return _resize(mask.astype(np.float32), self.inner) > 0.5

    def pad(self, picture: np.ndarray) -> np.ndarray:
        """Place ``(h', w'[, 3])`` in the network's picture ``(h, w[, 3])``; zeros (False) around it."""
        (top, left), inner = self.corner, self.inner
        rest = [(0, 0)] * (picture.ndim - 2)
        bottom, right = self.size[0] - inner[0] - top, self.size[1] - inner[1] - left
        return np.pad(picture, [(top, bottom), (left, right), *rest])

    def restore(self, probability: np.ndarray) -> np.ndarray:
        """Bring ``(h, w)`` of the network's picture back to the slice's ``(H, W)``, bilinear, float32."""
        (top, left), (height, width) = self.corner, self.inner
        return _resize(probability[top : top + height, left : left + width], self.shape)

    def restoring(self) -> tuple[np.ndarray, np.ndarray]:
        """What :meth:`restore` does as two matrices, ``(H, h')`` and ``(W, w')`` float32, for many pictures at once.

        Bilinear resizing works on rows and on columns one after the other, so it is
        ``rows @ probability[covered part] @ columns.T``.
        """
        (height, width), (rows, columns) = self.inner, self.shape
        return (
            _resize(np.eye(height, dtype=np.float32), (rows, height)).copy(),
            _resize(np.eye(width, dtype=np.float32), (columns, width)).copy(),
        )
