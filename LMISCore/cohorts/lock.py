"""Who works on a folder: a file with the owner's process and machine, so that two runs never share it. No torch.

A lock whose owner is gone is taken over: on the owner's machine when no such process lives, on another one when the
owner has not renewed it for a while. Runs over different parts of one table hold a lock each.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any

from LMISCore.errors import InputError

RENEWED_EVERY = 20.0
STALE_AFTER = 180.0


class FolderLock:
    """The right to write one folder's results, while this is entered.

    Args:
        folder: it is made if it is missing.
        shard: part and number of parts that this run works on; None for all.
        kind: of run, which the file's name begins with; runs of another kind are not looked for.

    Raises:
        InputError: on entering, if another run that lives works on the same cases; the sentence names it.
    """

    def __init__(self, folder: Path, shard: tuple[int, int] | None = None, kind: str = "batch") -> None:
        self.folder = folder
        self.shard = shard
        self.kind = kind
        self.path = folder / (f"{kind}.lock" if shard is None else f"{kind}-{shard[0]}-of-{shard[1]}.lock")
        self._token = secrets.token_hex(8)
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def __enter__(self) -> FolderLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._create(self.path):
                self._take_over()
            try:
                self._refuse_others()
            except InputError:
                self._release()
                raise
        except OSError as error:
            raise InputError(
                f"Cannot write to {self.folder}: {error.strerror or error}; choose a folder that can be written and "
                "has free space."
            ) from error
        self._renewing = threading.Thread(target=self._renew, name="lmis-lock", daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()
        self._release()

    def _create(self, path: Path) -> bool:
        """Write a new lock; False where there is one."""
        about = {
            "token": self._token,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "started": _started(os.getpid()),
        }
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(about, stream)
        return True

    def _take_over(self) -> None:
        """Replace the lock of a run that is gone.

        Of several that find the same dead owner one alone gets its token's file, and it looks again before it writes.
        """
        owner = _read(self.path)
        if _lives(self.path, owner):
            raise self._held(owner)
        claim = self.path.with_name(f"{self.path.name}.{owner.get('token', 'unknown')}")
        with contextlib.suppress(FileNotFoundError):
            if _age(claim) > STALE_AFTER:
                claim.unlink()
        if not self._create(claim):
            raise self._held(owner)
        try:
            if _read(self.path) != owner:
                raise self._held(_read(self.path))
            os.replace(claim, self.path)
        finally:
            claim.unlink(missing_ok=True)

    def _refuse_others(self) -> None:
        """Parts of one division may run beside each other; the whole, or another division, may not."""
        known = re.compile(rf"^{re.escape(self.kind)}(?:-(\d+)-of-(\d+))?\.lock$")
        for path in sorted(self.folder.glob("*.lock")):
            match = known.match(path.name)
            if match is None or path == self.path:
                continue
            parts = match.group(2)
            apart = self.shard is not None and parts is not None and int(parts) == self.shard[1]
            if not apart and _lives(path, owner := _read(path)):
                raise self._held(owner)

    def _held(self, owner: dict[str, Any]) -> InputError:
        who = f"process {owner['pid']} on {owner['host']}" if {"pid", "host"} <= set(owner) else "another process"
        return InputError(
            f"Another run works on {self.folder} ({who}); wait until it ends, stop it, or choose another folder."
        )

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY):
            # A lock that was removed by hand is not made again: somebody wanted it gone.
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def _release(self) -> None:
        with contextlib.suppress(OSError):
            if _read(self.path).get("token") == self._token:
                self.path.unlink()


def _read(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _lives(path: Path, owner: dict[str, Any]) -> bool:
    """Whether the owner of a lock still works."""
    try:
        # On Windows os.kill would end the process instead of asking for it.
        if owner.get("host") == socket.gethostname() and isinstance(owner.get("pid"), int) and os.name != "nt":
            return _runs(owner["pid"], owner.get("started"))
        return _age(path) < STALE_AFTER
    except FileNotFoundError:
        return False


def _runs(pid: int, started: object) -> bool:
    """Whether this process runs, and is not a later one of the same number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    now = _started(pid)
    return started is None or now is None or now == started


def _started(pid: int) -> str | None:
    """When a process began, in the machine's own counting; None where the system does not say."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold spaces.
    fields = line.rpartition(")")[2].split()
    # A dead process that nobody has waited for yet still has its line.
    return "ended" if fields[0] == "Z" else f"{boot} {fields[19]}"


def _age(path: Path) -> float:
    """Seconds since a file was renewed, by the clock of the disk that it lies on."""
    with tempfile.NamedTemporaryFile(prefix=".clock-", dir=path.parent) as clock:
        return os.stat(clock.name).st_mtime - path.stat().st_mtime
