"""Where a cohort's results lie, and what says that a case is done. No torch.

    OUT/batch.json                the run's settings and weights, and how far it got
    OUT/cases/ID/                 results of a case as ``lmis segment`` writes them, and ID.done.json
    OUT/failed/ID.json            why a case has no result
    OUT/results.csv cases.csv errors.csv
    OUT/logs/                     what the workers' libraries say, no report text

A case's folder is made under another name and renamed when everything is in it: it is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from LMISCore.atomic import write_json
from LMISCore.cohorts.case import Case, Stamp, stamp
from LMISCore.errors import InputError

ABOUT = "batch.json"
TABLES = ("results.csv", "cases.csv", "errors.csv")
OWN_NAMES = (ABOUT, *TABLES, "cases", "failed", "logs")
FORMAT = 1
_PREPARED = ".preparing-"
_REPLACED = ".replaced-"


class CohortFolder:
    """The folder OUT of one cohort."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        self.cases = self.root / "cases"
        self.failed = self.root / "failed"
        self.logs = self.root / "logs"

    def case(self, identifier: str) -> Path:
        """Folder of one case's results."""
        return self.cases / identifier

    def about(self) -> dict[str, Any]:
        """What batch.json says; empty where there is none.

        Raises:
            InputError: if the folder holds something else under a name that a run writes.
        """
        found = _json(self.root / ABOUT)
        if found.get("format") == FORMAT:
            return found
        there = [name for name in OWN_NAMES if (self.root / name).exists()]
        if there:
            raise InputError(
                f"{self.root} holds {there[0]}, but not from a run of this version over a table; choose another "
                "folder, or remove it first."
            )
        return {}

    def write_about(self, values: dict[str, Any]) -> None:
        """Write batch.json."""
        write_json(self.root / ABOUT, {"format": FORMAT, **values})

    def done(self, identifier: str) -> dict[str, Any]:
        """The record of a finished case; empty where there is none or a file of its results is gone."""
        folder = self.case(identifier)
        record = _json(folder / f"{identifier}.done.json")
        sizes = record.get("outputs")
        if not isinstance(sizes, dict) or record.get("id") != identifier:
            return {}
        try:
            whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
        except OSError:
            return {}
        return record if whole else {}

    def is_current(self, case: Case, key: str) -> bool:
        """Whether a case's result was made from these settings and weights, and its files are as they were then."""
        record = self.done(case.id)
        inputs = record.get("inputs", {})
        if record.get("key") != key or set(inputs) != set(case.files()):
            return False
        return all(same_stamp(inputs[part].get("stamp"), path) for part, path in case.files().items())

    def failure(self, identifier: str) -> dict[str, Any]:
        """Why a case has no result; empty where nothing is written."""
        return _json(self.failed / f"{identifier}.json")

    def write_failure(self, case: Case, kind: str, message: str) -> None:
        """Keep why a case failed; an earlier result of it no longer stands for it."""
        write_json(self.failed / f"{case.id}.json", {"id": case.id, "row": case.row, "kind": kind, "message": message})

    def forget_failure(self, identifier: str) -> None:
        """Take away what was written of an earlier failure."""
        with contextlib.suppress(FileNotFoundError):
            (self.failed / f"{identifier}.json").unlink()

    def prepare(self, identifier: str) -> Path:
        """Make a hidden folder for a case's files; it becomes the case's own by :meth:`publish`."""
        self.cases.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{identifier}{_PREPARED}", dir=self.cases))

    def publish(self, prepared: Path, identifier: str) -> None:
        """Rename a prepared folder to the case's, in the place of an earlier result."""
        # mkdtemp makes it for its owner alone; a result has the rights that any new folder gets.
        umask = os.umask(0)
        os.umask(umask)
        prepared.chmod(0o777 & ~umask)
        target = self.case(identifier)
        old = self.cases / f".{identifier}{_REPLACED}{prepared.name.rpartition('-')[2]}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, old)
        try:
            os.rename(prepared, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # A worker of a killed run, not yet ended, has just published the same case.
            shutil.rmtree(target)
            os.rename(prepared, target)
        shutil.rmtree(old, ignore_errors=True)

    def clean(self, identifiers: Iterable[str]) -> int:
        """Remove what killed runs of these cases left half-made; returns how many folders that were."""
        mine = set(identifiers)
        left = [path for path in self.cases.glob(".*") if _owner(path.name) in mine] if self.cases.is_dir() else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        return len(left)


def same_stamp(kept: Stamp | None, path: str) -> bool:
    """Whether the files under a path have the names, sizes and times they had."""
    try:
        return kept == stamp(path)
    except InputError:
        return False


def _owner(name: str) -> str:
    for mark in (_PREPARED, _REPLACED):
        if mark in name:
            return name[1:].rpartition(mark)[0]
    return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
