"""Two runs on one folder: the second is refused while the first lives, and takes over when it does not."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cohort_kills import hold

from LMISCore.cohorts import lock as locks
from LMISCore.cohorts.lock import FolderLock
from LMISCore.errors import InputError


def foreign(path: Path, age: float, **changes: Any) -> None:
    """The lock of a run on another machine, renewed so many seconds ago."""
    path.write_text(json.dumps({"token": "t", "pid": 4, "host": "elsewhere", **changes}), encoding="utf-8")
    os.utime(path, (time.time() - age, time.time() - age))


def test_a_second_run_is_refused_by_name_and_takes_over_once_the_first_is_killed(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    try:
        with pytest.raises(InputError, match=f"process {holder.pid} on") as refused, FolderLock(tmp_path):
            pass
        assert str(refused.value).count(".") >= 1 and "\n" not in str(refused.value)
    finally:
        holder.kill()
        holder.communicate()
    with FolderLock(tmp_path) as mine:
        assert json.loads(mine.path.read_text(encoding="utf-8"))["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_process_number_that_another_program_has_now_does_not_hold_a_lock(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as first:
        about = json.loads(first.path.read_text(encoding="utf-8"))
    # The number of a process that lives, which began at another moment.
    first.path.write_text(json.dumps({**about, "started": "another start"}), encoding="utf-8")
    with FolderLock(tmp_path):
        pass


def test_a_lock_of_another_machine_holds_while_it_is_renewed(tmp_path: Path) -> None:
    foreign(tmp_path / "batch.lock", age=locks.STALE_AFTER / 2)
    with pytest.raises(InputError, match="process 4 on elsewhere"), FolderLock(tmp_path):
        pass
    foreign(tmp_path / "batch.lock", age=locks.STALE_AFTER * 2)
    with FolderLock(tmp_path):
        pass


def test_a_lock_that_is_held_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "RENEWED_EVERY", 0.05)
    with FolderLock(tmp_path) as mine:
        os.utime(mine.path, (1, 1))
        for _ in range(100):
            time.sleep(0.05)
            if mine.path.stat().st_mtime > 1:
                break
        assert mine.path.stat().st_mtime > 1


def test_parts_of_one_division_run_beside_each_other_and_exclude_all_else(tmp_path: Path) -> None:
    with FolderLock(tmp_path, (1, 3)), FolderLock(tmp_path, (2, 3)):
        for other in (None, (2, 3), (1, 2)):
            with pytest.raises(InputError, match="Another run works on"), FolderLock(tmp_path, other):
                pass
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path), pytest.raises(InputError, match="Another run works on"), FolderLock(tmp_path, (1, 3)):
        pass


def test_of_many_that_find_one_dead_owner_a_single_one_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, done, guard = threading.Barrier(6), threading.Barrier(6), threading.Lock()
    inside, refused = [0], [0]
    seen = threading.local()
    lives, replace = locks._lives, os.replace

    def all_look_first(path: Path, owner: dict[str, Any]) -> bool:
        answer = lives(path, owner)
        if not getattr(seen, "once", False):
            seen.once = True
            found.wait(60)
        return answer

    def slowly(*paths: Path) -> None:
        # Long enough for all others to have looked at what is about to be replaced.
        time.sleep(0.3)
        replace(*paths)

    def attempt() -> None:
        try:
            with FolderLock(tmp_path):
                with guard:
                    inside[0] += 1
                done.wait(60)
        except InputError:
            with guard:
                refused[0] += 1
            done.wait(60)

    foreign(tmp_path / "batch.lock", age=locks.STALE_AFTER * 2)
    monkeypatch.setattr(locks, "_lives", all_look_first)
    monkeypatch.setattr(os, "replace", slowly)
    threads = [threading.Thread(target=attempt) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside[0], refused[0]) == (1, 5)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="Cannot write to"), FolderLock(tmp_path / "file" / "out"):
        pass
