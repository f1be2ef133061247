"""Files appear whole and together, or what was there before stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from LMISCore.atomic import atomic_path, atomic_paths, write_text
from LMISCore.errors import InputError


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def failing_rename(monkeypatch: pytest.MonkeyPatch, target: Path) -> None:
    """Let the next rename to ``target`` fail, and only that one."""
    rename = os.rename
    left = [target]

    def fail_once(source: Any, destination: Any, **options: Any) -> None:
        if left and Path(destination) == left[0] and ".writing-" in str(source):
            left.clear()
            raise OSError(28, "No space left on device", str(source), None, str(destination))
        rename(source, destination, **options)

    monkeypatch.setattr(os, "rename", fail_once)


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "a.txt").write_text("old")
    failing_rename(monkeypatch, tmp_path / "card")
    with pytest.raises(InputError, match="No space left"), atomic_path(tmp_path / "card") as temporary:
        temporary.mkdir()
        (temporary / "a.txt").write_text("new")
    assert contents(tmp_path) == {"card/a.txt": "old"} and len(list(tmp_path.iterdir())) == 1


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for words in ("old", "new"):
        with atomic_path(tmp_path / "card") as temporary:
            temporary.mkdir()
            (temporary / f"{words}.txt").write_text(words)
    assert contents(tmp_path) == {"card/new.txt": "new"}


def test_several_files_appear_and_others_go_together(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "stale.txt", "old")
    with atomic_paths([tmp_path / "a.txt", tmp_path / "sub" / "b.txt"], [tmp_path / "stale.txt"]) as (first, second):
        first.write_text("new")
        second.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert contents(tmp_path) == {"a.txt": "new", "sub/b.txt": "new"}


def test_of_several_files_none_changes_when_the_last_cannot_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "c.txt", "stale.txt"):
        write_text(tmp_path / name, "old")
    before = contents(tmp_path)
    failing_rename(monkeypatch, tmp_path / "c.txt")
    targets = [tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "c.txt"]
    with pytest.raises(InputError, match="No space left"), atomic_paths(targets, [tmp_path / "stale.txt"]) as names:
        for temporary in names:
            temporary.write_text("new")
    assert contents(tmp_path) == before


def test_a_folder_in_the_place_of_one_file_is_kept_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    write_text(tmp_path / "b.txt" / "inside.txt", "mine")
    with pytest.raises(InputError, match=r"b\.txt"), atomic_paths([tmp_path / "a.txt", tmp_path / "b.txt"]) as names:
        for temporary in names:
            temporary.write_text("new")
    assert contents(tmp_path) == {"b.txt/inside.txt": "mine"}


def test_a_name_as_long_as_the_file_system_takes_can_be_written(tmp_path: Path) -> None:
    first, second = (tmp_path / ("x" * 250 + end) for end in ("a.txt", "b.txt"))
    with atomic_paths([first, second]) as names:
        for temporary, words in zip(names, ("one", "two"), strict=True):
            temporary.write_text(words)
    assert (first.read_text(), second.read_text()) == ("one", "two")
