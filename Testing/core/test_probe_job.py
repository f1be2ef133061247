"""The worker's task "probe": which device would compute, found by computing on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from LMISCore.errors import Cancelled, InputError
from LMISCore.inference import devices
from LMISCore.inference.probe_job import ProbeJob, run_probe_job
from LMISCore.worker import job_of, report_on


def test_the_answer_is_that_of_a_run_with_the_same_settings() -> None:
    chosen = devices.choose_device("cpu")
    result = run_probe_job(ProbeJob("cpu"))
    assert result["device"] == {"name": chosen.name, "reason": chosen.reason}
    assert result["precision"]["name"] == "fp32" and result["torch"] == torch.__version__


def test_a_device_whose_kernel_fails_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "kernel_failure", lambda name: "no kernel image" if name == "cuda" else None)
    result = run_probe_job(ProbeJob())
    assert result["device"]["name"] != "cuda" and "cuda: no kernel image" in result["device"]["reason"]
    with pytest.raises(InputError, match=r"cuda was asked for but does not run \(no kernel image\)"):
        run_probe_job(ProbeJob("cuda"))


def test_the_worker_takes_the_task_and_refuses_a_wrong_key() -> None:
    assert job_of({"task": "probe", "device": "mps"}) == ProbeJob("mps")
    with pytest.raises(InputError, match="unknown key 'volume'"):
        job_of({"task": "probe", "volume": "x"})
    lines: list[dict[str, Any]] = []
    code = report_on(
        lambda kind, **values: lines.append({"type": kind, **values}), lambda: ProbeJob("cpu"), lambda: False
    )
    assert code == 0 and lines[-1]["type"] == "result" and lines[-1]["device"]["name"] == "cpu"


def test_a_cancelled_probe_says_so() -> None:
    with pytest.raises(Cancelled):
        run_probe_job(ProbeJob(), lambda done, total, stage: False)
