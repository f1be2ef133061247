"""Intensity conventions and framing: HU and pictures arrive looking the same, on the network's size and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from LMISCore.errors import InputError
from LMISCore.volumes.framing import Frame
from LMISCore.volumes.intensity import CONVENTIONS, decide_kind, equalise, fit_normaliser, stretch, window


def phantom(size: int = 64) -> np.ndarray:
    """A chest-like slice in HU: air around, soft tissue, two lungs, one lesion."""
    yy, xx = np.mgrid[:size, :size] / size
    hu = np.full((size, size), -1000.0)
    hu[((xx - 0.5) / 0.45) ** 2 + ((yy - 0.5) / 0.35) ** 2 < 1] = 40
    for centre in (0.3, 0.7):
        hu[((xx - centre) / 0.13) ** 2 + ((yy - 0.5) / 0.22) ** 2 < 1] = -850
    hu[((xx - 0.3) / 0.05) ** 2 + ((yy - 0.6) / 0.05) ** 2 < 1] = -300
    # Vessels and muscle rather than pixel noise: rounding to 8 bits reshuffles the ranks of bare noise.
    waves = np.sin(23 * xx) * np.cos(31 * yy) + 0.5 * np.sin(71 * xx + 53 * yy)
    textured: np.ndarray = hu + 60 * waves
    return textured


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([[[-1024.0, 1500.0]]]), "hu"),
        (np.array([[[-160.0, 240.0]]]), "hu"),
        (np.array([[[0, 255]]], dtype=np.uint8), "picture"),
        (np.array([[[-3.2, 4.1]]]), "picture"),
        (np.array([[[0, 4095]]], dtype=np.uint16), "picture"),
        (np.zeros((1, 2, 2, 3), dtype=np.uint8), "picture"),
    ],
)
def test_kind_is_decided_on_the_whole_volume(array: np.ndarray, kind: str) -> None:
    decided, reason = decide_kind(array)
    assert decided == kind
    assert reason


def test_window_maps_its_ends_to_zero_and_one() -> None:
    np.testing.assert_allclose(window(np.array([-1350, -600, 150, 3000]), -600, 1500), [0, 0.5, 1, 1])


def test_stretch_of_a_flat_picture_is_black_and_finite() -> None:
    assert stretch(np.full((4, 4), 7.0)).tolist() == np.zeros((4, 4)).tolist()


def test_hu_and_its_windowed_picture_arrive_looking_the_same() -> None:
    hu = phantom()[None]
    picture = np.round(255 * window(hu, -600, 1500)).astype(np.uint8)
    frame = Frame((64, 64), (48, 48))
    from_hu = fit_normaliser(hu, "lung_equalised")[0](hu[0], frame)
    from_picture = fit_normaliser(picture, "lung_equalised")[0](picture[0], frame)
    assert float(np.abs(from_hu - from_picture).mean()) < 0.01


@pytest.mark.parametrize("gamma", [0.7, 1.4])
def test_local_equalisation_undoes_a_gamma(gamma: float) -> None:
    picture = window(phantom(), -600, 1500)
    plain_change = np.abs(picture**gamma - picture).mean()
    assert np.abs(equalise(picture**gamma) - equalise(picture)).mean() < 0.2 * plain_change


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("colour", [False, True])
def test_every_convention_gives_three_channels_in_the_unit_range(convention: str, colour: bool) -> None:
    array = (phantom()[None] + 1024).clip(0, 2000) / 2000 * 255
    if colour:
        array = np.stack([array, array[:, ::-1], array], axis=-1)
    picture = fit_normaliser(array, convention)[0](array[0], Frame((64, 64), (32, 40)))
    assert picture.shape == (3, 32, 40)
    assert picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.05
    assert np.array_equal(picture[0], picture[1]) is not colour


def test_a_released_picture_is_divided_by_255() -> None:
    array = np.array([[[0, 51], [102, 255]]], dtype=np.uint8)
    picture = fit_normaliser(array, "unit")[0](array[0], Frame((2, 2), (2, 2)))
    np.testing.assert_allclose(picture[0], array[0] / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.array([0, 1], dtype=np.uint8), 255),
        (np.array([0, 255], dtype=np.int16), 255),
        (np.array([0, 2000], dtype=np.uint16), 4095),
        (np.array([0, 4096], dtype=np.uint16), 65535),
        (np.array([0, 100_000], dtype=np.int32), 100_000),
        (np.array([0, 0.8]), 1),
        (np.array([0, 200.5]), 255),
    ],
)
def test_wider_pictures_are_divided_by_the_top_of_the_range_they_use(values: np.ndarray, white: float) -> None:
    array = values.reshape(1, 1, 2)
    picture = fit_normaliser(array, "unit")[0](array[0], Frame((1, 2), (1, 2)))
    np.testing.assert_allclose(picture[0], array[0] / white, atol=1e-6)


@pytest.mark.parametrize("kind", ["auto", "hu"])
def test_weights_for_8_bit_pictures_refuse_hounsfield_units(kind: Any) -> None:
    with pytest.raises(InputError, match=r"expect 8-bit pictures; window it to 0-255"):
        fit_normaliser(phantom()[None], "unit", kind)
    assert fit_normaliser(phantom()[None], "percentile", kind)[0].kind == "hu"


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_ct_shifted_to_start_at_0_is_refused_as_hu(convention: str) -> None:
    shifted = (phantom() + 1024).clip(0)[None]
    assert shifted.min() == 0
    with pytest.raises(InputError, match=r"values start at 0, .* subtract 1024 first"):
        fit_normaliser(shifted, convention, "hu")


def test_unknown_conventions_and_kinds_are_refused_with_the_list() -> None:
    with pytest.raises(InputError, match="lung_equalised"):
        fit_normaliser(np.zeros((1, 4, 4)), "clahe")
    with pytest.raises(InputError, match="'auto', 'hu' or 'picture'"):
        fit_normaliser(np.zeros((1, 4, 4)), "unit", "HU")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shape", "spacing", "inner"),
    [
        ((256, 256), (1.0, 1.0), (64, 64)),
        ((128, 256), (1.0, 1.0), (32, 64)),
        ((128, 256), (2.0, 1.0), (64, 64)),
        ((300, 100), (1.0, 1.0), (64, 21)),
        ((1, 400), (1.0, 1.0), (1, 64)),
    ],
)
def test_a_slice_keeps_its_proportions_in_mm(
    shape: tuple[int, int], spacing: tuple[float, float], inner: tuple[int, int]
) -> None:
    frame = Frame(shape, (64, 64), spacing)
    assert frame.inner == inner
    padded = frame.pad(frame.resize(np.ones(shape)))
    assert padded.shape == (64, 64)
    assert padded.sum() == pytest.approx(inner[0] * inner[1])


@pytest.mark.parametrize("shape", [(256, 256), (200, 300), (90, 64)])
def test_restoring_brings_every_region_back_to_its_place(shape: tuple[int, int]) -> None:
    frame = Frame(shape, (64, 96))
    mask = np.zeros(shape, dtype=bool)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 8 : shape[1] // 2] = True
    back = frame.restore(frame.pad(frame.resize(mask.astype(float)))) > 0.5
    overlap = 2 * np.count_nonzero(back & mask) / (np.count_nonzero(back) + np.count_nonzero(mask))
    assert back.shape == shape
    assert overlap > 0.95


def test_a_small_round_lesion_keeps_its_area_when_masks_are_resized() -> None:
    yy, xx = np.mgrid[:256, :256]
    mask = (yy - 100) ** 2 + (xx - 90) ** 2 <= 6**2
    resized = Frame((256, 256), (176, 176)).resize_mask(mask)
    assert np.count_nonzero(resized) == pytest.approx(np.count_nonzero(mask) * (176 / 256) ** 2, rel=0.1)
