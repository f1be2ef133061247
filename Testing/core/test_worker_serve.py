"""A worker that stays: jobs from stdin, the network loaded once, cancels that reach what was asked before them."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkpoint import save_tiny_checkpoint, save_tiny_encoder

from LMISCore.inference import warm
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.warm import Predictors
from LMISCore.volumes.files import read_volume, write_volume
from LMISCore.volumes.permille import cut
from LMISCore.volumes.segmentation import read_segmentation
from LMISCore.volumes.volume import Geometry

ROOT = Path(__file__).resolve().parents[2]
REPORT = "Infection in the left lung. Infection in the right lung."


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, its text encoder, a short volume and a long one."""
    folder = tmp_path_factory.mktemp("serve")
    save_tiny_checkpoint(folder / "tiny.safetensors", save_tiny_encoder(folder / "encoder"))
    random = np.random.default_rng(0)
    for name, slices in (("short", 6), ("long", 3000)):
        array = random.integers(0, 255, (slices, 16, 16)).astype(np.uint8)
        write_volume(folder / f"{name}.nrrd", array, Geometry((16, 16, slices)))
    return folder


def job(material: Path, out: Path, volume: str = "short", **changes: Any) -> dict[str, Any]:
    return {
        "task": "segment",
        "volume": str(material / f"{volume}.nrrd"),
        "text": REPORT,
        "out": str(out),
        "checkpoint": str(material / "tiny.safetensors"),
        "text_encoder": str(material / "encoder"),
        "device": "cpu",
        "batch_size": 2,
        **changes,
    }


class Server:
    """A serving worker in a process of its own."""

    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "LMISCore.worker", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            encoding="utf-8",
        )
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.put(json.loads(line))

    def say(self, value: Any) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write((value if isinstance(value, str) else json.dumps(value)) + "\n")
        self.popen.stdin.flush()

    def give(self, identifier: str, values: Any) -> None:
        self.say({"type": "job", "id": identifier, "job": values})

    def until(self, *kinds: str) -> dict[str, Any]:
        while (line := self.lines.get(timeout=60))["type"] not in kinds:
            pass
        return line


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server()
    assert found.until("started")["pid"] == found.popen.pid
    found.until("ready")
    yield found
    assert found.popen.stdin is not None and found.popen.stdout is not None
    found.popen.stdin.close()
    assert found.popen.wait(30) == 0
    found.popen.stdout.close()


def test_one_job_after_another_with_lines_that_name_their_job(server: Server, material: Path, tmp_path: Path) -> None:
    for identifier in ("a", "b"):
        server.give(identifier, job(material, tmp_path / identifier))
        last = server.until("result", "error")
        assert (last["type"], last["id"]) == ("result", identifier)
        assert (tmp_path / identifier / "short.json").is_file()


def test_a_cancel_stops_the_running_job_and_those_that_wait_but_no_later_one(
    server: Server, material: Path, tmp_path: Path
) -> None:
    server.give("running", job(material, tmp_path / "running", "long"))
    server.give("waiting", job(material, tmp_path / "waiting"))
    while server.until("progress")["stage"] != "segmenting":
        pass
    server.say("cancel")
    asked = time.monotonic()
    ends = [server.until("result", "error") for _ in range(2)]
    assert [(end["id"], end.get("kind")) for end in ends] == [("running", "cancelled"), ("waiting", "cancelled")]
    assert time.monotonic() - asked < 10
    server.give("later", job(material, tmp_path / "later"))
    assert server.until("result", "error")["id"] == "later"
    assert not (tmp_path / "running").exists() and not (tmp_path / "waiting").exists()
    assert (tmp_path / "later" / "short.json").is_file()


def test_a_wrong_line_or_job_is_answered_and_the_worker_goes_on(server: Server, material: Path, tmp_path: Path) -> None:
    server.say("no job")
    assert server.until("error")["kind"] == "bad_input"
    for wrong in ({"task": "dream"}, None, {"task": "explain", "maps": "all"}, job(material, tmp_path, volume="none")):
        server.give("wrong", wrong)
        found = server.until("result", "error")
        assert (found["type"], found["id"], found["kind"]) == ("error", "wrong", "bad_input"), found
    server.give("right", job(material, tmp_path / "right"))
    assert server.until("result", "error")["type"] == "result"


def test_kept_probabilities_cut_at_the_threshold_give_the_written_masks(
    server: Server, material: Path, tmp_path: Path
) -> None:
    values = job(material, tmp_path, probabilities=True, force=["text-1", "text-2"], threshold=0.471)
    server.give("kept", values)
    result = server.until("result", "error")
    segments = {segment.id: segment for segment in read_segmentation(result["outputs"]["segmentation"])[0]}
    assert set(result["probabilities"]) == {"text-1", "text-2"} and len(segments) == 2
    for row in result["rows"]:
        kept = read_volume(result["probabilities"][row["id"]]).array
        np.testing.assert_array_equal(cut(kept, 0.471), segments[row["segment_id"]].mask)
    server.give("not kept", {**values, "probabilities": False})
    assert server.until("result", "error")["probabilities"] == {}
    assert not list(tmp_path.glob("*.probability.nrrd"))


def test_maps_of_a_sentence_are_written_with_their_meanings(server: Server, material: Path, tmp_path: Path) -> None:
    values = job(material, tmp_path, task="explain", text="Infection in the left lung.", maps=["similarity_1"])
    server.give("maps", values)
    result = server.until("result", "error")
    assert [row["name"] for row in result["maps"]] == ["similarity_1"] and "cosine" in result["maps"][0]["meaning"]
    found = read_volume(result["maps"][0]["path"])
    assert found.array.shape == (6, 16, 16) and found.array.dtype == np.float32
    assert [float(found.array.min()), float(found.array.max())] == pytest.approx(result["maps"][0]["range"])


def test_the_network_is_loaded_anew_only_when_its_file_or_a_setting_changes(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[tuple[Any, ...]] = []
    plain = Predictor

    def watched(*values: Any, **settings: Any) -> Any:
        loaded.append(values)
        return plain(*values, **settings)

    monkeypatch.setattr(warm, "Predictor", watched)
    path = tmp_path / "tiny.safetensors"
    path.write_bytes((material / "tiny.safetensors").read_bytes())
    predictors = Predictors()
    first = predictors.get(str(path), "cpu", text_encoder=str(material / "encoder"))
    assert predictors.get(str(path), "cpu", text_encoder=str(material / "encoder")) is first and len(loaded) == 1
    os.utime(path, (1, 1))
    assert predictors.get(str(path), "cpu", text_encoder=str(material / "encoder")) is not first
    predictors.get(str(path), "cpu", batch_size=1, text_encoder=str(material / "encoder"))
    assert len(loaded) == 3
