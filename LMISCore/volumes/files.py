"""Read a volume from any supported file or DICOM folder; write an array on exactly a volume's grid.

SimpleITK does the parsing and is imported on first use. What it would accept silently and wrongly (a cut NIfTI file, a
displacement field taken for colour) is refused, each time with one sentence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError
from LMISCore.volumes import dicom, nifti, pictures
from LMISCore.volumes.volume import Geometry, Volume

if TYPE_CHECKING:
    import SimpleITK

GRID_SUFFIXES = (*nifti.SUFFIXES, ".nrrd", ".nhdr", ".mha", ".mhd")
SUPPORTED = (*GRID_SUFFIXES, *dicom.SUFFIXES, *pictures.SUFFIXES)
WRITABLE = (".nrrd", ".nii.gz", ".nii", ".mha")
# Arithmetic on a picture is done in single precision, which ends at 3e38.
_LARGEST_VALUE = 1e30
_WRITABLE_TYPES = ("bool", "uint8", "int16", "uint16", "int32", "float32", "float64")


def read_volume(path: str | Path, missing: float | None = None) -> Volume:
    """Read a volume file, a picture, a DICOM file or the folder of one DICOM series.

    The grid is kept as the file states it: oblique, anisotropic, left-handed. Voxels keep the file's numbers (DICOM:
    after the rescale slope, thus HU for CT). Alpha is dropped. Voxels that hold no number (NaN) become the smallest
    finite value of the volume, what CT and MR show outside the body; -inf and +inf become the smallest and largest.
    Such changes are told in ``Volume.warnings``, and so is a NIfTI file that leaves its sides open.

    Args:
        path: of the file or folder.
        missing: what NaN becomes instead, 0 for a mask: there it stands for what lies outside.

    Returns:
        Volume with array (K, J, I) or (K, J, I, 3). Pictures have K = 1, spacing 1 mm and ``spacing_known`` False; it
        is False too for a flat file, a single DICOM image or a NIfTI file that does not state all distances between
        voxels; what it lacks is then 1 mm.

    Raises:
        InputError: if the path does not exist, is of no supported kind, is damaged, empty, without a finite value or
            with values beyond 1e30, or holds what is not one grey or colour volume (time series, complex numbers,
            vectors, several series).
    """
    if not os.fspath(path):
        raise InputError("The name of the image volume is empty; expected a file or a folder; give its path.")
    _check_name(path)
    path = Path(path)
    try:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}; expected an image volume; check the path.")
        array, geometry, known, warnings = dicom.read_series(path) if path.is_dir() else _read_file(path)
    except OSError as error:
        raise InputError(
            f"Cannot read {path}: {error.strerror or error}; expected a file that can be opened; check its rights."
        ) from error
    array, replaced = _finite(array, path, missing)
    return Volume(array, geometry, volume_name(path), str(path), known, (*warnings, *replaced))


def _check_name(path: str | Path) -> None:
    """Refuse a name that SimpleITK would end the whole process over."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fspath(path).encode("utf-8", "replace").decode("utf-8")
        raise InputError(
            f"The name {shown} holds bytes that are not UTF-8; expected a name of readable letters; rename it."
        ) from error


def _read_file(path: Path) -> tuple[npt.NDArray[Any], Geometry, bool, tuple[str, ...]]:
    suffix = _suffix(path, SUPPORTED)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); expected an image; copy or export it again.")
    # SimpleITK calls a file damaged that it has no right to open.
    path.open("rb").close()
    if suffix in dicom.SUFFIXES or (not suffix and dicom.has_dicom_mark(path)):
        return dicom.read_file(path)
    if suffix in pictures.SUFFIXES:
        array = pictures.read_picture(path)
        rows, columns = array.shape[1:3]
        return array, Geometry((columns, rows, 1)), False, ()
    if suffix in GRID_SUFFIXES:
        return _read_grid(path, suffix)
    raise InputError(
        f"{path} is of no supported kind; expected one of {', '.join(SUPPORTED)} or a DICOM folder; convert it."
    )


