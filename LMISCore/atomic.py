"""Write to a temporary name, then rename: a reader sees the old file or the whole new one, never half of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError


def _temporary(path: Path) -> Path:
    suffixes = "".join(path.suffixes[-2:])
    return path.with_name(f".{path.name.removesuffix(suffixes)}.writing-{os.getpid()}{suffixes}")


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
            old = _temporary(path.with_name(path.name + ".old"))
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"Cannot write {path}: {error.strerror or error}; choose a folder that exists, "
            "can be written and has free space."
        ) from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            # Where a parent turned out to be a file there is nothing to remove, and unlink would hide the message.
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8 with LF line ends, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON with stable key order, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n")
