"""Losses against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from LMISCore.losses import MSISLoss, dice_bce_loss, soft_dice_loss
from LMISCore.losses.msis import background_suppression, region_contrast
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.networks.tirnet import TIRNet


@pytest.fixture(autouse=True)
def on_device(device: torch.device) -> Iterator[None]:
    """Every tensor that a test makes lies on the device."""
    with device:
        yield


def logits_of(probability: list[float]) -> torch.Tensor:
    return torch.tensor(probability).logit().view(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("probability", "mask", "expected"),
    [
        # 2 * 0.5 / (0.25 + 0.25 + 1) = 2/3
        ([0.5, 0.5], [1, 0], 1 - 2 / 3),
        # 2 * (0.8 + 0.6) / (0.64 + 0.36 + 2) = 2.8 / 3
        ([0.8, 0.6], [1, 1], 1 - 2.8 / 3),
    ],
)
def test_soft_dice_has_squared_denominators(probability: list[float], mask: list[int], expected: float) -> None:
    loss = soft_dice_loss(logits_of(probability), torch.tensor([mask]).view(1, 1, -1))
    assert float(loss) == pytest.approx(expected, abs=1e-4)


def test_soft_dice_of_two_empty_masks_is_near_zero() -> None:
    assert float(soft_dice_loss(torch.full((1, 1, 4, 4), -30.0), torch.zeros(1, 4, 4))) < 1e-3


def test_dice_and_cross_entropy_count_half_each() -> None:
    logits, mask = logits_of([0.5, 0.5]), torch.tensor([[[1, 0]]])
    assert float(dice_bce_loss(logits, mask)) == pytest.approx(0.5 * (1 - 2 / 3) + 0.5 * math.log(2), abs=1e-4)


def test_dice_is_averaged_over_samples_not_pixels() -> None:
    perfect, wrong = torch.full((1, 1, 2, 2), 30.0), torch.full((1, 1, 2, 2), -30.0)
    loss = soft_dice_loss(torch.cat([perfect, wrong]), torch.ones(2, 2, 2))
    assert float(loss) == pytest.approx(0.5, abs=1e-4)


def test_region_contrast_is_log_two_without_contrast() -> None:
    mask = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
    assert float(region_contrast(torch.zeros(1, 1, 2, 2), mask)) == pytest.approx(math.log(2))


def test_region_contrast_compares_means_inside_and_outside() -> None:
    similarity = torch.tensor([[[[1.0, 0.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 0.0, 0.0]]]])
    assert float(region_contrast(similarity, mask)) == pytest.approx(-math.log(math.e / (math.e + 1)))


def test_region_contrast_leaves_out_samples_without_foreground() -> None:
    mask = torch.zeros(2, 1, 2, 2)
    mask[0, 0, 0, 0] = 1
    similarity = torch.randn(2, 1, 2, 2)
    assert torch.equal(region_contrast(similarity, mask), region_contrast(similarity[:1], mask[:1]))
    assert float(region_contrast(similarity, torch.zeros(2, 1, 2, 2))) == 0


def test_region_contrast_survives_extreme_similarities() -> None:
    mask = torch.tensor([[[[1.0, 0.0]]]])
    similarity = torch.tensor([[[[-1000.0, 1000.0]]]], requires_grad=True)
    loss = region_contrast(similarity, mask)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert similarity.grad is not None and torch.isfinite(similarity.grad).all()


def test_background_suppression_wants_shade_outside() -> None:
    mask = torch.tensor([[[[1.0, 0.0]]]])
    right = background_suppression(torch.tensor([[[[-9.0, 9.0]]]]), mask)
    wrong = background_suppression(torch.tensor([[[[9.0, -9.0]]]]), mask)
    assert float(right) < 0.01 < 8 < float(wrong)


def test_total_is_the_weighted_sum_of_its_terms() -> None:
    torch.manual_seed(0)
    mask = torch.zeros(1, 8, 8)
    mask[:, :4] = 1
    similarity = torch.randn(1, 1, 4, 4)
    output = NetworkOutput(
        torch.randn(1, 1, 8, 8), {"similarity_1": similarity}, {"negative_logits_1": -1.5 * similarity}
    )
    total, terms = MSISLoss(segmentation=2.0, rgc=3.0, bs=0.25)(output, mask)
    expected = 2 * terms["segmentation"] + 3 * terms["rgc"] + 0.25 * terms["bs"]
    torch.testing.assert_close(total, expected)


def test_light_is_judged_where_the_picture_lies_when_its_sides_are_no_multiple_of_the_stride() -> None:
    torch.manual_seed(0)
    network = TIRNet(width=4, text_width=8).train()
    image, states, words = torch.rand(1, 3, 40, 24), torch.randn(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)
    mask = torch.zeros(1, 40, 24)
    mask[:, 32:, :8] = 1
    # The network pads the picture to 48 x 32 by repeating its edges; so is this one padded, its mask beside it.
    whole_image = torch.nn.functional.pad(image, (0, 8, 0, 8), mode="replicate")
    whole_mask = torch.zeros(1, 48, 32)
    whole_mask[:, 32:, :8] = 1
    _, cropped = MSISLoss()(network(image, states, words), mask)
    _, whole = MSISLoss()(network(whole_image, states, words), whole_mask)
    torch.testing.assert_close(cropped["rgc"], whole["rgc"])
    torch.testing.assert_close(cropped["bs"], whole["bs"])
