"""Read a flat picture (PNG, JPEG, TIFF, BMP) as a volume of one slice.

SimpleITK gives the values, 16-bit ones included. Pillow looks first: it notices cut files and several pages, and
converts the few kinds that SimpleITK misreads (bilevel TIFF and BMP, grey with alpha, CMYK, palettes in TIFF).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from LMISCore.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_CONVERTED = {"1": "L", "LA": "L", "La": "L", "P": "RGB", "PA": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}


def read_picture(path: Path) -> npt.NDArray[Any]:
    """Return the picture as (1, H, W), or (1, H, W, 3) where its three channels differ somewhere.

    A grey picture stored as RGB, as many exported X-rays are, comes back grey: nothing is lost, and it is then treated
    like the grey picture it is. Alpha is dropped. A camera's orientation tag is not applied, so that results lie on the
    stored grid.

    Raises:
        InputError: if the file is damaged, cut off, has several pages or is no picture.
    """
    array = _through_pillow(path)
    if array is None:
        array = _through_itk(path)
    if array.ndim == 3 and array.shape[2] == 2:
        array = array[..., 0]
    if array.ndim == 3:
        array = array[..., :3]
        if np.array_equal(array[..., 0], array[..., 1]) and np.array_equal(array[..., 0], array[..., 2]):
            array = array[..., 0]
    if array.size == 0:
        raise InputError(f"{path} holds no pixels; expected a picture; export it again.")
    return np.ascontiguousarray(array[np.newaxis])


def _through_pillow(path: Path) -> npt.NDArray[Any] | None:
    """Check the picture; return its pixels if it is of a kind that SimpleITK misreads, else None."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            # The further pictures of an MPO, a camera's JPEG, are previews.
            pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            if pages > 1:
                raise InputError(
                    f"{path} holds {pages} pages; expected one picture; save one page, or the stack as .nrrd with its "
                    "spacing."
                )
            picture.load()
            target = _CONVERTED.get(picture.mode)
            return np.array(picture.convert(target)) if target else None
    except UnidentifiedImageError:
        return None  # such as 16-bit RGB TIFF: SimpleITK may know it, and refuses it if not
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} is too large for one picture ({error}); expected fewer than 178 million pixels; cut out a part."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is damaged or cut off; expected a whole picture; copy or export it again.") from error


def _through_itk(path: Path) -> npt.NDArray[Any]:
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path} could not be read as a picture: it is damaged or of another kind; expected one of "
            f"{', '.join(SUFFIXES)}; export it again."
        ) from error
    if image.GetDimension() != 2:
        raise InputError(
            f"{path} holds {image.GetSize()[2]} pages; expected one picture; save one page as a file of its own."
        )
    if image.GetNumberOfComponentsPerPixel() not in (1, 3, 4):
        raise InputError(
            f"{path} has {image.GetNumberOfComponentsPerPixel()} channels; expected grey or colour (1, 3 or 4); "
            "save it as RGB."
        )
    array: npt.NDArray[Any] = sitk.GetArrayFromImage(image)
    return array