def _read_grid(path: Path, suffix: str) -> tuple[npt.NDArray[Any], Geometry, bool, tuple[str, ...]]:
    """Return array, grid, whether the file states all spacings (a flat one states two, NIfTI maybe none), warnings."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_content(reader, path)
        not_finite, stated, doubt = None, True, ""
        if suffix in nifti.SUFFIXES:
            header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
            values = int(np.prod(reader.GetSize())) * reader.GetNumberOfComponents()
            not_finite = nifti.check_and_find_not_finite(path, header, values)
            stated = nifti.states_spacing(path)
            # A single slice is taken as it is shown, whatever is said of the patient.
            doubt = nifti.doubt_of_sides(path) if min(reader.GetSize()[:3]) > 1 and len(reader.GetSize()) > 2 else ""
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(_reason(str(error), path, suffix)) from error
    array = sitk.GetArrayFromImage(image)
    components = image.GetNumberOfComponentsPerPixel()
    if not_finite is not None and components == 1:
        array = np.where(np.isfinite(not_finite), array.ravel(), not_finite).reshape(array.shape)
    if image.GetDimension() > 3:  # further dimensions of size 1, which say nothing
        array = array.reshape(array.shape[image.GetDimension() - 3 :])
    elif image.GetDimension() == 2:
        array = array[np.newaxis]
    if components == 4:
        array = np.ascontiguousarray(array[..., :3])
    return array, _geometry(image), stated and image.GetDimension() > 2, (doubt,) if doubt else ()


def _check_content(reader: SimpleITK.ImageFileReader, path: Path) -> None:
    """Refuse, before any voxel is read, what is not one grey or colour volume."""
    import SimpleITK as sitk

    size = reader.GetSize()
    if 0 in size:
        raise InputError(f"{path} holds no voxels (size {_times(size)}); expected a volume; export it again.")
    if any(n != 1 for n in size[3:]):
        raise InputError(
            f"{path} has {len(size)} dimensions ({_times(size)}); expected one volume of three; "
            "save one time point or channel as a file of its own."
        )
    if reader.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise InputError(f"{path} holds complex numbers; expected real ones; save the magnitude as a file of its own.")
    components = reader.GetNumberOfComponents()
    if components not in (1, 3, 4):
        raise InputError(
            f"{path} holds {components} numbers per voxel; expected 1 (grey), 3 (RGB) or 4 (RGBA); "
            "save one of them as a file of its own."
        )


def _reason(message: str, path: Path, suffix: str) -> str:
    """Say in a user's words why SimpleITK gave up."""
    low = message.lower()
    if "size is zero" in low or "dimsize" in low:
        return f"{path} holds no voxels; expected a volume; export it again."
    if "zero-valued spacing" in low or "space directions" in low:
        return (
            f"{path} states a distance of 0 between voxels, or one that is no number; expected a distance above 0 mm "
            "along each axis; correct its header or export it again."
        )
    if "allocate memory" in low or "bad_alloc" in low or "bad allocation" in low:
        return (
            f"{path} announces more voxels than the memory holds; expected a volume that fits; crop or resample it, or "
            "copy it again if its header is damaged."
        )
    if "orthonormal" in low or "determinant is 0" in low or "bad direction" in low:
        return (
            f"{path} states axes that are sheared or lie in one plane, which this format's reader cannot keep; "
            "expected three axes square on each other; resample it on a straight grid."
        )
    if suffix in (".nhdr", ".mhd"):
        return (
            f"{path} could not be read: it or the data file it names is missing or damaged; expected both side by "
            "side; copy or export them again."
        )
    return (
        f"{path} could not be read as {suffix}: it is damaged or of another kind; expected a whole {suffix} file; "
        "copy or export it again."
    )


def _geometry(image: SimpleITK.Image) -> Geometry:
    """Take the first three dimensions of an image's grid; a 2-D image gets a third, 1 mm thick, square on it."""
    dimension = image.GetDimension()
    used = min(dimension, 3)
    size, spacing, origin = [1, 1, 1], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]
    size[:used] = image.GetSize()[:used]
    spacing[:used] = image.GetSpacing()[:used]
    origin[:used] = image.GetOrigin()[:used]
    axes = np.eye(3)
    axes[:used, :used] = np.array(image.GetDirection()).reshape(dimension, dimension)[:used, :used]
    return Geometry(
        (size[0], size[1], size[2]),
        (spacing[0], spacing[1], spacing[2]),
        (origin[0], origin[1], origin[2]),
        tuple(axes.ravel().tolist()),
    )


