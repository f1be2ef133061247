"""Cohorts of small volumes that the tests of ``lmis batch`` share."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore.cli import main as cli
from LMISCore.cohorts import local_pool
from LMISCore.cohorts.here_pool import HerePool
from LMISCore.cohorts.pool import LOST, Event
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.volume import Geometry

REPORTS = (
    "FINDINGS: Infection in the left lung.\nNo effusion.\n",
    "Infection in the right lung. The heart is normal.",
    "Infection in both lungs, seen by Dr. Miller on 3 May 2021.",
)
SIZE = (8, 8, 3)


def save_weights(folder: Path) -> Path:
    """A checkpoint and its text encoder, so small that a case takes some milliseconds."""
    save_tiny_checkpoint(folder / "tiny.safetensors", save_tiny_encoder(folder / "encoder"))
    return folder


@pytest.fixture(name="weights", scope="module")
def small_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint and its text encoder."""
    return save_weights(tmp_path_factory.mktemp("weights"))


def save_case(folder: Path, number: int) -> dict[str, str]:
    """A volume and a report of one case; returns its row, with paths relative to the folder."""
    generator = np.random.default_rng(number)
    array = generator.integers(-1000, 400, SIZE[::-1]).astype(np.int16)
    volume, report = f"scans/case{number:03d}.nrrd", f"reports/case{number:03d}.txt"
    for path in (volume, report):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    write_volume(folder / volume, array, Geometry(SIZE, (0.7, 0.7, 2.5)), compress=False)
    (folder / report).write_text(REPORTS[number % len(REPORTS)], encoding="utf-8")
    return {"id": f"case{number:03d}", "volume": volume, "report": report}


def save_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a CSV table with all their columns."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def save_cohort(folder: Path, count: int) -> Path:
    """A table of so many cases, with their volumes and reports."""
    folder.mkdir(parents=True, exist_ok=True)
    return save_table(folder / "table.csv", [save_case(folder, number) for number in range(count)])


def options(weights: Path) -> list[str]:
    """Arguments of ``lmis batch`` that name the small weights."""
    return [
        "--checkpoint",
        str(weights / "tiny.safetensors"),
        "--text-encoder",
        str(weights / "encoder"),
        "--device",
        "cpu",
        "--no-overlay",
    ]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of one of the written tables."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def tables(out: Path) -> dict[str, bytes]:
    """Contents of the three tables."""
    return {name: (out / name).read_bytes() for name in ("results.csv", "cases.csv", "errors.csv")}


def undisturbed(table: Path, out: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Tables of a run within this process, which nothing disturbs."""
    with monkeypatch.context() as patch:
        patch.setattr(local_pool, "LocalPool", WatchedPool)
        assert cli.main(["batch", str(table), "--out", str(out), *options(weights)]) == 0
    return tables(out)


class WatchedPool(HerePool):
    """A pool whose one worker is the test's own process, so that a run costs milliseconds; stands in for processes.

    Attributes:
        given: ids of the jobs in their order, over all pools since ``given`` was cleared.
        lose: how often the worker is to be "lost" with a case, by its id.
    """

    given: ClassVar[list[str]] = []
    lose: ClassVar[dict[str, int]] = {}

    def __init__(self, *_: object) -> None:
        super().__init__()

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        self.given.append(identifier)
        if self.lose.get(identifier, 0):
            self.lose[identifier] -= 1
            self._events.append(Event(LOST, identifier, {"message": "the worker was killed by SIGKILL"}))
        else:
            super().give(identifier, job)


@pytest.fixture(autouse=True)
def watched_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """In files that import it, every run of a table has a :class:`WatchedPool` for its local workers."""
    monkeypatch.setattr(local_pool, "LocalPool", WatchedPool)
    WatchedPool.given.clear()
    WatchedPool.lose.clear()
