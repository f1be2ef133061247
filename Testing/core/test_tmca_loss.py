"""TMCA's loss against its equations written out in NumPy, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from LMISCore.losses.tmca import (
    TMCALoss,
    coarse_overlap,
    semantic_distance,
    soft_cross_entropy,
    target_vectors,
)
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.networks.tmca_alignment import SharedSpace, names

BATCH, WIDTHS, EMBEDDING = 4, (6, 8, 10, 12), 5


def masks() -> torch.Tensor:
    """Left half, the same again, right half, nothing."""
    found = torch.zeros(BATCH, 64, 64)
    found[:2, :, :32] = 1
    found[2, :, 32:] = 1
    return found


def sentences() -> torch.Tensor:
    vectors = torch.randn(BATCH, 7, generator=torch.Generator().manual_seed(5))
    vectors[1] = vectors[0]
    return vectors


def test_masks_are_compared_by_soft_dice_and_two_empty_ones_are_equal() -> None:
    overlap = coarse_overlap(torch.cat([masks(), torch.zeros(1, 64, 64)]))
    expected = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]])
    np.testing.assert_allclose(overlap.numpy(), expected, atol=1e-6)


def test_half_an_overlap_counts_as_two_thirds() -> None:
    whole, half = torch.ones(1, 56, 56), torch.zeros(1, 56, 56)
    half[:, :28] = 1
    # 2 x 392 cells in both over 784 and 392 squared ones.
    assert float(coarse_overlap(torch.cat([whole, half]))[0, 1]) == pytest.approx(2 * 392 / (784 + 392))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_distance_follows_its_equation(share: float) -> None:
    vectors, found = sentences(), semantic_distance(sentences(), masks(), share).numpy()
    overlap = coarse_overlap(masks()).numpy()
    for i in range(BATCH):
        for j in range(BATCH):
            a, b = vectors[i].numpy(), vectors[j].numpy()
            cosine = float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
            assert found[i, j] == pytest.approx(share * (1 - cosine) + (1 - share) * (1 - overlap[i, j]), abs=1e-5)


def test_targets_share_what_equal_reports_deserve() -> None:
    loss = TMCALoss()
    targets = loss.targets(sentences(), masks()).numpy()
    near = np.exp(-semantic_distance(sentences(), masks()).numpy() / 0.1)
    near /= near.sum(1, keepdims=True)
    np.testing.assert_allclose(targets, 0.5 * np.eye(BATCH) + 0.5 * near, atol=1e-5)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert targets[0, 1] > 0.2
    assert np.array_equal(loss.targets(None, masks()).numpy(), np.eye(BATCH))


def test_a_target_vector_is_the_mean_over_the_mask_and_the_plain_mean_where_it_is_empty() -> None:
    features = torch.randn(BATCH, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    found = target_vectors(features, masks(), 8)
    torch.testing.assert_close(found[0], features[0, :, :, :4].mean((1, 2)))
    torch.testing.assert_close(found[2], features[2, :, :, 4:].mean((1, 2)))
    torch.testing.assert_close(found[3], features[3].mean((1, 2)))


def test_cells_at_the_masks_border_count_by_their_share_and_padding_for_nothing() -> None:
    features = torch.arange(4.0).view(1, 1, 2, 2)
    mask = torch.zeros(1, 6, 5)
    mask[0, :4, :3] = 1  # 12 of 16 pixels of the first cell
    mask[0, 4, 4] = 1  # 1 of 16 pixels of the last cell, which reaches beyond the picture
    assert float(target_vectors(features, mask, 4)) == pytest.approx((12 * 0 + 1 * 3) / 13)


def test_soft_cross_entropy_of_rows() -> None:
    similarity, targets = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.75, 0.25], [0.0, 1.0]])
    first = -(0.75 * 2 + 0.25 * 0 - np.log(np.exp(2) + 1))
    second = -(1 - np.log(1 + np.e))
    assert float(soft_cross_entropy(similarity, targets)) == pytest.approx((first + second) / 2, rel=1e-6)


def alignment_parts(space: SharedSpace, device: torch.device | None = None) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    parts = {"temperature": torch.tensor(0.07, device=device), "semantic": sentences().to(device)}
    for level, width in enumerate(WIDTHS):
        features, sentence, weights = names(level)
        side = 64 // (4 * 2**level)
        parts[features] = torch.randn(BATCH, width, side, side, generator=generator).to(device)
        parts[sentence] = space.sentence(level, torch.randn(BATCH, 7, generator=generator).to(device))
        parts.update(zip(weights, space.weights(level), strict=True))
    return parts


def test_alignment_is_the_mean_of_four_levels_and_two_directions() -> None:
    torch.manual_seed(0)
    space = SharedSpace(WIDTHS, 7, EMBEDDING)
    parts, loss = alignment_parts(space), TMCALoss()
    targets = loss.targets(parts["semantic"], masks()).double().numpy()
    expected = []
    for level in range(4):
        features, sentence, _ = names(level)
        means = target_vectors(parts[features], masks(), 4 * 2**level)
        with torch.no_grad():
            vectors = F.normalize(space.image[level](means), dim=1).double().numpy()
            text = parts[sentence].double().numpy()
        scores = vectors @ text.T / 0.07
        for direction in (scores, scores.T):
            shifted = direction - direction.max(1, keepdims=True)
            logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
            expected.append(-(targets * logs).sum(1).mean())
    assert float(loss.align(parts, masks()).detach()) == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_total_weighs_its_terms_and_gradients_reach_the_projections(device: torch.device) -> None:
    torch.manual_seed(0)
    space = SharedSpace(WIDTHS, 7, EMBEDDING).to(device)
    parts = alignment_parts(space, device)
    logits = torch.randn(BATCH, 1, 64, 64, device=device)
    total, terms = TMCALoss(segmentation=2, alignment=0.3)(NetworkOutput(logits, {}, parts), masks().to(device))
    expected = 2 * terms["segmentation"] + 0.3 * terms["alignment"]
    torch.testing.assert_close(total, expected)
    total.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in space.image.parameters())
