"""Slices always lie the same way, left stays the patient's left, and the way back is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from volume_makers import SPACING, axis_orders, grid, grids, numbers, oblique, places

from LMISCore.errors import InputError
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.orientation import Canonical, nearest_axes
from LMISCore.volumes.volume import Geometry, Volume

# What grows along slices, rows and columns: unit vectors of L, P, S.
L, P, S = np.eye(3)
RUNS = {"axial": (S, P, L), "coronal": (P, -S, L), "sagittal": (L, -S, P)}


def _volume(geometry: Geometry, array: np.ndarray | None = None, known: bool = True) -> Volume:
    return Volume(numbers(geometry.shape) if array is None else array, geometry, "x", "x", known)


@pytest.mark.parametrize("plane", RUNS)
def test_every_volume_is_turned_the_same_way(plane: str) -> None:
    for geometry in grids():
        where = Canonical(_volume(geometry), plane).from_native(places(geometry))
        for axis, along in enumerate(RUNS[plane]):
            steps = np.diff(where, axis=axis) @ along
            size = np.linalg.norm(np.diff(where, axis=axis), axis=-1)
            assert steps.min() > 0.85 * size.max()  # the oblique grids lean by up to 28 degrees


@pytest.mark.parametrize("plane", [*RUNS, "picture"])
def test_turning_and_turning_back_changes_nothing(plane: str) -> None:
    for geometry in grids():
        volume = _volume(geometry)
        canonical = Canonical(volume, plane)
        np.testing.assert_array_equal(canonical.to_native(canonical.slices), volume.array)
        mask = volume.array > 0
        np.testing.assert_array_equal(canonical.to_native(canonical.slices > 0), mask)
        np.testing.assert_array_equal(canonical.from_native(mask), canonical.slices > 0)


def test_colour_stays_with_its_voxel() -> None:
    for geometry in grids()[::5]:
        volume = _volume(geometry, numbers((*geometry.shape, 3)))
        canonical = Canonical(volume)
        assert canonical.slices.shape[3] == 3
        np.testing.assert_array_equal(canonical.to_native(canonical.slices), volume.array)
        np.testing.assert_array_equal(canonical.to_native(canonical.slices[..., 0]), volume.array[..., 0])


def test_the_spacings_go_with_their_axes() -> None:
    for geometry in grids():
        canonical = Canonical(_volume(geometry))
        where = canonical.from_native(places(geometry))
        n, r, c = (np.linalg.norm(np.diff(where, axis=axis)[0, 0, 0]) for axis in range(3))
        assert (canonical.slice_spacing, *canonical.spacing_rc) == pytest.approx((n, r, c))


def test_the_slices_are_a_view_of_the_volume() -> None:
    volume = _volume(grid(np.diag([-1, 1, -1])))
    assert np.shares_memory(Canonical(volume).slices, volume.array)


@pytest.mark.parametrize("suffix", [".nrrd", ".nii.gz", ".mha"])
def test_left_stays_the_patients_left_through_files(tmp_path: Path, suffix: str) -> None:
    for geometry in grids():
        left_half = places(geometry)[..., 0] > places(geometry)[..., 0].mean()
        path = tmp_path / f"case{suffix}"
        write_volume(path, left_half, geometry)
        slices = Canonical(read_volume(path)).slices
        width = slices.shape[2]
        if geometry in [grid(axes) for axes in axis_orders()]:
            # Patient's left on the picture's right: the right half of the columns, to the voxel.
            assert slices[:, :, width // 2 + width % 2 :].all() and not slices[:, :, : width // 2].any()
        assert slices[:, :, -1].mean() > slices[:, :, 0].mean()


def test_an_oblique_volume_goes_by_its_nearest_axes() -> None:
    leaning = grid(oblique((30, 20, 35)))
    assert nearest_axes(leaning) == ((0, 1), (1, 1), (2, 1))
    turned = grid(oblique((30, 20, 35)) @ np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]]))
    assert nearest_axes(turned) == ((2, -1), (0, 1), (1, 1))


def test_an_axis_at_45_degrees_is_decided_the_same_way_every_time() -> None:
    for wobble in (-1e-12, 0, 1e-12):
        assert nearest_axes(grid(oblique((0, 0, 45 + wobble)))) == ((0, 1), (1, 1), (2, 1))


def test_a_picture_is_taken_as_it_is() -> None:
    picture = _volume(Geometry((6, 5, 1)), numbers((1, 5, 6)), known=False)
    canonical = Canonical(picture, "auto")
    assert canonical.plane == "picture" and canonical.spacing_rc == (1.0, 1.0)
    np.testing.assert_array_equal(canonical.slices, picture.array)


def test_auto_means_axial_for_a_stack() -> None:
    assert Canonical(_volume(grid(oblique())), "auto").plane == "axial"


@pytest.mark.parametrize("signs", [(1, 1, 1), (1, 1, -1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1)])
def test_a_lone_axial_slice_is_never_shown_mirrored(signs: tuple[int, int, int]) -> None:
    geometry = grid(np.diag(signs), size=(6, 5, 1))
    canonical = Canonical(_volume(geometry), "auto")
    where = canonical.from_native(places(geometry))
    assert (np.diff(where[..., 0], axis=2) > 0).all() and (np.diff(where[..., 1], axis=1) > 0).all()
    assert canonical.plane == ("picture" if signs[:2] == (1, 1) else "axial")


def test_a_lone_slice_of_another_plane_stays_one_slice() -> None:
    frontal = grid(np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]), size=(6, 5, 1))
    canonical = Canonical(_volume(frontal), "auto")
    assert canonical.plane == "picture" and canonical.slices.shape == (1, 5, 6)
    assert canonical.spacing_rc == (SPACING[1], SPACING[0])


def test_an_unknown_plane_gets_one_sentence() -> None:
    with pytest.raises(InputError, match="Unknown plane 'diagonal'; expected one of axial, coronal, sagittal, picture"):
        Canonical(_volume(grid(np.eye(3))), "diagonal")


def test_slices_of_another_volume_are_not_turned_back() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Canonical(_volume(grid(np.eye(3)))).to_native(np.zeros((4, 6, 5)))
