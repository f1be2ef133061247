"""Fingerprints of masks: the same for the same voxels in the patient, however they are stored; else different."""

from __future__ import annotations

import numpy as np
import pytest

from LMISCore.volumes.fingerprint import EMPTY, bounding_box, fingerprint, same_mask

MATRIX = np.array([[0.6, -0.4, 0, 10.5], [0.3, 0.9, 0, -20.25], [0, 0, 2.5, 7], [0, 0, 0, 1]])


def _mask() -> np.ndarray:
    mask = np.zeros((6, 7, 8), dtype=bool)
    mask[1:4, 2:5, 3:7] = True
    mask[1, 2, 3:5] = False
    return mask


def _shifted(matrix: np.ndarray, index: list[float]) -> np.ndarray:
    """Return the matrix of a grid whose first voxel is at ``index`` (i, j, k) of the given one."""
    moved = matrix.copy()
    moved[:3, 3] = (matrix @ [*index, 1])[:3]
    return moved


def test_cropping_changes_nothing() -> None:
    cropped = _mask()[1:5, 1:6, 2:]
    assert fingerprint(cropped, _shifted(MATRIX, [2, 1, 1])) == fingerprint(_mask(), MATRIX)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turned_third_axis_changes_nothing(axis: int) -> None:
    mirrored = MATRIX.copy()
    mirrored[:, axis] *= -1  # one axis mirrored: left-handed
    turned = mirrored.copy()
    turned[:3, 2] *= -1
    turned = _shifted(turned, [0, 0, -5])
    assert np.linalg.det(mirrored[:3, :3]) < 0 < np.linalg.det(turned[:3, :3])
    assert same_mask(fingerprint(_mask(), mirrored), fingerprint(_mask()[::-1], turned))


def test_rounding_in_a_file_changes_nothing() -> None:
    assert same_mask(fingerprint(_mask(), MATRIX), fingerprint(_mask(), MATRIX + 1e-3))


def test_one_voxel_more_another_place_or_another_shape_is_another_mask() -> None:
    made = fingerprint(_mask(), MATRIX)
    inside, beside = _mask(), _mask()
    inside[1, 2, 3] = True
    beside[5, 6, 7] = True
    for other in (
        fingerprint(inside, MATRIX),
        fingerprint(beside, MATRIX),
        fingerprint(np.roll(_mask(), 1, axis=2), MATRIX),
        fingerprint(_mask(), _shifted(MATRIX, [0, 0.5, 0])),
        fingerprint(_mask()[::-1], MATRIX),
        EMPTY,
    ):
        assert not same_mask(made, other) and not same_mask(other, made)
    assert same_mask(made, made)


def test_masks_without_voxels_are_the_same() -> None:
    empty = fingerprint(np.zeros((2, 3, 4), dtype=bool), MATRIX)
    assert empty == EMPTY and same_mask(empty, EMPTY) and bounding_box(np.zeros((2, 2, 2))) is None


def test_the_box_holds_every_voxel_and_no_more() -> None:
    assert bounding_box(_mask()) == (slice(1, 4), slice(2, 5), slice(3, 7))
