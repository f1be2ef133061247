"""The recorded outputs of the released networks (Testing/golden), and how close ours must come to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from LMISCore.text.encoders import TextEncoder, TextStates
from Testing.golden import fill

GOLDEN = Path(fill.__file__).parent
SEED = 11


def recorded_case(name: str) -> dict[str, np.ndarray]:
    """All that was recorded of a network, by name."""
    with np.load(GOLDEN / f"{name}_case.npz") as case:
        return {key: case[key] for key in case.files}


def recorded_image() -> torch.Tensor:
    """The picture that the recorded outputs answer."""
    return torch.from_numpy(fill.inputs(SEED)[0])


def recorded_sentences(encoder: TextEncoder) -> TextStates:
    """The states that an encoder gives the sentences that the recorded outputs answer."""
    _, _, ids, mask = fill.inputs(SEED)
    return encoder.encode_ids(torch.from_numpy(ids), torch.from_numpy(mask))


def assert_close(found: torch.Tensor, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """Largest difference relative to the largest expected value."""
    assert tuple(found.shape) == expected.shape
    difference = np.abs(found.numpy() - expected).max() / np.abs(expected).max()
    assert difference < tolerance, f"relative difference {difference:.2e}"
