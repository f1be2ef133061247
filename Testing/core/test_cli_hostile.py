"""Words, bytes and places on the command line that nobody means: each ends in a sentence, before any work is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_runs import (
    Run,
    cli_lmis,  # noqa: F401
    cli_material,  # noqa: F401
    refused,
    standard,
)
from obedient import one_thread  # noqa: F401

from LMISCore.cli.progress import ProgressLine

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    "command", [("evaluate", "bundled", "data"), ("compare", "a", "b"), ("data", "split", "manifest.csv")]
)
@pytest.mark.parametrize("seed", ["-1", "1.5", "one"])
def test_a_seed_that_nothing_can_be_drawn_with_is_refused(
    lmis: Run, tmp_path: Path, command: tuple[str, ...], seed: str
) -> None:
    refused(lmis(*command, "--seed", seed), f"got '{seed}', expected a whole number from 0 on", tmp_path, set())


@pytest.mark.parametrize(
    ("work", "command"),
    [
        ("LMISCore.evaluation.evaluate.evaluate", ("evaluate", "bundled", "data", "--out", "file/out")),
        ("LMISCore.evaluation.evaluate.evaluate", ("compare", "bundled", "bundled", "--data", "data", "--out", "file")),
        ("LMISCore.training.recalibrate.recalibrate", ("calibrate", "bundled", "data", "file/out.safetensors")),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_measured(
    lmis: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str, command: tuple[str, ...]
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it was measured first")

    monkeypatch.setattr(work, never)
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    plots = () if command[0] == "calibrate" else ("--no-plots",)
    refused(lmis(*command, *plots), "is a file, not a folder", tmp_path, {str(tmp_path / "file")})


@pytest.mark.parametrize(
    "command",
    [
        ("info", "{}"),
        ("convert", "--from", "tirnet", "{}", "out"),
        ("compare", "{}", "{}"),
        ("train", "{}.yaml"),
        ("data", "check", "{}.csv"),
        ("data", "import", "{}", "out.csv"),
        ("batch", "{}.csv"),
        ("evaluate", "bundled", "{}", "--split", "Val"),
    ],
    ids=lambda words: words[0] + words[1],
)
def test_a_name_too_long_to_look_up_is_told_by_every_command(
    lmis: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    refused(lmis(*(word.format("x" * 300) for word in command)), "x" * 300, tmp_path, set())


def test_a_sentence_with_bytes_that_are_no_text_is_explained_all_the_same(
    lmis: Run, material: Path, tmp_path: Path
) -> None:
    command = [
        "explain",
        *standard(material)[1:],
        "--text",
        "Infection \udcff",
        "--map",
        "probability",
        "--out",
        "maps",
    ]
    assert lmis(*command)[0] == 0
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {"chest.probability.nrrd", "chest.maps.json"}
    assert '"sentence": "Infection ?"' in (tmp_path / "maps/chest.maps.json").read_text(encoding="utf-8")


def test_an_escape_sequence_in_a_report_does_not_reach_the_terminal(lmis: Run, material: Path) -> None:
    code, printed, _ = lmis(*standard(material, "--text", "Infection \x1b[2J\x9b1m in the left lung.", "--no-overlay"))
    assert code == 0 and "Infection ?[2J?1m" in printed
    assert not {"\x1b", "\x9b"} & set(printed)


def test_a_reader_that_has_gone_ends_the_command_without_a_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        # Kept in a buffer, the output is found to have no reader after the command, where Python would say so itself.
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        command = [sys.executable, "-m", "LMISCore.cli.main"]
        done = subprocess.run(command, cwd=ROOT, env=buffered, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (130, b"")


def test_a_progress_bar_begins_at_nothing_and_not_below(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        line(0, 0, "reading")
        line(0, 3, "explaining")
        line(3, 3, "explaining")
    shown = capsys.readouterr().err
    assert "3/3" in shown and "-1" not in shown and "-33" not in shown
