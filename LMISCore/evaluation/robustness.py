"""Five changes of the input picture that leave its content as it is, to see how far Dice falls under each.

They are made on the picture as it is read, before any intensity convention, on the picture's own range from its
darkest to its brightest value. Whole-number pictures stay whole numbers, as a file would hold them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]

GAMMAS = (0.7, 1.4)
CONTRAST = 0.7
CLIPPED_SHARE = 0.1
NOISE = 0.03


def _contrast(unit: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return 0.5 + CONTRAST * (unit - 0.5)


def _clip(unit: np.ndarray, _: np.random.Generator) -> np.ndarray:
    clipped: np.ndarray = np.clip(unit, CLIPPED_SHARE, 1 - CLIPPED_SHARE)
    return clipped


def _noise(unit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return np.clip(unit + generator.normal(0.0, NOISE, unit.shape), 0, 1)


def _gamma(exponent: float) -> _Change:
    return lambda unit, _: unit**exponent


CHANGES: dict[str, _Change] = {
    **{f"gamma {exponent}": _gamma(exponent) for exponent in GAMMAS},
    f"contrast x {CONTRAST}": _contrast,
    "darkest and brightest 10 % of the range clipped": _clip,
    "Gaussian noise of 3 % of the range": _noise,
}


def change_picture(picture: np.ndarray, name: str, generator: np.random.Generator) -> np.ndarray:
    """Apply one of ``CHANGES`` to a picture.

    Args:
        picture: ``(H, W)`` or ``(H, W, 3)``, HU or brightness.
        name: key of ``CHANGES``.
        generator: source of the noise; the other changes do not touch it.

    Returns:
        The changed picture, of the same shape and type. A picture of one value comes back as it is.
    """
    values = picture.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return picture.copy()
    changed = low + (high - low) * CHANGES[name]((values - low) / (high - low), generator)
    whole = np.issubdtype(picture.dtype, np.integer)
    result: np.ndarray = (np.rint(changed) if whole else changed).astype(picture.dtype)
    return result
