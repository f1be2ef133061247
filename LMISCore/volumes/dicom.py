"""Read one DICOM series as a volume, its slices sorted by where they lie, not by file name.

GDCM inside SimpleITK reads headers and pixels (rescale slope applied, MONOCHROME1 turned over). The grid is worked out
from the slices' own positions: ITK's series reader straightens a tilted gantry and spreads a gap over all slices, here
the tilt is kept in the axes and uneven slices are told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError
from LMISCore.volumes.volume import Geometry

SUFFIXES = (".dcm", ".dicom", ".ima")
# Modalities whose many frames follow each other in time, not in space.
_FILMS = {"US", "XA", "RF", "ES", "IVUS"}
# Tag of the element that holds the pixels, as it stands in the file.
_PIXEL_DATA = b"\xe0\x7f\x10\x00"

_Read = tuple[npt.NDArray[Any], Geometry, bool, tuple[str, ...]]


@dataclass(frozen=True)
class _Header:
    file: str
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    tags: dict[str, str]

    def numbers(self, tag: str) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in self.tags.get(tag, "").split("\\") if part.strip())
        except ValueError:
            return ()

    @property
    def modality(self) -> str:
        return self.tags.get("0008|0060", "").upper()

    @property
    def description(self) -> str:
        return self.tags.get("0008|103e") or "no description"

    @property
    def position(self) -> tuple[float, ...]:
        return self.numbers("0020|0032")

    @property
    def row_and_column(self) -> tuple[float, ...]:
        return self.numbers("0020|0037")

    @property
    def axes_known(self) -> bool:
        axes = self.row_and_column
        return len(axes) == 6 and float(np.linalg.norm(np.cross(axes[:3], axes[3:]))) > 1e-3

    @property
    def spacing_known(self) -> bool:
        stated = self.numbers("0028|0030") or self.numbers("0018|1164")
        return bool(stated) and min(stated) > 0


def has_dicom_mark(path: Path) -> bool:
    """Whether the file carries DICOM's mark (``DICM`` at byte 128)."""
    with path.open("rb") as stream:
        stream.seek(128)
        return stream.read(4) == b"DICM"


def read_series(folder: Path) -> _Read:
    """Read the one series that lies in a folder (not in folders below it).

    Returns:
        array (K, J, I) or (K, J, I, 3), grid, whether its mm are known, warnings.

    Raises:
        InputError: if the folder holds no image, several series (they are listed), images that do not stack, or
            several images at one place.
    """
    import SimpleITK as sitk

    candidates = [path for path in sorted(folder.iterdir()) if path.is_file() and path.stat().st_size > 0]
    candidates = [path for path in candidates if path.suffix.lower() in SUFFIXES or has_dicom_mark(path)]
    if not candidates:
        below = sum(path.is_dir() for path in folder.iterdir())
        remedy = f"give one of the {below} folders in it" if below else "give the folder that holds the .dcm files"
        raise InputError(f"The folder {folder} holds no DICOM image; expected one series; {remedy}.")
    series = [
        sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    ]
    listed = {Path(file).name for files in series for file in files}
    warnings = _left_out([path for path in candidates if path.name not in listed and path.name != "DICOMDIR"])
    if not series:
        raise InputError(
            f"The DICOM files in {folder} could not be read as images; expected one image series; export it again."
        )
    if len(series) > 1:
        first = [_header(files[0]) for files in series]
        found = "; ".join(
            sorted(
                f"{one.description!r} ({one.modality}, {len(files)})" for one, files in zip(first, series, strict=True)
            )
        )
        raise InputError(
            f"The folder {folder} holds {len(series)} series, listed as description (modality, number of images): "
            f"{found}; expected one; put the wanted series into a folder of its own and give that folder."
        )
    files = series[0]
    stack = read_file(Path(files[0])) if len(files) == 1 else _stack([_header(file) for file in files], folder)
    array, geometry, known, more = stack
    return array, geometry, known, (*warnings, *more)