def _finite(array: npt.NDArray[Any], path: Path, missing: float | None) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    if not np.issubdtype(array.dtype, np.floating):
        return array, ()
    finite = np.isfinite(array)
    whole = bool(finite.all())
    if not finite.any():
        raise InputError(f"{path} holds no finite value (all NaN or infinite); expected an image; export it again.")
    values = array if whole else array[finite]
    low, high = values.min(), values.max()
    if max(-low, high) > _LARGEST_VALUE:
        raise InputError(
            f"{path} holds values from {low:g} to {high:g}; expected brightness below {_LARGEST_VALUE:g}; if they "
            "stand for missing voxels, store NaN there."
        )
    if whole:
        return array, ()
    nan, told = (low, f"the smallest ({low:g})") if missing is None else (missing, f"{missing:g}")
    message = (
        f"{array.size - int(finite.sum())} of {array.size} values were not finite (NaN or infinite) and were set to "
        f"the nearest finite extreme, NaN to {told}."
    )
    return np.nan_to_num(array, nan=nan, neginf=low, posinf=high), (message,)


def write_volume(path: str | Path, array: npt.NDArray[Any], geometry: Geometry, compress: bool = True) -> None:
    """Write an array on a grid, whole or not at all; the suffix chooses .nrrd, .nii.gz, .nii or .mha.

    The grid comes back within 1e-9 from NRRD and MHA; NIfTI keeps it in single precision (origin and spacing to 1e-7
    of their size, directions to 1e-7).

    Args:
        path: file to write; missing folders are made.
        array: (K, J, I) or colour (K, J, I, 3); bool (written as 0 and 1), uint8, int16, uint16, int32, float32 or
            float64.
        geometry: the grid it lies on.
        compress: False for a file that is soon read and thrown away; .nii is never compressed.

    Raises:
        InputError: if the suffix is another, the file cannot be written, or the grid is sheared and the format is
            NIfTI, which would straighten it.
        ValueError: if array and grid do not fit or the number type cannot be stored.
    """
    import SimpleITK as sitk

    _check_name(path)
    path = Path(path)
    suffix = _suffix(path, WRITABLE)
    if not suffix:
        raise InputError(f"Cannot write {path}: expected one of the endings {', '.join(WRITABLE)}; choose one of them.")
    if array.shape[:3] != geometry.shape or array.shape[3:] not in ((), (3,)):
        raise ValueError(f"array of shape {array.shape} does not fit the grid {geometry.shape}")
    if array.dtype.name not in _WRITABLE_TYPES:
        raise ValueError(f"numbers of type {array.dtype} cannot be stored; expected {', '.join(_WRITABLE_TYPES)}")
    if suffix.startswith(".nii") and not geometry.is_orthogonal:
        raise InputError(
            f"Cannot write {path}: the volume's axes are not square on each other and NIfTI would straighten them; "
            "expected a format that keeps them; choose .nrrd or .mha."
        )
    stored = array.astype(np.uint8) if array.dtype == np.bool_ else np.ascontiguousarray(array)
    image = sitk.GetImageFromArray(stored, isVector=array.ndim == 4)
    image.SetSpacing(geometry.spacing)
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    with atomic_path(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=compress and suffix != ".nii")
        except RuntimeError as error:
            raise InputError(
                f"Cannot write {path}; expected a folder that can be written with enough free space; choose another."
            ) from error


def _suffix(path: Path, known: tuple[str, ...]) -> str:
    name = path.name.lower()
    return next((suffix for suffix in known if name.endswith(suffix)), "")


def volume_name(path: str | Path) -> str:
    """Name that the volume at ``path`` gets: the file's without its suffix, or the folder's; nothing is read."""
    path = Path(path)
    # Unlike Path.is_dir this answers False for a name too long to look up; reading it is refused later.
    suffix = "" if os.path.isdir(path) else _suffix(path, SUPPORTED)
    return (path.name[: -len(suffix)] if suffix else path.name) or path.resolve().name


def _times(values: tuple[int, ...]) -> str:
    return " x ".join(str(value) for value in values)
