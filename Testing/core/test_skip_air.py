"""Slices that show nothing but air go unasked in HU volumes; switched off, everything is asked."""

from __future__ import annotations

import numpy as np
import pytest
from obedient import obedient_card, one_thread  # noqa: F401
from predictor_makers import LEFT, network_of, obedient

from LMISCore.inference.slices import AIR_SHARE, prepare_slices
from LMISCore.volumes.volume import Geometry, Volume

pytestmark = pytest.mark.usefixtures("one_thread")

IMAGE = {"size": [32, 32], "convention": "lung", "plane": "axial"}


def scan(dtype: str = "int16") -> Volume:
    """Four axial slices: air, a body, a body, air."""
    array = np.full((4, 40, 50), -1000, dtype=dtype)
    array[1:3, 10:30, 10:40] = 40
    return Volume(array, Geometry((50, 40, 4)), "scan", "made for tests")


def test_slices_of_air_are_not_asked_and_have_no_mask() -> None:
    predictor = obedient(batch_size=1, image={**obedient_card().image, "convention": "lung"})
    network = network_of(predictor)
    result = predictor.segment(scan(), LEFT)
    assert sum(network.encoded) == 2 and result.provenance["air_slices"] == 2
    asked = network_of(predictor)
    whole = predictor.segment(scan(), LEFT, skip_air=False)
    assert sum(asked.encoded) == 4 and whole.provenance["air_slices"] == 0
    first, second = result.rows[0].mask, whole.rows[0].mask
    assert first is not None and second is not None and first[1:3].any()
    np.testing.assert_array_equal(first[1:3], second[1:3])
    assert not first[[0, 3]].any()


def test_a_few_bright_pixels_are_still_air_and_a_body_is_not() -> None:
    volume = scan()
    few = int(AIR_SHARE * 40 * 50)
    volume.array[0].flat[:few] = 100
    volume.array[3].flat[: few + 1] = 100
    pictures = prepare_slices(volume, IMAGE)
    assert [pictures.shows_air(index) for index in range(4)] == [True, False, False, False]


def test_pictures_without_hounsfield_units_are_never_taken_for_air() -> None:
    volume = Volume(np.zeros((2, 8, 8), dtype=np.uint8), Geometry((8, 8, 2)), "black", "made for tests")
    pictures = prepare_slices(volume, IMAGE)
    assert not pictures.shows_air(0) and not pictures.shows_air(1)
