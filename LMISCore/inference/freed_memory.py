"""Giving freed memory back to the system, where the C library keeps it for later: glibc's allocator.

Blocks of up to 32 MiB come from one heap. What loading a network frees there (tensors in double precision, weights that
were brought into another order) stays with the process for good, and maps of other sizes do not fit into the holes.
"""

from __future__ import annotations

import ctypes
import os
import sys

# How a user chooses another allocator, or other settings of this one.
SET_BY_USER = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "LD_PRELOAD")

# Just under the 32 MiB up to which glibc lets itself be taught.
_LARGE = 31 * 1024**2


def give_back_freed_memory() -> bool:
    """Return whole pages that were freed to the system; what takes them anew pays a page fault for each, once.

    Returns:
        whether anything was given back; never where the allocator is not glibc's or the user has set it.
    """
    if not sys.platform.startswith("linux") or any(os.environ.get(name) for name in SET_BY_USER):
        return False
    try:
        library = ctypes.CDLL(None)
        # Other C libraries have no such symbol, or one that does nothing.
        library.gnu_get_libc_version  # noqa: B018
        given = bool(library.malloc_trim(ctypes.c_size_t(0)))
        # glibc takes maps from the heap, and leaves the heap's end alone, by the largest block that was freed so far.
        # Loading frees none as large as that any more; without this one, which is never touched, a picture takes up to
        # a fifth longer.
        library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
        library.free(library.malloc(_LARGE))
        return given
    except (OSError, AttributeError):
        return False