def _left_out(files: list[Path]) -> tuple[str, ...]:
    """Look at DICOM files that GDCM's scan passed over without a word: a cut slice must not go missing unseen."""
    for path in files:
        if _PIXEL_DATA in path.read_bytes():
            raise InputError(f"{path} is damaged or cut off; expected a whole DICOM image; copy or export it again.")
    if not files:
        return ()
    return (f"{len(files)} DICOM files hold no readable image and were left out, the first is {files[0].name}.",)


def read_file(path: Path) -> _Read:
    """Read one DICOM file: a single slice, an X-ray, or an enhanced object that holds a whole volume.

    One slice of a series is read as the one slice it is; a warning names the folder to give for the whole series.

    Raises:
        InputError: if the file is no DICOM image or a film.
    """
    import SimpleITK as sitk

    header = _header(str(path))
    frames = header.size[2] if len(header.size) > 2 else 1
    if len(header.size) > 3 or (frames > 1 and header.modality in _FILMS):
        raise InputError(
            f"{path} holds a film of {max(header.size[2:])} frames ({header.modality}); expected a volume or one "
            "picture; export the wanted frame."
        )
    _check_pixels(header)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    image, array = _pixels(reader, path)
    size = image.GetSize()
    spacing = (*image.GetSpacing(), 1.0)[:3]
    thickness = header.numbers("0018|0050")
    is_thick = bool(thickness and thickness[0] > 0)
    if frames == 1 and is_thick:
        spacing = (spacing[0], spacing[1], thickness[0])
    flat = image.GetDimension() == 2
    geometry = Geometry(
        (size[0], size[1], frames),
        (spacing[0], spacing[1], spacing[2]),
        (*image.GetOrigin(), 0.0)[:3],
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0) if flat else image.GetDirection(),
    )
    # Without a thickness the mm along the third axis, and so the mL, would be a guess.
    known = frames > 1 or (header.spacing_known and is_thick)
    warnings: list[str] = []
    uid = header.tags.get("0020|000e", "")
    siblings = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(path.parent), uid) if frames == 1 and uid else ()
    if len(siblings) > 1:
        warnings.append(
            f"{path.name} is one of {len(siblings)} images of its series; only this one was read; to read all, give "
            f"the folder {path.parent}."
        )
    return array[np.newaxis] if flat else array, geometry, known, tuple(warnings)


def _header(file: str) -> _Header:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(file)
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(
            f"{file} could not be read as a DICOM image; expected a whole file with pixels; copy or export it again."
        ) from error
    # Descriptions come in the file's own character set; what is not UTF-8 must not break a message.
    tags = {
        key: reader.GetMetaData(key).encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip(" \0")
        for key in reader.GetMetaDataKeys()
    }
    return _Header(file, tuple(reader.GetSize()), tuple(reader.GetSpacing()), tags)


def _check_pixels(header: _Header) -> None:
    """Refuse uncompressed pixels fewer than the header announces: GDCM would show what lies in the memory behind."""
    bits, samples = header.numbers("0028|0100"), header.numbers("0028|0002")
    if not bits:
        return
    expected = math.prod(header.size) * bits[0] / 8 * (samples[0] if samples else 1)
    if "422" in header.tags.get("0028|0004", ""):
        expected *= 2 / 3  # Two pixels share their colour.
    content = Path(header.file).read_bytes()
    lengths: list[int] = []
    place = content.find(_PIXEL_DATA)
    while place >= 0:
        # Explicit files name the kind of number first; compressed ones state the largest length there is.
        at = place + (8 if content[place + 4 : place + 6] in (b"OW", b"OB") else 4)
        lengths.append(int.from_bytes(content[at : at + 4], "little"))
        place = content.find(_PIXEL_DATA, place + 4)
    if lengths and max(lengths) < expected:
        raise InputError(
            f"{header.file} holds {max(lengths)} bytes of pixels; expected the {expected:.0f} that its header "
            "announces; copy or export it again."
        )


