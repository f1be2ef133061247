"""The speed benchmark: its base is the released arithmetic, runs take turns, and its tables say what was measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import speed_measures
import speed_networks as nets
import speed_release
import speed_report
import speed_training
import torch
from obedient import one_thread  # noqa: F401
from speed_count import gflop, gflop_of_products

from LMISCore.inference.devices import choose_precision
from LMISCore.inference.prepared_layers import Convolution
from LMISCore.networks import create_network

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder() -> nets.RandomClip:
    return nets.RandomClip()


def small(name: str, weights: Path | None = None, slim: bool = False) -> Any:
    torch.manual_seed(1)
    return create_network(name, width=4, text_width=512, variant="release").eval()


@pytest.mark.parametrize("name", sorted(nets.RELEASED_GFLOP))
def test_the_base_does_the_released_amount_of_work(name: str, encoder: nets.RandomClip) -> None:
    base = nets.Base(nets.build(name), encoder)
    counted = gflop(lambda: base(torch.rand(1, 3, nets.SIZE, nets.SIZE), nets.SENTENCES[0]))
    assert counted == pytest.approx(nets.RELEASED_GFLOP[name], rel=0.02)


def test_a_base_without_its_text_tower_and_its_dead_work_counts_less(encoder: nets.RandomClip) -> None:
    image = torch.rand(1, 3, 32, 32)
    network = small("reclmis")
    whole = nets.Base(network, encoder)
    known = nets.Base(network, encoder, text_once=True)
    known(image, nets.SENTENCES[0])
    alive = nets.Base(network, encoder, dead_work=False)
    counts = [gflop(lambda run=run: run(image, nets.SENTENCES[0])) for run in (whole, known, alive)]  # type: ignore[misc]
    assert counts[1] < counts[0] and counts[2] < counts[0]


def test_the_best_path_marks_what_the_base_marks(encoder: nets.RandomClip) -> None:
    image = torch.rand(1, 3, 48, 48)
    for name in nets.RELEASED_GFLOP:
        network = small(name)
        base, best = nets.Base(network, encoder), nets.Prepared(network, encoder, torch.float32)
        with torch.inference_mode():
            expected = torch.cat([base(image, sentence) for sentence in nets.SENTENCES[:2]])
            torch.testing.assert_close(best(image, *nets.SENTENCES[:2]), expected, rtol=1e-3, atol=1e-3)


def test_runs_take_turns_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    times = speed_measures.interleaved({name: lambda name=name: order.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert "".join(order) == "abababab" and [len(values) for values in times.values()] == [3, 3]


def test_ratios_and_shares_are_those_of_best_and_median() -> None:
    assert speed_report.ratio([4.0, 2.0, 9.0], [1.0, 0.5, 2.0]) == "4.00 / 4.00"
    assert speed_report.ratio([3.0, 3.0, 6.0], [1.0, 3.0, 3.0]) == "3.00 / 1.00"
    direct, winograd = "prepared copy, packed kernels, fp32", "prepared copy, Winograd, fp32"
    image = {
        "seconds": {"base": [0.5, 0.6], direct: [0.25, 0.3], winograd: [0.2, 0.24]},
        "kinds": {"base": "base", direct: "path", winograd: "path"},
        "flipped": {"base": 0.0, direct: 0.0, winograd: 0.0},
        "ready_seconds": {"base": 1.0, direct: 2.0, winograd: 2.0},
        "gflop": 50.0,
        "gflop_needed": 40.0,
        "gflop_products": 30.0,
    }
    result = {
        "machine": {"cpus": 2, "threads": 2, "torch": "2", "system": "Linux"},
        "ceilings": {"fp32": {"convolution": 200.0, "matmul": 100.0}, "copy": 10.0},
        "networks": {"tirnet": {"one-image": image}},
    }
    lines = speed_report.markdown(result).splitlines()
    # 50 GFLOP in 0.5 s are half of 200 GFLOP/s; 40 of them take 0.2 s at best, four fifths of 0.25 s, and Winograd's 30
    # take 0.15 s.
    assert any("runs at 100 GFLOP/s, 50 % of the convolution ceiling" in line for line in lines)
    assert any(line.startswith(f"| {direct} ") and "| 2.00 / 2.00 | 80 % |" in line for line in lines)
    assert any(line.startswith(f"| {winograd} ") and "| 2.50 / 2.50 | 75 % |" in line for line in lines)


def test_products_are_counted_as_they_run(encoder: nets.RandomClip) -> None:
    torch.manual_seed(1)
    network: Any = create_network("tirnet", width=32, text_width=512, variant="release").eval()
    image = torch.rand(1, 3, 112, 112)
    counts = {}
    for winograd in (False, True):
        call = nets.Prepared(network, encoder, torch.float32, winograd=winograd)
        call(image, nets.SENTENCES[0])
        counts[winograd] = gflop_of_products(call.network, lambda call=call: call(image, nets.SENTENCES[0]))  # type: ignore[misc]
    plain = nets.Prepared(network, encoder, torch.float32, fused=False)
    plain(image, nets.SENTENCES[0])
    needed = gflop(lambda: plain(image, nets.SENTENCES[0]))
    assert counts[False] == pytest.approx(needed, rel=1e-6)
    assert (counts[True] < 0.99 * needed) == any(layer.winograd is not None for layer in convolutions(call.network))


def convolutions(network: Any) -> list[Convolution]:
    return [module for module in network.modules() if isinstance(module, Convolution)]


def test_a_released_checkout_is_timed_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: nets.RandomClip
) -> None:
    (tmp_path / "their_model.py").write_text(
        "import torch\n\n\nclass Model(torch.nn.Module):\n    def __init__(self, width):\n        super().__init__()\n"
        "        self.layer = torch.nn.Conv2d(3, width, 1)\n\n    def forward(self, image, ids, mask):\n"
        "        assert ids.shape == mask.shape == (1, 18)\n        return self.layer(image)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(nets, "build", small)
    monkeypatch.setattr(nets, "RandomClip", lambda: encoder)
    monkeypatch.setattr(speed_release, "picture", lambda: torch.rand(1, 3, 32, 32))
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = speed_release.released(
        str(tmp_path), "their_model:Model", '{"width": 5}', "image,ids,mask", "tirnet", "", 1
    )
    assert set(found["seconds"]) == {"released", "base", "prepared copy, Winograd, fp32"}
    assert found["gflop"] == pytest.approx(2 * 3 * 5 * 32 * 32 / 1e9)
    with pytest.raises(SystemExit, match="names words; expected some of image"):
        speed_release.released(str(tmp_path), "their_model:Model", '{"width": 5}', "words", "tirnet", "", 1)


def test_a_training_step_with_all_switches_learns_as_the_base_does() -> None:
    if choose_precision("auto", "cpu").dtype is None:
        return
    losses = {}
    for what in ("base", "all but the allocator"):
        run = speed_training.Steps("tirnet", speed_training.SETTINGS[what], batch=2, size=32, width=8)
        losses[what] = [run.step(run.data()) for _ in range(12)]
    first, second = losses.values()
    assert first[-1] < first[0]
    torch.testing.assert_close(torch.tensor(second), torch.tensor(first), rtol=0.05, atol=0.02)
