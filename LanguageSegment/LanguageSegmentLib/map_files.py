"""Explanation maps read from the worker's files in portions: a map of 512 x 512 x 200 voxels is 210 MB unpacked."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from LanguageSegmentLib.portions import Work
from LanguageSegmentLib.translation import tr as _
from LMISCore.errors import InputError

_READ_BYTES = 1 << 18
_MOST_BYTES = 1 << 22


def readingMap(path: Path) -> Work[Any]:
    """Read a float32 NRRD file of three dimensions, gzip or raw, as ``LMISCore.volumes.files.write_volume`` makes them.

    Returns:
        a vtkImageData with its voxels, spacing 1 at origin 0.

    Raises:
        InputError: if the file is gone, damaged or of another kind.
    """
    try:
        with path.open("rb") as stream:
            about = _header(stream)
            i, j, k = map(int, about["sizes"].split())
            if about["type"] != "float" or about["encoding"] not in ("gzip", "raw"):
                raise ValueError(about["type"], about["encoding"])
            image = vtk.vtkImageData()
            image.SetDimensions(i, j, k)
            image.AllocateScalars(vtk.VTK_FLOAT, 1)
            voxels = vtk_to_numpy(image.GetPointData().GetScalars())
            voxels, filled = voxels.view(np.uint8), 0
            yield
            for part in _unpacked(stream, about["encoding"]):
                voxels[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
                filled += len(part)
                yield
    except (OSError, ValueError, LookupError, zlib.error) as error:
        raise InputError(_("{path} is missing or damaged; explain the sentence again.").format(path=path)) from error
    if filled != voxels.size:
        raise InputError(_("{path} is cut short; explain the sentence again.").format(path=path))
    if about.get("endian", sys.byteorder) != sys.byteorder:
        vtk_to_numpy(image.GetPointData().GetScalars()).byteswap(inplace=True)
    return image


def _header(stream: IO[bytes]) -> dict[str, str]:
    """The fields of the header; the stream stands at the voxels afterwards."""
    if not stream.readline().startswith(b"NRRD"):
        raise ValueError("no NRRD file")
    found = {}
    for line in iter(lambda: stream.readline().decode("ascii", "replace").strip(), ""):
        name, _, value = line.partition(": ")
        found[name] = value
    return found


def _unpacked(stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    """The voxels' bytes, some at a time."""
    if encoding == "raw":
        yield from iter(lambda: stream.read(_MOST_BYTES), b"")
        return
    decoder = zlib.decompressobj(wbits=31)
    for packed in iter(lambda: stream.read(_READ_BYTES), b""):
        while packed:
            yield decoder.decompress(packed, _MOST_BYTES)
            packed = decoder.unconsumed_tail
    yield decoder.flush()
