"""Where prepared pictures are kept between steps: in memory as far as a limit goes, the rest in files.

A picture is decoded, resized and equalised once; what a step needs of it are some ten thousand bytes. Beyond the limit
these lie in files without a name beside the run, mapped into memory: the system reads them when they are asked for and
drops them when it needs the room. The files are gone when the process ends, however it ends.
"""

from __future__ import annotations

import mmap
import tempfile
from pathlib import Path

import numpy as np

from LMISCore.errors import InputError

MEGABYTE = 1_000_000
# Of a file; a process may have only so many maps.
PIECE = 64 * MEGABYTE
ZEROS = bytes(MEGABYTE)


class PictureStore:
    """Keeps arrays.

    Args:
        megabytes: limit of what is kept in memory.
        folder: of the run, beside which the rest is kept; it need not be there yet.
    """

    def __init__(self, megabytes: int, folder: str | Path) -> None:
        self.megabytes = megabytes
        self.in_memory = 0
        self.in_file = 0
        self._place = Path(folder).absolute()
        self._piece = np.empty(0, dtype=np.uint8)
        self._used = 0

    def keep(self, array: np.ndarray) -> np.ndarray:
        """The same array of bytes (uint8), or one with the same values whose memory the system can take back.

        Raises:
            InputError: if there is no room for the file.
        """
        if self.in_memory + array.nbytes <= self.megabytes * MEGABYTE:
            self.in_memory += array.nbytes
            return array
        if self._used + array.nbytes > len(self._piece):
            self._piece, self._used = self._reserve(max(PIECE, array.nbytes)), 0
        own = self._piece[self._used : self._used + array.nbytes].reshape(array.shape)
        own[...] = array
        self._used += array.nbytes
        self.in_file += array.nbytes
        return own

    def _reserve(self, size: int) -> np.ndarray:
        """A file of ``size`` bytes as an array."""
        folder = next(place for place in (self._place, *self._place.parents) if place.is_dir())
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                # A hole would only be found to have no room when the array is written, which ends the process.
                for first in range(0, size, MEGABYTE):
                    file.write(ZEROS[: size - first])
                file.flush()
                # The map holds the closed file.
                return np.frombuffer(mmap.mmap(file.fileno(), size), dtype=np.uint8)
        except OSError as error:
            raise InputError(
                f"Prepared pictures take more than {self.megabytes} MB and the rest cannot be kept in a file in "
                f"{folder} ({error.strerror or error}); make room there, or raise image.memory."
            ) from error
