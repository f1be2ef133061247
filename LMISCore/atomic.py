"""Write to a temporary name, then rename: a reader sees the old file or the whole new one, never half of it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError

_LONGEST_STEM = 40


def _temporary(path: Path, purpose: str = "writing") -> Path:
    """A hidden name beside ``path`` with its suffixes (libraries choose formats by them), of bounded length."""
    suffixes = "".join(path.suffixes[-2:])
    if len(suffixes) > 16:
        suffixes = path.suffix if len(path.suffix) <= 16 else ""
    stem = path.name.removesuffix(suffixes)[:_LONGEST_STEM]
    # The checksum keeps two long names apart that begin alike.
    mark = f"{os.getpid()}-{zlib.crc32(os.fsencode(path.name)):08x}"
    return path.with_name(f".{stem}.{purpose}-{mark}{suffixes}")


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (same suffixes); rename it to ``path`` if the block succeeds.

    The block may create a file or a folder under the yielded name. On any error the temporary is removed and
    an existing ``path`` is left as it was.

    Raises:
        InputError: if the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.is_dir() and path.is_dir():
            _exchange([(temporary, path)], [])
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        _remove(temporary)


@contextmanager
def atomic_paths(paths: Sequence[str | Path], removed: Sequence[str | Path] = ()) -> Iterator[list[Path]]:
    """As :func:`atomic_path` for several files: all appear, and all in ``removed`` go, or nothing changes.

    While they are exchanged (a few renames) a reader may find one of them missing, never a mixture that stays.

    Raises:
        InputError: if one of them cannot be written; those that were there before are there again.
    """
    targets = [Path(path) for path in paths]
    temporaries = [_temporary(path) for path in targets]
    current = targets[0] if targets else Path()
    try:
        for path in targets:
            current = path
            path.parent.mkdir(parents=True, exist_ok=True)
        yield temporaries
        _exchange(list(zip(temporaries, targets, strict=True)), [Path(path) for path in removed])
    except OSError as error:
        named = next((path for path in targets if str(path) == str(error.filename)), current)
        raise _cannot_write(named, error) from error
    finally:
        for temporary in temporaries:
            _remove(temporary)


def _exchange(moves: Sequence[tuple[Path, Path]], removed: Sequence[Path]) -> None:
    """Rename each first path to its second and take ``removed`` away; on an OSError put everything back."""
    kept: list[tuple[Path, Path]] = []
    placed: list[Path] = []
    folders = {target for temporary, target in moves if temporary.is_dir()}
    try:
        for path in (*(target for _, target in moves), *removed):
            if path.is_dir() and not path.is_symlink() and path not in folders:
                # A folder in a file's place holds something else: it must not go.
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if os.path.lexists(path):
                old = _temporary(path, "old")
                os.rename(path, old)
                kept.append((old, path))
        for temporary, target in moves:
            os.rename(temporary, target)
            placed.append(target)
    except OSError:
        for target in placed:
            _remove(target)
        for old, path in reversed(kept):
            os.rename(old, path)
        raise
    for old, _ in kept:
        _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # Where a parent turned out to be a file there is nothing to remove, and unlink would hide the message.
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(
        f"Cannot write {path}: {error.strerror or error}; choose a folder that exists, can be written and has free "
        "space."
    )


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON with stable key order, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n")
