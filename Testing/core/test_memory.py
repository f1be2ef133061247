"""Memory of inference: loading holds weights once, freed memory goes back, and the estimate is what a process takes."""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from checkpoint_makers import make_card
from obedient import one_thread  # noqa: F401

from LMISCore.checkpoints.store import save_checkpoint
from LMISCore.inference import allocator
from LMISCore.inference.devices import DeviceChoice, choose_precision
from LMISCore.inference.engine import Engine
from LMISCore.inference.memory import packed_weight_bytes, weight_bytes
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_layers import Convolution, fused_kernels
from LMISCore.networks import create_network, without_training_parts
from LMISCore.text.states import TextStates

pytestmark = pytest.mark.usefixtures("one_thread")

LINUX = sys.platform.startswith("linux")
# Peak and present resident memory in MB, and a peak counted from now on.
PROCESS = """
import json, sys
def resident(what):
    values = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(values[what].split()[0]) * 1024 / 1e6
"""
LOADING = (
    PROCESS
    + """
from LMISCore.checkpoints.store import load_checkpoint
import torch
before = resident("VmRSS")
network = load_checkpoint(sys.argv[1]).network
weights = sum(value.nbytes for value in network.state_dict().values()) / 1e6
print(json.dumps([resident("VmHWM") - before, weights]))
"""
)
ESTIMATE = (
    PROCESS
    + """
import numpy as np, torch
from LMISCore.checkpoints.files import bundled_checkpoint, read_card
from LMISCore.inference.predictor import Predictor
from LMISCore.text.states import TextEncoder
from LMISCore.volumes.volume import Geometry, Volume

class Known(TextEncoder):
    def __init__(self, card):
        super().__init__(torch.nn.Identity(), "cpu")
        self.name, self.length = "known", 9
        self.width, self.hash = card.text_encoder["width"], card.text_encoder["hash"]
    def _tokenise(self, sentence):
        return torch.ones(1, 9, dtype=torch.int64), torch.ones(1, 9, dtype=torch.bool)
    def _hidden(self, ids, mask):
        return torch.linspace(-1, 1, 9 * self.width).view(1, 9, self.width)

values = np.random.default_rng(0).integers(-900, 100, (5, 96, 96)).astype(np.int16)
volume = Volume(values, Geometry((96, 96, 5), (2.0, 2.0, 5.0)), "noise", "made up")
before = resident("VmRSS")
encoder = Known(read_card(bundled_checkpoint()))
predictor = Predictor(device="cpu", precision=sys.argv[1], encoder=encoder, backend="torch")
said = predictor.estimate_memory(volume, 1).total / 1e6
predictor.segment(volume, "Infection in the left lung.", skip_air=False)
print(json.dumps([resident("VmHWM") - before, said]))
"""
)


def child(program: str, argument: str) -> list[float]:
    """What a program in a process of its own prints."""
    environment = {key: value for key, value in os.environ.items() if key not in allocator.VARIABLES}
    environment["OMP_NUM_THREADS"] = "1"
    run = [sys.executable, "-c", program, argument]
    done = subprocess.run(run, env=environment, capture_output=True, encoding="utf-8", check=True)
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.skipif(not LINUX, reason="needs /proc")
def test_loading_a_checkpoint_takes_little_more_memory_than_its_weights(tmp_path: Path) -> None:
    network = create_network("reclmis", width=48, text_width=6, auxiliary=False).eval()
    card = dataclasses.replace(make_card(network), network="reclmis")
    path = save_checkpoint(tmp_path / "large.safetensors", network, card).path
    peak, weights = child(LOADING, str(path))
    assert weights > 35
    assert peak < 2.1 * weights


@pytest.mark.skipif(not LINUX, reason="needs /proc")
def test_the_estimate_is_near_the_peak_of_a_process_and_above_it() -> None:
    peak, said = child(ESTIMATE, "fp32")
    # Measured: 1.55 with these small weights, 1.04 to 1.3 with larger ones; other processors have other kernels.
    assert 0.95 * peak < said < 1.75 * peak


