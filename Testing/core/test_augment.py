"""Augmentation moves picture and mask together and keeps the sentence true."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from LMISCore.training.augment import Augmentation, geometric, mirrored, mix_intensity, photometric

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def blob() -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.zeros(1, 1, 48, 48)
    mask[0, 0, 10:22, 6:18] = 1
    return mask.repeat(1, 3, 1, 1), mask


def test_nothing_changes_when_everything_is_off() -> None:
    images, masks = blob()
    moved, cut = geometric(images, masks, [False], STILL, np.random.default_rng(0))
    torch.testing.assert_close(moved, images, atol=1e-4, rtol=0)
    assert torch.equal(cut, masks)
    assert torch.equal(photometric(images, STILL, np.random.default_rng(0)), images)
    plain, equalised = np.full((1, 4, 4), 0.2, np.float32), np.full((1, 4, 4), 0.8, np.float32)
    np.testing.assert_allclose(mix_intensity(plain, equalised, 0.7, STILL, np.random.default_rng(0)), 0.62, rtol=1e-6)


def test_a_flip_mirrors_picture_and_mask() -> None:
    images, masks = blob()
    moved, cut = geometric(images, masks, [True], STILL, np.random.default_rng(0))
    torch.testing.assert_close(moved, images.flip(-1), atol=1e-4, rtol=0)
    assert torch.equal(cut, masks.flip(-1))


def test_picture_and_mask_move_together() -> None:
    images, masks = blob()
    moved, cut = geometric(images, masks, [True], Augmentation(), np.random.default_rng(3))
    assert not torch.equal(cut, masks)
    assert float(((moved[:, :1] > 0.5).float() - cut).abs().sum()) == 0
    assert 0.5 < float(cut.sum() / masks.sum()) < 2


def test_all_masks_of_one_picture_move_alike() -> None:
    images, masks = blob()
    several = torch.cat([masks, masks, torch.zeros_like(masks)], dim=1)
    two = torch.cat([images, images]), torch.cat([several, several])
    moved, cut = geometric(*two, [False, True], Augmentation(), np.random.default_rng(3))
    assert cut.shape == (2, 3, 48, 48)
    for b in range(2):
        assert torch.equal(cut[b, 0], cut[b, 1]) and torch.equal(cut[b, 0], (moved[b, 0] > 0.5).float())
        assert not cut[b, 2].any()
    assert not torch.equal(cut[0], cut[1])


def test_a_flip_rewrites_every_sentence_of_the_picture() -> None:
    texts = ["Infection in the left lung.", "Right lung: infection."]
    assert mirrored(texts, np.random.default_rng(0), 1.0) == (
        ["Infection in the right lung.", "Left lung: infection."],
        True,
    )
    assert mirrored(texts, np.random.default_rng(0), 0.0) == (texts, False)


def test_a_flip_is_refused_when_one_sentence_names_a_one_sided_organ() -> None:
    texts = ["Infection in the left lung.", "The heart is normal in size."]
    assert mirrored(texts, np.random.default_rng(0), 1.0) == (texts, False)


@pytest.mark.parametrize("seed", range(5))
def test_pictures_stay_in_range_and_repeat_with_the_seed(seed: int) -> None:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    first = photometric(images, Augmentation(), np.random.default_rng(seed))
    assert float(first.min()) >= 0 and float(first.max()) <= 1
    assert torch.equal(first, photometric(images, Augmentation(), np.random.default_rng(seed)))
