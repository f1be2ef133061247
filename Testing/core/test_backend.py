"""OpenVINO gives the prepared network's answers, and is taken only where the estimate says that it pays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from obedient import one_thread  # noqa: F401
from prepared_makers import asked, built
from torch import Tensor, nn

from LMISCore.checkpoints.store import Checkpoint
from LMISCore.errors import InputError, MissingDependencyError
from LMISCore.inference import backend as backends
from LMISCore.inference.backend import Backend, Seconds
from LMISCore.inference.openvino_network import OpenVINONetwork, graphs_of
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_network import PreparedNetwork

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (50, 70)


def prepared(network: nn.Module, dtype: torch.dtype) -> PreparedNetwork:
    found = prepare(network, dtype)
    assert isinstance(found, PreparedNetwork)
    return found


@pytest.mark.parametrize(
    "setting, dtype, most",
    [
        ("tirnet", torch.float32, 1e-4),
        ("reclmis as released", torch.bfloat16, 0.1),
        ("tirnet as released", torch.bfloat16, 0.1),
    ],
)
def test_openvino_gives_the_prepared_networks_logits(
    setting: str, dtype: torch.dtype, most: float, tmp_path: Path
) -> None:
    network, (image, states, mask) = built(setting), asked(2)
    running, folder = prepared(network, dtype), tmp_path / "graphs"
    with torch.inference_mode():
        expected = [running(image, states[:, :words], mask[:, :words]).logits for words in (7, 3)]
    graphs, kept = graphs_of(running, lambda: prepared(network, dtype), SIZE, folder)
    other = OpenVINONetwork(running, graphs, SIZE)
    other.take_over()
    with torch.inference_mode():
        features = other.encode_image(image)
        found = [other.decode(features, states[:, :words], mask[:, :words]).logits for words in (7, 3)]
    assert not kept
    for mine, theirs in zip(found, expected, strict=True):
        # Logits of one picture and of one sentence against another's would differ by their whole spread.
        assert mine.shape == theirs.shape and (mine - theirs).abs().mean() < most * theirs.std()
    # What was kept is read, unless it is damaged.
    assert graphs_of(running, unwanted, SIZE, folder)[1]
    weights = folder / "decoder.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(AssertionError, match="was made anew"):
        graphs_of(running, unwanted, SIZE, folder)


def unwanted() -> PreparedNetwork:
    raise AssertionError("a network was made anew")


def test_telemetry_is_not_loaded_with_openvino() -> None:
    program = (
        "from LMISCore.inference.openvino_network import load_openvino; load_openvino()\n"
        "from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert run.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


class Stand:
    """A backend whose seconds are told, and whose graphs are made at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path | None = None, setting: str = "tirnet") -> None:
        self.network, self.folder = built(setting), folder
        self.running = prepared(self.network, torch.bfloat16)
        self.torch, self.openvino = Seconds(0.1, 0.2), Seconds(0.1, 0.1)
        self.made = 0
        monkeypatch.setattr(backends, "measured", self._measured)
        monkeypatch.setattr(backends, "graphs_of", self._graphs_of)
        monkeypatch.setattr(backends, "_flipped", lambda one, other, size: 0.0)

    def _measured(self, network: nn.Module, size: tuple[int, int]) -> Seconds:
        return self.openvino if isinstance(network, OpenVINONetwork) else self.torch

    def _graphs_of(
        self, running: PreparedNetwork, make: Callable[[], PreparedNetwork], size: Any, folder: Path | None
    ) -> tuple[list[Any], bool]:
        self.made += 1
        read = folder is not None and folder.is_dir()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        return [Silent(), Silent()], read

    def backend(self, wish: str = "auto") -> Backend:
        """One that reads its weights from a file, as far as it knows."""
        return Backend(wish, "nowhere.safetensors", self.folder, "a" * 64)

    def runs(self, backend: Backend, pictures: int, answers: int) -> str:
        found = backend.network_for(self.running, SIZE, pictures, answers)
        assert isinstance(found, OpenVINONetwork) == (backend.name == "openvino")
        return backend.name


class Silent:
    """A graph that is never run."""

    bytes = 7

    def __call__(self, given: list[Tensor]) -> list[Tensor]:
        raise AssertionError("ran")