@pytest.mark.parametrize("name", ["tirnet", "reclmis"])
def test_weights_are_counted_as_they_will_be_packed(name: str) -> None:
    network = create_network(name, width=32, text_width=8).eval()
    prepared = prepare(network, torch.float32)
    assert prepared is not None
    plain, said = weight_bytes(prepared), packed_weight_bytes(prepared, (176, 170))
    image, states = torch.rand(1, 3, 176, 170), torch.randn(1, 3, 8)
    with torch.inference_mode():
        prepared(image, states, torch.ones(1, 3, dtype=torch.bool))
    # TIRNet also keeps waves of the map's own size.
    assert said == pytest.approx(weight_bytes(prepared), rel=0.03)
    assert (said > 1.2 * plain) == fused_kernels(torch.float32)
    assert packed_weight_bytes(prepared, (176, 170)) == weight_bytes(prepared)


def features_of(engine: Engine) -> torch.Tensor:
    pictures = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)).numpy()
    states = TextStates(torch.linspace(-1, 1, 24).view(1, 3, 8), torch.ones(1, 3, dtype=torch.bool))
    return engine.output(engine.features(pictures), states).logits


@pytest.mark.parametrize("name", ["tirnet", "reclmis", "tmca"])
def test_a_network_is_kept_or_let_go_as_asked_and_answers_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = (
        create_network(name, width=8, text_width=8).train() if name != "tmca" else create_network(name, text_width=8)
    )
    network = without_training_parts(network)
    before = copy.deepcopy(network.state_dict())
    processor, single = DeviceChoice("cpu", "asked"), choose_precision("fp32", "cpu")
    kept = features_of(Engine(network, processor, single, (32, 32)))
    assert network.training and all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    let_go = Engine(network, processor, single, (32, 32), keep=False)
    assert torch.equal(features_of(let_go), kept)
    if name != "tmca":
        assert sum(p.numel() for p in network.parameters()) < sum(v.numel() for v in before.values()) / 3


def test_a_sum_may_be_written_into_the_map_that_was_added() -> None:
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.bfloat16):
        layer = Convolution(torch.randn(16, 16, 1, 1), None, "gelu", dtype)
        x, other = (torch.randn(1, 16, 24, 24).to(dtype).contiguous(memory_format=torch.channels_last) for _ in "ab")
        with torch.inference_mode():
            expected, untouched = layer(x, other), other.clone()
            assert torch.equal(other, untouched)
            found = layer(x, other, reuse=True)
        assert torch.equal(found, expected)
        assert (found.data_ptr() == other.data_ptr()) == layer.fused


@pytest.mark.parametrize("name", ["reclmis", "tmca"])
def test_taking_training_parts_away_draws_no_random_numbers(name: str) -> None:
    network = create_network(name, text_width=8, **({"width": 4} if name == "reclmis" else {}))
    before = torch.get_rng_state()
    stripped = without_training_parts(network)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(value.is_meta for value in stripped.state_dict().values())
    assert len(stripped.state_dict()) < len(network.state_dict())


FREEING = (
    PROCESS
    + """
import ctypes
from LMISCore.inference.allocator import give_back_freed_memory
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
blocks = [library.malloc(100_000) for _ in range(600)]
for block in blocks:
    ctypes.memset(block, 1, 100_000)
# The last one stays, so that the heap cannot shrink from its end.
for block in blocks[:-1]:
    library.free(block)
before = resident("VmRSS")
given = give_back_freed_memory()
print(json.dumps([given, before - resident("VmRSS")]))
"""
)


@pytest.mark.skipif(not LINUX, reason="needs /proc")
def test_freed_memory_goes_back_to_the_system() -> None:
    given, less = child(FREEING, "")
    assert bool(given) == (platform.libc_ver()[0] == "glibc")
    assert less > 50 or not given


@pytest.mark.parametrize("name", allocator.VARIABLES)
def test_an_allocator_that_the_user_has_set_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the library was asked"))
    assert not allocator.give_back_freed_memory()


def test_another_c_library_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in allocator.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    other = SimpleNamespace(malloc_trim=lambda size: pytest.fail("was asked"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: other)
    assert not allocator.give_back_freed_memory()
