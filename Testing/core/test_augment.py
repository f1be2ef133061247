"""Augmentation moves picture and mask together and keeps the sentence true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from LMISCore.training.augment import Augmentation, Change, draw_change, geometric, mirrored, mix_intensity, photometric

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def drawn(options: Augmentation, flips: list[bool], seed: int = 0, side: int = 48) -> list[Change]:
    """Changes of as many pictures as there are flips, each from a generator of its own."""
    rows = enumerate(flips)
    return [draw_change(options, np.random.default_rng([seed, b]), flip, (side, side), 0.7) for b, flip in rows]


def blob() -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.zeros(1, 1, 48, 48)
    mask[0, 0, 10:22, 6:18] = 1
    return mask.repeat(1, 3, 1, 1), mask


def test_nothing_changes_when_everything_is_off() -> None:
    images, masks = blob()
    still = drawn(STILL, [False])
    moved, cut = geometric(images, masks, still)
    torch.testing.assert_close(moved, images, atol=1e-4, rtol=0)
    assert torch.equal(cut, masks)
    assert torch.equal(photometric(images, still), images)
    plain, equalised = (torch.full((1, 1, 4, 4), level, dtype=torch.uint8) for level in (51, 204))
    torch.testing.assert_close(mix_intensity(plain, equalised, still), torch.full((1, 1, 4, 4), 0.62))


def test_a_flip_mirrors_picture_and_mask() -> None:
    images, masks = blob()
    moved, cut = geometric(images, masks, drawn(STILL, [True]))
    torch.testing.assert_close(moved, images.flip(-1), atol=1e-4, rtol=0)
    assert torch.equal(cut, masks.flip(-1))


def test_picture_and_mask_move_together() -> None:
    images, masks = blob()
    moved, cut = geometric(images, masks, drawn(Augmentation(), [True], seed=3))
    assert not torch.equal(cut, masks)
    assert float(((moved[:, :1] > 0.5).float() - cut).abs().sum()) == 0
    assert 0.5 < float(cut.sum() / masks.sum()) < 2


def test_all_masks_of_one_picture_move_alike() -> None:
    images, masks = blob()
    several = torch.cat([masks, masks, torch.zeros_like(masks)], dim=1)
    two = torch.cat([images, images]), torch.cat([several, several])
    moved, cut = geometric(*two, drawn(Augmentation(), [False, True], seed=3))
    assert cut.shape == (2, 3, 48, 48)
    for b in range(2):
        assert torch.equal(cut[b, 0], cut[b, 1]) and torch.equal(cut[b, 0], (moved[b, 0] > 0.5).float())
        assert not cut[b, 2].any()
    assert not torch.equal(cut[0], cut[1])


def test_a_batch_is_changed_as_its_pictures_are_one_by_one() -> None:
    rng = torch.Generator().manual_seed(0)
    plain, equalised = (torch.randint(256, (6, 1, 48, 48), generator=rng).to(torch.uint8) for _ in range(2))
    masks = (torch.rand(6, 2, 48, 48, generator=rng) > 0.5).float()
    changes = drawn(Augmentation(blur=0.5), [False, True, False, True, True, False], seed=6)
    kinds = [(change.blurred, change.noise is not None) for change in changes]
    assert len(set(kinds)) == 4, "every mixture of blur and noise is among them"
    moved, cut = geometric(mix_intensity(plain, equalised, changes), masks, changes)
    together = photometric(moved, changes)
    for row, change in enumerate(changes):
        one = slice(row, row + 1)
        own, own_cut = geometric(mix_intensity(plain[one], equalised[one], [change]), masks[one], [change])
        torch.testing.assert_close(photometric(own, [change]), together[one], atol=1e-6, rtol=0)
        assert torch.equal(own_cut, cut[one])


def test_every_byte_is_mixed_as_its_value_in_single_precision() -> None:
    plain = torch.arange(256).to(torch.uint8).view(1, 1, 16, 16)
    equalised = plain.flip(-1)
    change = replace(drawn(STILL, [False])[0], gamma=0.83, strength=0.37)
    values = [part.numpy() / np.float32(255) for part in (plain, equalised)]
    expected = (1 - 0.37) * np.power(values[0], 0.83, dtype=np.float32) + 0.37 * values[1]
    assert torch.equal(mix_intensity(plain, equalised, [change]), torch.from_numpy(expected))


def test_contrast_blur_and_noise_are_what_was_drawn() -> None:
    image = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    noise = np.random.default_rng(0).normal(0, 0.01, (8, 8)).astype(np.float32)
    still = drawn(STILL, [False], side=8)[0]
    found = photometric(image, [replace(still, gain=1.2, offset=0.05, blurred=True, noise=noise)])
    contrast = (image[0, 0].numpy() - 0.5) * 1.2 + 0.55
    expected = [
        [contrast[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].mean() + noise[r, c] for c in range(8)]
        for r in range(8)
    ]
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


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
    first = photometric(images, drawn(Augmentation(), [False, True], seed, 32))
    assert float(first.min()) >= 0 and float(first.max()) <= 1
    assert torch.equal(first, photometric(images, drawn(Augmentation(), [False, True], seed, 32)))
