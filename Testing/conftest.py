"""What every test shares: a closed-off environment, the device fixture, and a run that fails on unlisted skips."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch

TESTING = Path(__file__).resolve().parent

# Set before any library that reads them is imported: no hub, no cache of the user's; one thread, because tiny
# networks lose more by waiting for a second one than they win by it.
_CACHES = Path(tempfile.mkdtemp(prefix="lmis-tests-"))
os.environ.update(
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HOME=str(_CACHES / "huggingface"),
    MPLBACKEND="Agg",
    MPLCONFIGDIR=str(_CACHES / "matplotlib"),
    TORCH_HOME=str(_CACHES / "torch"),
    XDG_CACHE_HOME=str(_CACHES),
    OMP_NUM_THREADS="1",
    MKL_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
)
# pytest-xdist tells its workers of a narrow terminal.
os.environ.pop("COLUMNS", None)


def _allowed_skips() -> dict[str, str]:
    """Return marker -> reason from allowed_skips.txt."""
    lines = (TESTING / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line.strip() and not line.startswith("#"))
    return {marker.strip(): reason.strip() for marker, reason in pairs}


class RunSummary:
    """Counts what ran and what was skipped; fails a run that skipped anything not listed."""

    def __init__(self) -> None:
        self.allowed = _allowed_skips()
        self.ran = {"golden": 0, "slicer_core": 0, "renderer": 0}
        self.skipped: dict[str, int] = {}
        self.unlisted: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            reason = self._listed_reason(report)
            if reason is None:
                self.unlisted.append(f"{report.nodeid}: {self._text(report)}")
            else:
                self.skipped[reason] = self.skipped.get(reason, 0) + 1
        elif report.when == "call":
            for marker in self.ran.keys() & report.keywords.keys():
                self.ran[marker] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.unlisted.append(f"{report.nodeid}: {self._text(report)}")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unlisted and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        skipped = ", ".join(f"{count} ({reason})" for reason, count in sorted(self.skipped.items())) or "none"
        terminalreporter.section("what ran")
        terminalreporter.write_line(
            f"golden cases ran: {self.ran['golden']}; Slicer core tests ran: {self.ran['slicer_core']}; "
            f"skipped: {skipped}"
        )
        terminalreporter.write_line(f"pictures ran: {self.ran['renderer']}")
        for line in self.unlisted:
            terminalreporter.write_line(f"not in Testing/allowed_skips.txt: {line}", red=True)

    def _listed_reason(self, report: pytest.TestReport) -> str | None:
        text = self._text(report)
        for marker, reason in self.allowed.items():
            if marker in report.keywords and text == reason:
                return reason
        return None

    @staticmethod
    def _text(report: pytest.TestReport | pytest.CollectReport) -> str:
        if hasattr(report, "wasxfail"):
            return f"expected failure {report.wasxfail}"
        where = report.longrepr
        return where[2].removeprefix("Skipped: ") if isinstance(where, tuple) else str(where)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--run-slow", action="store_true", help="also run the tests marked slow")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(RunSummary(), "lmis-run-summary")


def pytest_unconfigure() -> None:
    shutil.rmtree(_CACHES, ignore_errors=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    if (TESTING / "scene") in item.path.parents or (TESTING / "widget") in item.path.parents:
        item.add_marker("slicer_core")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    closed = set() if config.getoption("--run-slow") else {"slow"}
    if any("gpu" in item.keywords for item in items) and not _has_cuda():
        closed.add("gpu")
    if any("renderer" in item.keywords for item in items) and not _can_render():
        closed.add("renderer")
    for marker in closed:
        skip = pytest.mark.skip(reason=_allowed_skips()[marker])
        for item in items:
            if marker in item.keywords:
                item.add_marker(skip)


def _has_cuda() -> bool:
    import torch  # only when a gpu test is collected: the torch-free tests stay quick

    return torch.cuda.is_available()


def _can_render() -> bool:
    from views import can_render  # beside the tests that draw, whose folder is on the path once they are collected

    return can_render()


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device that networks, losses, training steps, resuming and the Predictor must work on."""
    import torch

    return torch.device(request.param)


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuse every connection that leaves the machine: after the installation all works offline."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address[0]}; tests run offline")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield
