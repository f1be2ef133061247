"""``lmis train`` stopped by Ctrl-C or a scheduler: the step is finished, the state saved, the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from training_makers import training_ground, weights  # noqa: F401

from LMISCore.cli.signals import StopSignals


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Python's own handler of Ctrl-C, which a run in the background of a shell does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def start(ground: Path, out: Path, *overrides: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "LMISCore.cli.main", "train", str(ground / "trial.yaml"), *overrides]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*command, "--out", str(out)], stderr=subprocess.PIPE, encoding="utf-8", errors="replace", env=environment
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to send")
def test_sigterm_saves_the_state_and_the_same_command_ends_with_the_same_weights(ground: Path, tmp_path: Path) -> None:
    overrides = ("training.steps=60", "training.validate_every=60")
    process = start(ground, tmp_path / "stopped", *overrides)
    log = tmp_path / "stopped" / "log.jsonl"
    while not log.exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "run the same command to go on" in said
    assert (tmp_path / "stopped" / "resume.pt").is_file() and not log.read_text(encoding="utf-8")
    for out in ("stopped", "whole"):
        again = start(ground, tmp_path / out, *overrides)
        assert "Traceback" not in again.communicate(timeout=120)[1]
        assert again.returncode == 0
    lines = log.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines] == [60]
    expected, found = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_stop_where_nothing_need_be_saved_ends_at_once() -> None:
    with StopSignals() as signals:
        assert signals.go_on(True) is None
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.go_on(True) is False
        with pytest.raises(KeyboardInterrupt):
            signals.go_on(False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_the_command() -> None:
    with StopSignals():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
