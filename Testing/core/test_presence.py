"""How sure a slice and a volume are: a volume by its surest slice, with its neighbours; and the loss on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from obedient import (
    SIZE,
    one_thread,  # noqa: F401
)
from predictor_makers import obedient
from sklearn.metrics import log_loss
from training_makers import (
    recipe,
    training_ground,  # noqa: F401
)

from LMISCore.data.lungs import SIDES
from LMISCore.inference.presence import slice_presence, volume_presence, with_neighbours
from LMISCore.losses import LOSSES
from LMISCore.losses.presence import presence_loss
from LMISCore.metrics.thresholds import choose_presence_threshold
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.training import validation
from LMISCore.training.data_check import read_split
from LMISCore.training.datasets import load_slices
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_slice_is_scored_with_the_neighbours_that_were_asked() -> None:
    assert with_neighbours(0.6, (0.9, 0.3)) == pytest.approx(0.6)
    assert with_neighbours(0.6, (None, 0.3)) == pytest.approx(0.45)
    assert with_neighbours(0.6, (None, None)) == 0.6


def test_a_volume_is_as_sure_as_its_surest_slice() -> None:
    assert volume_presence({3: 0.2, 4: 0.9, 5: 0.7, 9: 0.8}) == pytest.approx(0.8), "slices 4 and 5, and 9 alone"
    assert volume_presence({0: 0.1, 1: 1.0, 2: 0.1, 3: 0.1}) == pytest.approx(0.55), "at the end two slices count"
    assert volume_presence({7: 0.25}) == 0.25
    with pytest.raises(ValueError, match="no slice"):
        volume_presence({})


def test_scattered_bright_slices_make_a_volume_less_sure_than_neighbouring_ones() -> None:
    def presence(bright: tuple[int, ...]) -> float:
        array = np.full((12, *SIZE), 20, dtype=np.uint8)
        array[list(bright)] = 255
        array[:, 0, 0] = 255
        volume = Volume(array, Geometry((*SIZE, 12)), "lamps", "made for tests")
        (row,) = obedient().segment(volume, "Infection in the left lung.").rows
        assert row.presence is not None
        return row.presence

    scattered, together = presence((3, 6, 9)), presence((5, 6, 7))
    assert together == pytest.approx(1, abs=1e-3)
    assert scattered == pytest.approx(1 / 3, abs=1e-2)


def test_the_presence_loss_is_the_cross_entropy_of_the_brightest_pixels() -> None:
    logits = torch.randn(5, 1, 60, 100, generator=torch.Generator().manual_seed(1)) * 3
    masks = torch.zeros(5, 60, 100)
    masks[1, 3, 4] = masks[4, :9] = 1
    # 0.0005 of 6000 pixels are 3.
    highest = np.sort(logits.double().flatten(1).numpy())[:, -3:].mean(1)
    expected = log_loss([0, 1, 0, 0, 1], 1 / (1 + np.exp(-highest)))
    assert float(presence_loss(logits, masks)) == pytest.approx(expected, rel=1e-5)
    assert float(presence_loss(logits, masks.unsqueeze(1))) == pytest.approx(expected, rel=1e-5)


def test_the_presence_loss_pulls_at_the_pixels_that_the_score_is_made_of() -> None:
    logits = torch.zeros(1, 1, 60, 100, requires_grad=True)
    with torch.no_grad():
        logits[0, 0, 7, :3] = torch.tensor([3.0, 2.0, 1.0])
    presence_loss(logits, torch.zeros(1, 60, 100)).backward()
    assert logits.grad is not None
    assert logits.grad.nonzero().tolist() == [[0, 0, 7, column] for column in range(3)]
    lower = logits.detach() - logits.grad
    assert slice_presence(lower.sigmoid()) < slice_presence(logits.detach().sigmoid())


def test_tirnets_loss_counts_presence_only_where_the_recipe_asks_for_it() -> None:
    logits = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    similarity = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    output = NetworkOutput(logits, {"similarity_1": similarity}, {"negative_logits_1": -similarity})
    mask = torch.zeros(2, 16, 16)
    mask[0, 2:5] = 1
    without, terms = LOSSES["tirnet"]()(output, mask)
    total, with_it = LOSSES["tirnet"](presence=0.25)(output, mask)
    assert "presence" not in terms
    assert float(total) == pytest.approx(float(without) + 0.25 * float(presence_loss(logits, mask)))
    assert with_it["presence"] == presence_loss(logits, mask)


def test_the_threshold_is_chosen_on_the_scores_of_single_slices(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = recipe(ground)
    slices = load_slices(wanted, read_split(wanted, "Val"), 1)
    # Affected lungs of the six slices: left, right, both, left, right, both.
    own = {"left": [0.9, 0.3, 0.9, 0.8, 0.1, 0.7], "right": [0.2, 0.9, 0.8, 0.4, 0.9, 0.8]}
    turns = iter([own[side][number] for number in range(6) for side in SIDES])

    def answers(network: Any, images: torch.Tensor, *others: Any) -> torch.Tensor:
        return torch.stack([torch.full((32, 32), next(turns)) for _ in images])

    monkeypatch.setattr(validation, "probabilities", answers)
    chosen = validation.presence_threshold(torch.nn.Identity(), slices, "infection", "unit", Any, torch.device("cpu"))  # type: ignore[arg-type]
    affected = {"left": [True, False, True] * 2, "right": [False, True, True] * 2}
    expected = choose_presence_threshold(
        [own[side][n] for n in range(6) for side in SIDES], [affected[side][n] for n in range(6) for side in SIDES]
    )
    assert chosen.threshold == pytest.approx(expected.threshold)
    assert (chosen.sensitivity, chosen.specificity) == (expected.sensitivity, expected.specificity)
    assert (chosen.present, chosen.absent) == (8, 4)
