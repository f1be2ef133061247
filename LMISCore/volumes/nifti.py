"""What the NIfTI library under SimpleITK does without a word, looked at in the file itself.

It fills a file that ends early, takes a size of 0 for 1 and a missing distance between voxels for 1 mm, and turns every
NaN and infinity into 0, which in a CT is water. It also lays a file that states no place in the patient along the axes,
and follows one of two statements where they contradict. All this is looked at in the file here; the grid and all other
values are SimpleITK's.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError

SUFFIXES = (".nii.gz", ".nii")
_FLOATS = {"16": "f4", "64": "f8"}
_CHUNK = 1 << 20
_SECOND_HEADER = 540
# Of each version's header, told by its size: where ``pixdim`` begins, and its numbers' type.
_PIXDIM = {348: (76, "f4"), _SECOND_HEADER: (104, "f8")}
# Likewise of ``qform_code`` and ``sform_code``, of ``quatern_b`` to ``quatern_d``, and of ``srow_x`` to ``srow_z``.
_PLACES = {348: (252, "i2", 256, 280), _SECOND_HEADER: (344, "i4", 352, 400)}
_CHECK = "check that left and right, front and back are what they are called."


def check_and_find_not_finite(path: Path, header: Mapping[str, str], voxels: int) -> npt.NDArray[Any] | None:
    """Check that the file is whole; return what it says where its numbers are not finite.

    Args:
        path: .nii or .nii.gz file.
        header: SimpleITK's metadata of it.
        voxels: number of values its header announces.

    Returns:
        for float files with NaN or infinity, values (voxels,) in file order with 0 where they are finite; else None.

    Raises:
        InputError: if the file is cut off, its compression damaged or a size is 0.
    """
    kind = _FLOATS.get(header["datatype"])
    start = int(float(header["vox_offset"]))
    expected = start + voxels * int(header["bitpix"]) // 8
    found = 0
    kept: list[bytes] = []
    try:
        with _open(path) as stream:
            while chunk := stream.read(_CHUNK):
                found += len(chunk)
                if kind or not kept:
                    kept.append(chunk)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"{path} is damaged ({error}); expected a whole compressed file; copy or export it again."
        ) from error
    # The header's first number is its own size, which tells version and byte order.
    order = "<" if kept and int.from_bytes(kept[0][:4], "little") in (348, 540) else ">"
    if kept and 348 in (int.from_bytes(kept[0][:4], "little"), int.from_bytes(kept[0][:4], "big")):
        dimensions, *sizes = np.frombuffer(kept[0], np.dtype(order + "i2"), count=8, offset=40).tolist()
        if min(sizes[:dimensions], default=0) < 1:
            raise InputError(
                f"{path} holds no voxels (size {' x '.join(map(str, sizes[:dimensions]))}); expected a volume; "
                "export it again."
            )
    if found < expected:
        raise InputError(
            f"{path} is cut off after {found} bytes; expected the {expected} that its header announces; "
            "copy or export it again."
        )
    if kind is None:
        return None
    values = np.frombuffer(b"".join(kept), np.dtype(order + kind), count=voxels, offset=start)
    finite = np.isfinite(values)
    if finite.all():
        return None
    slope = float(header.get("scl_slope") or 0) or 1.0
    return np.where(finite, 0, values.astype(values.dtype.newbyteorder("=")) * np.sign(slope))


def states_spacing(path: Path) -> bool:
    """Whether a readable file's header holds a distance (finite, not 0) between voxels along i, j and k.

    Source: NIfTI-1 and NIfTI-2 headers, field ``pixdim``.
    """
    header, order, size = _header(path)
    if not size:
        return False
    offset, kind = _PIXDIM[size]
    distances = np.abs(np.frombuffer(header, np.dtype(order + kind), count=4, offset=offset)[1:])
    return bool(((distances > 0) & (distances < np.inf)).all())


def doubt_of_sides(path: Path) -> str:
    """A sentence where a readable file's header leaves open how it lies in the patient; else empty.

    Source: NIfTI-1 and NIfTI-2 headers, methods 1 to 3 of orientation: none is stated, or the quaternion and the
    affine matrix turn an axis more than 45 degrees apart.
    """
    header, order, size = _header(path)
    if not size:
        return ""
    codes_at, whole, quaternion_at, rows_at = _PLACES[size]
    pixdim_at, kind = _PIXDIM[size]

    def numbers(at: int, count: int, number: str = kind) -> npt.NDArray[np.float64]:
        return np.frombuffer(header, np.dtype(order + number), count=count, offset=at).astype(np.float64)

    by_quaternion, by_rows = numbers(codes_at, 2, whole) > 0
    if not by_quaternion and not by_rows:
        return (
            "The file does not state how it lies in the patient (NIfTI without qform and sform): its axes are taken to "
            f"run to the patient's left, back and head; {_CHECK}"
        )
    if not (by_quaternion and by_rows):
        return ""
    axes = numbers(rows_at, 12).reshape(3, 4)[:, :3]
    turned = _rotation(*numbers(quaternion_at, 3))
    turned[:, 2] *= -1 if numbers(pixdim_at, 1)[0] < 0 else 1
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(axes).all() or not np.isfinite(turned).all() or not lengths.all():
        return ""
    if ((axes * turned).sum(axis=0) / lengths).min() > math.sqrt(0.5):
        return ""
    return f"The file states two contradicting ways to lie in the patient (NIfTI's qform and sform); {_CHECK}"


def _rotation(b: float, c: float, d: float) -> npt.NDArray[np.float64]:
    """The matrix of the unit quaternion whose last three numbers these are."""
    a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _header(path: Path) -> tuple[bytes, str, int]:
    """The file's first bytes, their order ("<" or ">"), and the header's size; 0 where it is none of NIfTI's."""
    with _open(path) as stream:
        header = stream.read(_SECOND_HEADER)
    for order in "<>":
        size = int(np.frombuffer(header, np.dtype(order + "i4"), count=1)[0])
        if size in _PIXDIM and len(header) >= size:
            return header, order, size
    return header, "", 0


def _open(path: Path) -> Any:
    with path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")
