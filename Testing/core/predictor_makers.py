"""Predictors and volumes that the tests of inference share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from obedient import (
    ObedientNetwork,
    WordEncoder,
    obedient_card,
    obedient_checkpoint,
)

from LMISCore.checkpoints.store import Checkpoint
from LMISCore.inference.predictor import Predictor
from LMISCore.networks import create_network
from LMISCore.volumes.volume import Geometry, Volume

NOWHERE = Path("nowhere")
LEFT, RIGHT = "Infection in the left lung.", "Infection in the right lung."


def obedient(batch_size: int | None = 5, **changes: Any) -> Predictor:
    return Predictor(obedient_checkpoint(**changes), "cpu", batch_size, encoder=WordEncoder())


def network_of(predictor: Predictor) -> ObedientNetwork:
    network: ObedientNetwork = predictor.engine.network
    network.encoded.clear()
    network.decoded.clear()
    return network


def tirnet(device: torch.device, batch_size: int = 2, seed: int = 1, precision: str = "fp32") -> Predictor:
    torch.manual_seed(seed)
    network = create_network("tirnet", width=4, text_width=4)
    card = obedient_card(
        network="tirnet",
        network_options=network.options,
        image={**obedient_card().image, "size": [32, 32]},
        thresholds={"mask": 0.5, "presence": 0.0},
    )
    checkpoint = Checkpoint(network, card, NOWHERE, "b" * 64)
    return Predictor(checkpoint, str(device), batch_size, precision=precision, encoder=WordEncoder())


def noise_volume(slices: int = 5) -> Volume:
    array = np.random.default_rng(3).integers(0, 256, (slices, 24, 20)).astype(np.uint8)
    return Volume(array, Geometry((20, 24, slices), (1.5, 1.0, 2.0)), "noise", "made for tests")


def bright_volume(slices: int, direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1)) -> Volume:
    geometry = Geometry((16, 16, slices), direction=direction)
    return Volume(np.full(geometry.shape, 230, dtype=np.uint8), geometry, "bright", "made for tests")
