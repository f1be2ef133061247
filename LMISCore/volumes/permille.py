"""Probabilities kept as whole thousandths, so that a mask can be cut again at another threshold without the network.

A value q of ``to_permille(p)`` is the largest whole number with ``q / 1000 <= p`` as single precision compares them. So
``cut(to_permille(p), t)`` is exactly ``p >= t`` for every threshold t of whole thousandths, where rounding to half
precision would move voxels across it. Two bytes a voxel, and far smaller in a compressed file. No torch.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STEPS = 1000
_EDGES = (np.arange(STEPS + 1) / STEPS).astype(np.float32)


def to_permille(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """Thousandths, rounded down: float32 probabilities of any shape to uint16 from 0 to 1000."""
    probability = probability.astype(np.float32, copy=False)
    found: npt.NDArray[np.uint16] = np.clip(probability * np.float32(STEPS), 0, STEPS).astype(np.uint16)
    # The product above is rounded, so it may be one off.
    found -= (_EDGES[found] > probability) & (found > 0)
    found += (_EDGES[np.minimum(found + 1, STEPS)] <= probability) & (found < STEPS)
    return found


def cut(permille: npt.NDArray[np.uint16], threshold: float) -> npt.NDArray[np.bool_]:
    """The mask at a threshold from 0 to 1; between two thousandths the higher one is taken.

    Raises:
        ValueError: for a threshold outside 0 to 1.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"the threshold is {threshold}, expected a number from 0 to 1")
    mask: npt.NDArray[np.bool_] = permille >= np.uint16(np.ceil(threshold * STEPS - 1e-6))
    return mask
