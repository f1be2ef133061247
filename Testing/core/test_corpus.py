"""The corpus of report sentences keeps to its own guide, and each half lies in its own files."""

from __future__ import annotations

import doctest
import shutil
from pathlib import Path

import pytest

from Testing.corpus import check, split


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the corpus that the checks read instead of it."""
    folder = tmp_path / "corpus"
    shutil.copytree(split.CORPUS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(check, "CORPUS", folder)
    return folder


def test_the_corpus_keeps_to_its_guide() -> None:
    assert check.problems() == []


def test_the_half_of_an_id_is_as_its_doctest_says() -> None:
    assert doctest.testmod(split) == doctest.TestResults(failed=0, attempted=2)


@pytest.mark.parametrize(
    ("was", "becomes", "complaint"),
    [
        ('"words": "Heart size"', '"words": "Heart rate"', "does not stand at"),
        ('"status": "uncertain"', '"status": "perhaps"', "has status perhaps"),
        ('"zones": ["lower"]', '"zones": ["basal"]', "has zones ['basal']"),
        ('"id": "cr-en-001"', '"id": "cr-en-002"', "is used 2 times"),
        ('"id": "cr-en-001"', '"id": "cr-en-003"', "belongs to heldout"),
        ('"size_mm": 5.0', '"size_mm": 5', "has size 5"),
    ],
)
def test_a_broken_sentence_is_found(copy: Path, was: str, becomes: str, complaint: str) -> None:
    file = copy / "sentences_development.jsonl"
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, becomes, 1), encoding="utf-8")
    assert any(complaint in problem for problem in check.problems())


def test_a_report_whose_line_ends_were_changed_is_found(copy: Path) -> None:
    file = copy / "reports" / "development" / "cr-portable-icu.txt"
    file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    assert any("cr-portable-icu" in problem for problem in check.problems())


def test_dividing_anew_changes_nothing_and_brings_back_what_was_misplaced(copy: Path) -> None:
    before = {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*.*") if path.is_file()}
    first, second = (copy / f"sentences_{name}.jsonl" for name in split.HALVES)
    second.write_bytes(second.read_bytes() + first.read_bytes())
    first.write_bytes(b"")
    for end in ("txt", "json"):
        (copy / "reports" / "heldout" / f"us-thyroid.{end}").rename(
            copy / "reports" / "development" / f"us-thyroid.{end}"
        )
    split.divide(copy)
    assert {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*.*") if path.is_file()} == before
