"""The GPU part of the speed benchmark: it runs on any device, agrees with the base and says when there is no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import speed_benchmark
import speed_gpu
import speed_networks as nets
import speed_report
import speed_training
import torch
from obedient import one_thread  # noqa: F401

from LMISCore.errors import InputError
from LMISCore.networks import create_network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(name="small")
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(name: str, weights: Path | None = None, slim: bool = False) -> Any:
        torch.manual_seed(1)
        return create_network(name, width=4, text_width=512, variant="release").eval()

    monkeypatch.setattr(nets, "build", build)
    monkeypatch.setattr(speed_gpu, "BATCHES", (1, 2))


def test_every_path_counts_images_and_marks_what_the_base_marks(small: None) -> None:
    found = speed_gpu.gpu_images("tirnet", "", 1, "cpu", with_compile=False, size=32)
    rows = found["rows"]
    assert list(rows) == [
        "base",
        "text once, dead work gone",
        "bf16 autocast",
        "channels last, fp32, 1 at a time",
        "prepared copy, fp32, 1 at a time",
        "channels last, bf16, 1 at a time",
        "prepared copy, bf16, 1 at a time",
        "channels last, fp32, 2 at a time",
        "prepared copy, fp32, 2 at a time",
        "channels last, bf16, 2 at a time",
        "prepared copy, bf16, 2 at a time",
    ]
    assert all(row["images a second"] > 0 for row in rows.values())
    assert all(row["flipped"] < 0.01 for name, row in rows.items() if "bf16" not in name)
    assert found["gflop"] > 0


def test_training_is_timed_by_every_switch_but_the_allocator_of_the_processor() -> None:
    found = speed_gpu.gpu_training("tmca", 1, "cpu", with_compile=False, batch=2, size=32)
    assert list(found) == [
        "base",
        "channels last",
        "bf16 autocast",
        "fused AdamW",
        "maps made again",
        "all but the allocator, maps kept",
        "all but the allocator",
    ]
    assert all(row["pictures a second"] > 0 for row in found.values())


def test_a_setting_that_is_refused_is_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(network: Any, loss: Any, recipe: Any, dtype: Any) -> None:
        if recipe.training.compile == "always":
            raise InputError("It has other gradients.")

    label = "all, compiled"
    monkeypatch.setattr(speed_training, "compile_network", refuse)
    monkeypatch.setattr(speed_training, "keep_freed_memory", lambda: True)
    monkeypatch.setattr(speed_gpu, "SETTINGS", {label: speed_training.SETTINGS[label]})
    assert speed_training.train("tirnet", label, 1, 1, 32) == {"refused": "It has other gradients."}
    assert speed_gpu.gpu_training("tirnet", 1, "cpu", batch=1, size=32) == {}
    assert "tirnet, all, compiled: It has other gradients." in capsys.readouterr().err


def test_ceilings_are_rates_of_this_device() -> None:
    found = speed_gpu.gpu_ceilings("cpu", 1, side=64)
    assert set(found) == {"fp32", "bf16", "copy"} and all(rate > 0 for rate in found.values())


def test_the_page_says_what_was_measured_on_a_gpu_or_that_nothing_was() -> None:
    machine = {"cpus": 2, "threads": 2, "torch": "2", "system": "Linux"}
    assert "GPU: not measured." in speed_report.markdown({"machine": machine})
    rows = {
        "base": {"images a second": 10.0, "flipped": 0.0},
        "prepared copy, bf16, 8 at a time": {"images a second": 50.0, "flipped": 0.001},
    }
    result = {
        "machine": machine,
        "gpu": {"name": "a GPU", "fp32": 1000.0, "bf16": 20000.0, "copy": 500.0},
        "networks": {
            "tirnet": {
                "gpu": {"rows": rows, "gflop": 50.0},
                "gpu training": {
                    "base": {"pictures a second": 100.0, "peak": 4000.0},
                    "all, compiled": {"pictures a second": 400.0, "peak": 2000.0},
                },
            }
        },
    }
    page = speed_report.markdown(result)
    assert "GPU (a GPU): matrix products 1000 GFLOP/s in float32, 20000 in bfloat16; copy 500 GB/s." in page
    assert "| base | 10.0 | 1.00 | 50.0 % | 0.000 % |" in page
    assert "| all, compiled | 400.0 | 4.00 | 2000 |" in page
    assert "| prepared copy, bf16, 8 at a time | 50.0 | 5.00 | 12.5 % | 0.100 % |" in page


def test_asking_for_the_gpu_where_there_is_none_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["speed_benchmark.py", "--only", "gpu"])
    with pytest.raises(SystemExit, match="There is no CUDA device to measure"):
        speed_benchmark.main()


@pytest.mark.gpu
def test_the_benchmark_measures_the_gpu(tmp_path: Path) -> None:
    script = Path(speed_benchmark.__file__)
    out = tmp_path / "speed.json"
    command = [sys.executable, str(script), "--only", "gpu", "--quick", "--networks", "tirnet", "--out", str(out)]
    subprocess.run([*command, "--weights", str(tmp_path)], check=True, timeout=900)
    rows = json.loads(out.read_text(encoding="utf-8"))["networks"]["tirnet"]["gpu"]["rows"]
    assert rows["prepared copy, bf16, 32 at a time"]["images a second"] > rows["base"]["images a second"]
