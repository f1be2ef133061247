"""Freed memory: kept within the process, so that large maps need not be asked of the system again, or given back.

glibc gives blocks of more than 32 MiB back as soon as they are freed, and zeroed pages for the next one cost a page
fault each: in a training step on a processor that is up to a third of the time, in a volume's slices one at a time up
to a sixth, four at a time up to a fifth. Memory then stays at the process's peak, which grows by less than 6 % with
slices one at a time and up to a third with four; a worker that waits gives it back.

Where nothing is kept on purpose, smaller blocks still stay in one heap: what loading a network frees there (tensors in
double precision, weights that were brought into another order) leaves holes that maps of other sizes do not fit.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1
_AHEAD = 64 * 1024**2
# Just under the 32 MiB up to which glibc lets itself be taught.
_LARGE = 31 * 1024**2
# How a user chooses another allocator, or other settings of this one.
VARIABLES = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Let this process keep what it frees; memory stays at the peak that it had.

    Call it before the large tensors come. It does nothing where the allocator is not glibc's, or where the user has
    set one of ``VARIABLES``, and a second call changes nothing.

    Returns:
        whether the settings took effect.
    """
    library = _glibc()
    if library is None:
        return False
    settings = ((_MMAP_THRESHOLD, _NEVER), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _AHEAD))
    return all([library.mallopt(ctypes.c_int(name), ctypes.c_int(value)) for name, value in settings])


def give_back_freed_memory() -> bool:
    """Return whole pages that were freed to the system; what takes them anew pays a page fault for each, once.

    Returns:
        whether anything was given back; never where the allocator is not glibc's or the user has set it.
    """
    library = _glibc()
    if library is None:
        return False
    given = bool(library.malloc_trim(ctypes.c_size_t(0)))
    # glibc takes maps from the heap, and leaves the heap's end alone, by the largest block that was freed so far.
    # Loading frees none as large as that any more; without this one, which is never touched, a picture takes up to a
    # fifth longer.
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    library.free(library.malloc(_LARGE))
    return given


def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc and the user has not set its allocator."""
    if not sys.platform.startswith("linux") or any(os.environ.get(name) for name in VARIABLES):
        return None
    try:
        library = ctypes.CDLL(None)
        # Other C libraries have no such symbol.
        library.gnu_get_libc_version  # noqa: B018
    except (OSError, AttributeError):
        return None
    return library
