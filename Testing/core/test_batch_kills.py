"""A run over a table that is killed again and again ends with each case once and the same tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cohort_kills import finished, kill_often
from cohort_makers import options, read_rows, save_cohort, small_weights, tables, undisturbed

__all__ = ["small_weights"]

# Put before everything that a process imports: the worker that begins this case is killed, the first time only.
KILLED_ONCE = """
import os, signal, tempfile
plain = tempfile.mkdtemp
def mkdtemp(*values, **settings):
    if "case003" in str(settings.get("prefix")) and not os.path.exists({flag!r}):
        open({flag!r}, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(*values, **settings)
tempfile.mkdtemp = mkdtemp
"""


def check(out: Path, count: int, whole: dict[str, bytes]) -> None:
    """Each case once, nothing half-made, the same bytes in the tables."""
    names = [f"case{number:03d}" for number in range(count)]
    assert sorted(path.name for path in (out / "cases").iterdir()) == names
    assert [row["case"] for row in read_rows(out / "cases.csv")] == names
    assert finished(out) == count and not list((out / "failed").glob("*"))
    assert tables(out) == whole and not list(out.glob("*.lock*"))


def test_a_run_and_a_worker_are_killed_and_it_ends_as_one_that_was_not(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, out = save_cohort(tmp_path / "c", 20), tmp_path / "out"
    whole = undisturbed(table, tmp_path / "whole", weights, monkeypatch)
    (tmp_path / "path").mkdir()
    script = KILLED_ONCE.format(flag=str(tmp_path / "flag"))
    (tmp_path / "path" / "sitecustomize.py").write_text(script, encoding="utf-8")
    arguments = ["batch", str(table), "--out", str(out), *options(weights), "--json"]
    counts, printed = kill_often(arguments, out, kills=1, seed=4, path=tmp_path / "path", share=0)
    assert counts["run"] == 1 and (tmp_path / "flag").exists()
    found = json.loads(printed[printed.index("{") :])
    assert (found["cases"], found["done"], found["failed"]) == (20, 20, 0)
    check(out, 20, whole)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_two_hundred_cases_killed_ten_times_end_complete(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    table, out = save_cohort(tmp_path / "c", 200), tmp_path / "out"
    whole = undisturbed(table, tmp_path / "whole", weights, monkeypatch)
    arguments = ["batch", str(table), "--out", str(out), *options(weights), "--workers", str(workers), "--json"]
    counts, printed = kill_often(arguments, out, kills=10, seed=workers)
    assert sum(counts.values()) == 10, (counts, printed)
    check(out, 200, whole)