def _stack(headers: list[_Header], folder: Path) -> _Read:
    import SimpleITK as sitk

    first = headers[0]
    if not all(len(header.position) == 3 and header.axes_known for header in headers):
        raise InputError(
            f"The {len(headers)} images in {folder} do not say where they lie; expected the sorted slices of one "
            "volume; give one of the files."
        )
    odd = sum(
        header.size != first.size or not np.allclose(header.row_and_column, first.row_and_column, atol=1e-3)
        for header in headers
    )
    if odd:
        raise InputError(
            f"{odd} of the {len(headers)} images in {folder} differ from the first in size or orientation (perhaps a "
            "localiser); expected the slices of one stack; move them to another folder."
        )
    along_row, along_column = np.array(first.row_and_column[:3]), np.array(first.row_and_column[3:])
    along_row = along_row / np.linalg.norm(along_row)
    along_column = along_column / np.linalg.norm(along_column)
    normal = np.cross(along_row, along_column)
    headers = sorted(headers, key=lambda header: float(np.dot(header.position, normal)))
    places = np.array([header.position for header in headers])
    gaps = np.diff(places @ normal)
    if gaps.min() < 1e-3:
        raise InputError(
            f"The folder {folder} holds several images at the same place (time points, echoes or copies); expected "
            "one image per place; put those of one volume into a folder of their own."
        )
    step = (places[-1] - places[0]) / (len(places) - 1)
    spacing = float(np.linalg.norm(step))
    along_slices = step / spacing
    if np.allclose(along_slices, normal, atol=1e-3):
        # A millidegree of tilt is rounding in the header; square axes keep NIfTI possible.
        spacing, along_slices = float(step @ normal), normal
    for header in headers:
        _check_pixels(header)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([header.file for header in headers])
    if len({(header.numbers("0028|1052"), header.numbers("0028|1053")) for header in headers}) > 1:
        # ITK takes the number type of the first file for all; with one slope per slice (PET) that would round.
        reader.SetOutputPixelType(sitk.sitkFloat32)
    _, array = _pixels(reader, folder)
    geometry = Geometry(
        (first.size[0], first.size[1], len(headers)),
        (first.spacing[0], first.spacing[1], spacing),
        (float(places[0][0]), float(places[0][1]), float(places[0][2])),
        tuple(np.stack([along_row, along_column, along_slices], axis=1).ravel().tolist()),
    )
    even = places[0] + np.arange(len(places))[:, np.newaxis] * step
    return array, geometry, first.spacing_known, _uneven(np.linalg.norm(places - even, axis=1).max(), gaps)


def _uneven(off: float, gaps: npt.NDArray[np.float64]) -> tuple[str, ...]:
    if off <= 0.05 * gaps.mean():
        return ()
    return (
        f"The slices lie unevenly ({gaps.min():.2f} to {gaps.max():.2f} mm apart; one may be missing): places along "
        f"them are off by up to {off:.2f} mm, and mL is approximate.",
    )


def _pixels(reader: Any, path: Path) -> tuple[Any, npt.NDArray[Any]]:
    """Return the SimpleITK image and its voxels, without alpha, in 16 bits where they fit (half the memory)."""
    import SimpleITK as sitk

    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(
            f"The DICOM images of {path} could not be read; expected whole files in a usual encoding; export them "
            "again, uncompressed if that can be chosen."
        ) from error
    array = sitk.GetArrayFromImage(image)
    components: Sequence[int] = (1, 3, 4)
    if image.GetNumberOfComponentsPerPixel() not in components:
        raise InputError(
            f"{path} holds {image.GetNumberOfComponentsPerPixel()} numbers per pixel; expected grey or colour; "
            "export it again."
        )
    if image.GetNumberOfComponentsPerPixel() == 4:
        array = array[..., :3]
    if array.dtype == np.int32 and array.min() >= -32768 and array.max() <= 32767:
        array = array.astype(np.int16)
    return image, array
