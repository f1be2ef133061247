"""Grids and files that the volume tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from math import cos, sin
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk

from LMISCore.errors import InputError
from LMISCore.volumes.volume import Geometry

SIZE = (6, 5, 4)  # all different, so that exchanged axes cannot go unseen
SPACING = (0.7421875, 1.37, 2.5)
ORIGIN = (-123.456, 77.1, -340.27)


def axis_orders() -> Iterator[npt.NDArray[np.float64]]:
    """The 48 ways in which image axes can run along the body's axes, half of them left-handed."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            axes = np.zeros((3, 3))
            axes[order, range(3)] = signs
            yield axes


def oblique(degrees: Sequence[float] = (17, -11, 23)) -> npt.NDArray[np.float64]:
    a, b, c = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, cos(a), -sin(a)], [0, sin(a), cos(a)]])
    about_y = np.array([[cos(b), 0, sin(b)], [0, 1, 0], [-sin(b), 0, cos(b)]])
    about_z = np.array([[cos(c), -sin(c), 0], [sin(c), cos(c), 0], [0, 0, 1]])
    turned: npt.NDArray[np.float64] = about_x @ about_y @ about_z
    return turned


def grids() -> list[Geometry]:
    """All axis orders, and each of four turned by an odd angle."""
    orders = list(axis_orders())
    turned = [oblique() @ order for order in orders[:4]]
    return [grid(axes) for axes in (*orders, *turned)]


def grid(axes: npt.ArrayLike, size: tuple[int, int, int] = SIZE) -> Geometry:
    return Geometry(size, SPACING, ORIGIN, tuple(np.asarray(axes, dtype=float).ravel().tolist()))


def places(geometry: Geometry) -> npt.NDArray[np.float64]:
    """LPS mm of every voxel, (K, J, I, 3)."""
    k, j, i = np.indices(geometry.shape)
    indices = np.stack([i, j, k, np.ones_like(i)], axis=-1)
    return (indices @ geometry.matrix().T)[..., :3]


def numbers(shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-1000, 1000, shape).astype(np.int16)


def write_dicom(
    folder: Path,
    array: npt.NDArray[Any],
    *,
    axes: npt.ArrayLike = ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    origin: Sequence[float] = (-10.0, -20.0, -300.0),
    spacing: Sequence[float] = (0.75, 0.5, 2.5),
    shifts: npt.ArrayLike | None = None,
    uid: str = "1.2.3.4",
    description: str = "Chest thin",
    left_out: Sequence[int] = (),
    prefix: str = "image",
) -> None:
    """Write slices (K, J, I) as one CT series whose file names do not follow the slices' order."""
    folder.mkdir(parents=True, exist_ok=True)
    directions = np.asarray(axes, dtype=float)
    shift = np.zeros((len(array), 3)) if shifts is None else np.asarray(shifts, dtype=float)
    for number, k in enumerate(np.random.default_rng(1).permutation(len(array))):
        if k in left_out:
            continue
        place = np.asarray(origin) + k * spacing[2] * directions[:, 2] + shift[k]
        image = sitk.JoinSeries([sitk.GetImageFromArray(array[k])])
        image.SetSpacing(list(spacing))
        tags = {
            "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{uid}.{k + 1}",
            "0008|0060": "CT",
            "0008|103e": description,
            "0018|0050": str(spacing[2]),
            "0020|000d": "1.2.3",
            "0020|000e": uid,
            "0020|0013": str(k + 1),
            "0020|0032": "\\".join(f"{value:.10g}" for value in place),
            "0020|0037": "\\".join(f"{value:.10g}" for value in (*directions[:, 0], *directions[:, 1])),
            "0028|1052": "-1024",
            "0028|1053": "1",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{prefix}{number:03d}.dcm"))
        writer.Execute(image)


def refusal(action: Callable[[], Any]) -> str:
    """The message of the InputError that ``action`` must raise; it has to be one plain sentence."""
    with pytest.raises(InputError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".") and not message.endswith("..")
    assert "expected" in message
    assert "sitk" not in message.lower() and "itk error" not in message.lower()
    return message