def test_one_volume_stays_with_torch_and_a_long_table_of_them_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    backend = stand.backend()
    # 100 slices: 30 s, of which a quarter of 20 s would be saved, for 10 s of making graphs.
    assert stand.runs(backend, 100, 100) == "torch" and stand.made == 0
    assert backend.reason == "torch, since OpenVINO would save 5.0 s and takes 10.0 s to get ready."
    # The second volume says that more will come: 5 s and 5 s are not more than 10 s yet, 15 s are.
    assert [stand.runs(backend, 100, 100) for _ in range(2)] == ["torch", "openvino"]
    assert backend.reason.startswith("openvino, since it saves 10.0 s of a run like this one; its graphs were made in")


def test_many_sentences_of_one_volume_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    assert stand.runs(stand.backend(), 100, 500) == "openvino"


def test_kept_graphs_pay_at_once_in_the_next_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand = Stand(monkeypatch, tmp_path)
    assert stand.runs(stand.backend("openvino"), 1, 1) == "openvino"
    figures = next((tmp_path / "compiled").glob("*.json"))
    # As measured, 10 s of a run of 30 s are saved; reading takes 2 s until it has been measured.
    assert stand.runs(stand.backend(), 19, 19) == "torch" and stand.runs(stand.backend(), 21, 21) == "openvino"
    assert json.loads(figures.read_text(encoding="utf-8"))["openvino"] == {"picture": 0.1, "answer": 0.1}
    # Damaged figures count as none.
    figures.write_text("{", encoding="utf-8")
    backend = stand.backend()
    assert stand.runs(backend, 21, 21) == "torch" and "would save 1.1 s and takes 2.0 s" in backend.reason


def test_what_proved_slower_is_left_and_not_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand = Stand(monkeypatch, tmp_path)
    stand.openvino = Seconds(0.2, 0.2)
    backend = stand.backend()
    assert stand.runs(backend, 1000, 1000) == "torch"
    assert backend.reason == "torch, since OpenVINO proved no faster on this machine."
    assert stand.runs(stand.backend(), 1000, 1000) == "torch" and stand.made == 1


def test_float32_is_left_to_torch_unless_measured_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    stand.running = prepared(stand.network, torch.float32)
    backend = stand.backend()
    assert stand.runs(backend, 10**6, 10**6) == "torch"
    assert backend.reason == "torch, since OpenVINO is not known to be faster for tirnet in fp32."


@pytest.mark.parametrize("fault", ["fails", "differs"])
def test_a_graph_that_fails_or_answers_otherwise_is_not_used(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)

    def fail(*given: object) -> Any:
        raise RuntimeError("no such operation\nand more")

    if fault == "fails":
        monkeypatch.setattr(backends, "graphs_of", fail)
    else:
        monkeypatch.setattr(backends, "_flipped", lambda one, other, size: 0.5)
    backend = stand.backend()
    assert stand.runs(backend, 10**6, 10**6) == "torch"
    assert backend.reason.startswith("torch, since OpenVINO failed (") and "\n" not in backend.reason
    with pytest.raises(InputError, match="cannot be used: torch, since OpenVINO failed"):
        stand.backend("openvino").network_for(stand.running, SIZE, 1, 1)


def test_without_the_package_auto_says_so_and_a_wish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    monkeypatch.setattr(backends, "installed", lambda: False)
    backend = stand.backend()
    assert stand.runs(backend, 10**6, 10**6) == "torch"
    assert backend.reason == "torch, since OpenVINO is not installed."
    with pytest.raises(MissingDependencyError, match="install the extra openvino"):
        stand.backend("openvino")
    with pytest.raises(InputError, match=r"The backend is 'onnx'; give one of auto, torch, openvino\."):
        stand.backend("onnx")


def test_a_network_without_a_prepared_copy_is_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    with pytest.raises(InputError, match="no copy prepared"):
        stand.backend("openvino").network_for(stand.network, SIZE, 1, 1)
    backend = stand.backend()
    assert backend.network_for(stand.network, SIZE, 10**6, 10**6) is stand.network


def test_inner_maps_are_shown_by_a_network_of_torch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = Stand(monkeypatch)
    image, states, mask = asked(1)
    with torch.inference_mode():
        expected = stand.running(image, states, mask)
    backend = Backend("openvino", Checkpoint(stand.network, None, Path("nowhere"), "b" * 64))  # type: ignore[arg-type]
    other = backend.network_for(stand.running, SIZE, 1, 1)
    assert isinstance(other, OpenVINONetwork)
    with torch.inference_mode():
        found = backend.back_to_torch(other)(image, states, mask)
    assert backend.name == "torch" and found.maps.keys() == expected.maps.keys() and len(found.maps) > 10
    torch.testing.assert_close(found.logits, expected.logits)
