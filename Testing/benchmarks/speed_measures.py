"""What ``speed_benchmark.py`` measures, each in a process of its own: ceilings, images, sentences, volumes, memory."""

from __future__ import annotations

import functools
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import speed_networks as nets
import torch
from segment_benchmark import made_up_chest
from speed_count import gflop, gflop_of_products
from torch import Tensor

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint, save_checkpoint
from LMISCore.inference.devices import choose_precision
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.prepared_layers import Convolution
from LMISCore.inference.slices import prepare_slices
from LMISCore.text.states import TextStates
from LMISCore.volumes.volume import Geometry, Volume

Times = dict[str, list[float]]
IMAGE = {"convention": "lung", "plane": "axial", "orientation": "head up", "colour": "grey"}


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def interleaved(runs: dict[str, Callable[[], object]], rounds: int) -> Times:
    """Seconds of each run, A B A B: a machine that slows down slows them alike. The first round is not counted."""
    seconds: Times = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def precisions() -> dict[str, torch.dtype]:
    """float32, and bfloat16 where the processor multiplies in it."""
    fast = choose_precision("auto", "cpu").dtype
    return {"fp32": torch.float32} | ({} if fast is None else {"bf16": fast})


def ceilings(rounds: int) -> dict[str, Any]:
    """What the machine can do at most: GFLOP/s of 3x3 convolutions and matrix products, GB/s of a copy.

    The convolutions are the networks' own, from 64 channels at 224 x 224 to 512 at 28 x 28, direct and with packed
    weights; the best of them is the ceiling.
    """
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for name, dtype in precisions().items():
            runs: dict[str, Callable[[], object]] = {}
            work: dict[str, float] = {}
            for channels, side in ((64, 224), (128, 112), (256, 56), (512, 28)):
                x = torch.randn(1, channels, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
                layer = Convolution(torch.randn(channels, channels, 3, 3), torch.zeros(channels), "relu", dtype)
                layer.may_winograd = False
                label = f"convolution {channels} at {side}"
                runs[label] = functools.partial(layer, x)
                work[label] = 2 * 9 * channels**2 * side**2 / 1e9
            square = torch.randn(2048, 2048, dtype=dtype)
            runs["matmul"], work["matmul"] = functools.partial(torch.mm, square, square), 2 * 2048**3 / 1e9
            rates = {label: work[label] / min(times) for label, times in interleaved(runs, rounds).items()}
            found[name] = {
                "convolution": max(rate for label, rate in rates.items() if label != "matmul"),
                "matmul": rates["matmul"],
                "each": rates,
            }
        source = torch.randn(32 * 1024**2)
        target = torch.empty_like(source)
        times = interleaved({"copy": lambda: target.copy_(source)}, rounds)["copy"]
        found["copy"] = 2 * source.nbytes / min(times) / 1e9
    found["threads"] = torch.get_num_threads()
    return found


def chest(slices: int, size: int = 512) -> Volume:
    """A made-up chest in HU."""
    return Volume(made_up_chest(slices, size), Geometry((size, size, slices), (0.7, 0.7, 1.5)), "chest", "made up")


def card(network: Any, encoder: Any, size: int = nets.SIZE) -> Card:
    """A card for random weights."""
    return Card(
        name="benchmark",
        network=network.name,
        network_options=network.options,
        text_encoder={"name": encoder.name, "hash": encoder.hash, "width": encoder.width, "length": encoder.length},
        image=IMAGE | {"size": [size, size]},
        modality="CT",
        vocabulary={
            "findings": {"infection": []},
            "places": ["left", "right", "posterior", "anterior"],
            "sentences_seen": 2,
        },
        thresholds={"mask": 0.5, "presence": 0.0},
    )


def picture(size: int = nets.SIZE) -> Tensor:
    """One slice of the made-up chest as the network sees it, ``(1, 3, size, size)``."""
    return torch.from_numpy(prepare_slices(chest(1), IMAGE | {"size": [size, size]}).batch([0]).copy())


def teach(name: str, weights: str, steps: int) -> None:
    """Give a network short training, once; see ``train_shortly``."""
    side = 64
    image = picture(side)
    # Two pictures so that normalisation over the batch has something to do.
    pictures = torch.cat([image, image.flip(2)])
    bright = (pictures[:, :1] > 0.2) & (pictures[:, :1] < 0.7)
    half = torch.zeros(side, side, dtype=torch.bool)
    half[:, side // 2 :] = True
    # The patient's left lies at the right edge of an axial slice.
    masks = torch.stack([bright[0] & half, bright[0] & ~half]).float()
    nets.train_shortly(name, nets.RandomClip(), pictures[:1].repeat(2, 1, 1, 1), masks, steps, Path(weights))


def one_image(name: str, weights: str, rounds: int, with_compile: bool) -> dict[str, Any]:
    """Seconds of one 224 x 224 image by every switch and path, and the share of its mask that differs from the base."""
    encoder = nets.RandomClip()
    network = nets.build(name, Path(weights))
    image = picture()
    runs: dict[str, Callable[[], object]] = {}
    made: dict[str, float] = {}
    masks: dict[str, Tensor] = {}
    kinds: dict[str, str] = {}
    for switch in nets.switches(with_compile and name != "tmca"):
        if switch.name == "dead work gone" and name != "reclmis":
            continue
        if name == "tmca" and switch.name in nets.WITH_A_CHOICE_OF_KERNELS:
            continue
        started = time.perf_counter()
        run = switch.build(network, encoder, image)
        masks[switch.name] = run() > 0
        made[switch.name] = time.perf_counter() - started
        runs[switch.name], kinds[switch.name] = run, switch.kind
    base = nets.Base(network, encoder)
    # TMCA's copy has its own kernels always, and the counter does not know them.
    whole = name == "tmca"
    plain: Any = (
        nets.Base(network, encoder, True, False) if whole else nets.Prepared(network, encoder, torch.float32, False)
    )
    with torch.no_grad():
        plain(image, nets.SENTENCES[0])
    best = nets.Prepared(network, encoder, torch.float32)
    best(image, nets.SENTENCES[0])
    expected = masks["base"]
    return {
        "seconds": interleaved(runs, rounds),
        "kinds": kinds,
        "ready_seconds": made,
        "flipped": {key: float((mask != expected).float().mean()) for key, mask in masks.items()},
        "positive": float(expected.float().mean()),
        "gflop": gflop(lambda: base(image, nets.SENTENCES[0])),
        "gflop_needed": gflop(lambda: plain(image, nets.SENTENCES[0])),
        "gflop_products": gflop_of_products(best.network, lambda: best(image, nets.SENTENCES[0])),
    }


def sentences(name: str, weights: str, rounds: int) -> dict[str, Any]:
    """Seconds of one image asked K sentences, K from 1 to 5, whose text is known."""
    encoder = nets.RandomClip()
    network = nets.build(name, Path(weights))
    image = picture().contiguous(memory_format=torch.channels_last)
    found: dict[str, Any] = {}
    for label, dtype in precisions().items():
        call = nets.Prepared(network, encoder, dtype)
        runs: dict[str, Callable[[], object]] = {
            str(count): functools.partial(call, image, *nets.SENTENCES[:count]) for count in range(1, 6)
        }
        with torch.inference_mode():
            found[label] = interleaved(runs, rounds)
    return found


def store(name: str, weights: str) -> None:
    """Write the network as a checkpoint for inference, which :func:`memory` loads as anybody would."""
    network = nets.build(name, Path(weights), slim=True)
    save_checkpoint(_stored(name, weights), network, card(network, nets.KnownStates()))


def _stored(name: str, weights: str) -> Path:
    return Path(weights) / f"{name}-inference.safetensors"


def memory(name: str, weights: str, what: str) -> dict[str, float]:
    """Peak memory of one image, loading included, beside what Python and torch take by themselves."""
    before = peak_megabytes()
    image = picture()
    if what == "base":
        call = nets.Base(nets.build(name, Path(weights)), nets.RandomClip())
        with torch.no_grad():
            for _ in range(3):
                call(image, nets.SENTENCES[0])
    else:
        # The sentence's states as they lie in the cache; the text tower is not part of a run whose sentences are known.
        encoder = nets.KnownStates()
        predictor = Predictor(_stored(name, weights), "cpu", precision=what, encoder=encoder, backend="torch")
        pictures, states = image.numpy(), encoder.encode(nets.SENTENCES[:1])
        for _ in range(3):
            predictor.engine.output(predictor.engine.features(pictures), states)
    return {"before": before, "peak": peak_megabytes()}


def growth(name: str, weights: str, rounds: int) -> dict[str, Any]:
    """Seconds of the fastest path against image side and tokens, and of a volume end to end against its slices."""
    label = list(precisions())[-1]
    network = nets.build(name, Path(weights))
    best: Any = nets.Prepared(network, nets.RandomClip(), precisions()[label])
    runs: dict[str, Callable[[], object]] = {}
    for side in (224, 384, 512):
        image = picture(side).contiguous(memory_format=torch.channels_last)
        runs[f"side {side}"] = functools.partial(best, image, nets.SENTENCES[0])
    features_of = picture().contiguous(memory_format=torch.channels_last)
    for tokens in (8, 18, 64, 128):
        states, mask = torch.randn(1, tokens, 512), torch.ones(1, tokens, dtype=torch.bool)
        best.texts[f"{tokens} tokens"] = TextStates(states, mask)
        runs[f"tokens {tokens}"] = functools.partial(best, features_of, f"{tokens} tokens")
    with torch.inference_mode():
        seconds = interleaved(runs, rounds)
    encoder = nets.KnownStates()
    checkpoint = Checkpoint(network, card(network, encoder), Path("benchmark"), "b" * 64)
    predictor = Predictor(checkpoint, "cpu", precision=label, encoder=encoder)
    volumes: dict[str, Callable[[], object]] = {
        f"slices {count}": functools.partial(predictor.segment, chest(count), nets.SENTENCES[0], skip_air=False)
        for count in (8, 16, 32)
    }
    seconds |= interleaved(volumes, 1)
    return {"precision": label, "best": {key: min(values) for key, values in seconds.items()}}
