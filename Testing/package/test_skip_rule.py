"""No test goes quiet: the run counts what ran and fails on a skip that the committed list does not allow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT

HEADER = "import pytest\n\n@pytest.mark.golden\ndef test_recorded():\n    pass\n\n"
LISTED = "@pytest.mark.slow\ndef test_other():\n    assert False\n"
DRAWN = "@pytest.mark.renderer\ndef test_other():\n    pass\n"
SKIPPED = "@pytest.mark.skip(reason='later')\ndef test_other():\n    pass\n"
MISSING = "def test_other():\n    pytest.importorskip('a_package_that_nobody_has')\n"
EXPECTED = "@pytest.mark.xfail\ndef test_other():\n    assert False\n"
BORROWED_REASON = "def test_other():\n    pytest.skip('no CUDA device')\n"


def _run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    for name in ("conftest.py", "allowed_skips.txt"):
        shutil.copyfile(ROOT / "Testing" / name, folder / name)
    (folder / "test_example.py").write_text(HEADER + body, encoding="utf-8")
    options = ["-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder)]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")


def test_a_listed_skip_passes_and_is_counted(tmp_path: Path) -> None:
    result = _run(tmp_path, LISTED)
    assert result.returncode == pytest.ExitCode.OK
    assert "golden cases ran: 1; Slicer core tests ran: 0; skipped: 1 (asked for with --run-slow)" in result.stdout


def test_a_skipped_picture_passes_and_is_told_apart_from_one_that_ran(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text("def can_render():\n    return False\n", encoding="utf-8")
    result = _run(tmp_path, DRAWN)
    assert result.returncode == pytest.ExitCode.OK
    assert "\npictures ran: 0\n" in result.stdout
    (tmp_path / "views.py").write_text("def can_render():\n    return True\n", encoding="utf-8")
    assert "\npictures ran: 1\n" in _run(tmp_path, DRAWN).stdout


@pytest.mark.parametrize("body", [SKIPPED, MISSING, EXPECTED, BORROWED_REASON])
def test_an_unlisted_skip_fails_the_run(tmp_path: Path, body: str) -> None:
    result = _run(tmp_path, body)
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert "not in Testing/allowed_skips.txt: test_example.py::test_other" in result.stdout
