"""What ``speed_benchmark.py`` measures on a GPU: its ceilings, and images a second by every switch and path.

The base is that of the processor: the released arithmetic in float32 (without TF32), one image at a time, the text
tower anew for each. Every figure is taken between two synchronisations. The functions take any device, so that they can
be tried without a GPU; the figures of a page come from "cuda" alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import speed_networks as nets
import torch
from speed_count import gflop
from speed_measures import picture
from speed_training import SETTINGS, Steps
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.inference.prepared import prepare
from LMISCore.inference.prepared_network import PreparedNetwork

BATCHES = (1, 8, 32)
Call = Callable[[], object]


def synchronise(device: str) -> None:
    """Wait for the GPU; nothing on a processor."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds_of(run: Call, device: str, rounds: int, repeats: int = 3) -> float:
    """Seconds of one call: the best of ``rounds``, each the mean of ``repeats`` calls after one that is not counted."""
    run()
    best = float("inf")
    for _ in range(rounds):
        synchronise(device)
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        synchronise(device)
        best = min(best, (time.perf_counter() - started) / repeats)
    return best


def gpu_ceilings(device: str, rounds: int, side: int = 8192) -> dict[str, float]:
    """What the device can do at most: GFLOP/s of matrix products in float32 and bfloat16, GB/s of a copy."""
    found = {}
    with torch.inference_mode():
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            square = torch.randn(side, side, device=device).to(dtype)
            found[name] = 2 * side**3 / 1e9 / seconds_of(partial(torch.mm, square, square), device, rounds)
        source = torch.randn(4 * side**2, device=device)
        target = torch.empty_like(source)
        found["copy"] = 2 * source.nbytes / 1e9 / seconds_of(lambda: target.copy_(source), device, rounds)
    return found


def gpu_images(
    name: str, weights: str, rounds: int, device: str = "cuda", with_compile: bool = True, size: int = nets.SIZE
) -> dict[str, Any]:
    """Images a second of one network by every switch and path, with the pixels that differ from the base.

    Args:
        name: of the network.
        weights: folder of ``teach``.
        rounds: the best of so many is taken.
        device: "cuda"; another one to try the function.
        with_compile: also ``torch.compile`` the prepared copy.
        size: side of the picture.
    """
    exact = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        found = _images(name, weights, rounds, device, with_compile, size)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = exact
    return found


def _images(name: str, weights: str, rounds: int, device: str, with_compile: bool, size: int) -> dict[str, Any]:
    encoder = nets.RandomClip()
    network: Any = nets.build(name, Path(weights)).to(device)
    encoder.model.to(device)
    encoder.device = torch.device(device)
    image = picture(size).to(device)
    sentence = nets.SENTENCES[0]
    text = encoder.encode([sentence])
    states, mask = text.states.to(device), text.mask.to(device)
    base = nets.Base(network, encoder)
    alive = nets.Base(network, encoder, text_once=True, dead_work=False)
    rows: dict[str, dict[str, float]] = {}

    def add(label: str, run: Callable[[], Tensor], count: int, cast: bool) -> None:
        with torch.inference_mode(), _arithmetic(device, cast):
            marked = run()[:1].float() > 0
            rows[label] = {
                "images a second": count / seconds_of(run, device, rounds),
                "flipped": float((marked != expected).float().mean()),
            }

    with torch.inference_mode():
        expected = base(image, sentence) > 0
    add("base", lambda: base(image, sentence), 1, False)
    add("text once, dead work gone", lambda: alive(image, sentence), 1, False)
    add("bf16 autocast", lambda: base(image, sentence), 1, True)
    last = network.to(memory_format=torch.channels_last)
    for count in BATCHES:
        many = image.repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)
        wide, broad = states.expand(count, -1, -1), mask.expand(count, -1)
        for cast in (False, True):
            label = f"{'bf16' if cast else 'fp32'}, {count} at a time"
            add(f"channels last, {label}", partial(_ask, last, many, wide, broad), count, cast)
            copy: Any = prepare(network, torch.bfloat16 if cast else torch.float32)
            if not isinstance(copy, PreparedNetwork):
                continue
            copy = copy.to(device)
            copy.use_fused(False)
            add(f"prepared copy, {label}", partial(_ask, copy, many, states, mask), count, False)
            if with_compile:
                nets.compile_frozen(copy)
                add(f"torch.compile, {label}", partial(_ask, copy, many, states, mask), count, False)
    return {"rows": rows, "gflop": gflop(lambda: base(image, sentence))}


def _ask(model: Any, images: Tensor, states: Tensor, mask: Tensor) -> Tensor:
    logits: Tensor = model.decode(model.encode_image(images), states, mask).logits
    return logits


def _arithmetic(device: str, cast: bool) -> AbstractContextManager[Any]:
    return torch.autocast(torch.device(device).type, torch.bfloat16) if cast else nullcontext()


def gpu_training(
    name: str, rounds: int, device: str = "cuda", with_compile: bool = True, batch: int = 8, size: int = nets.SIZE
) -> dict[str, dict[str, float]]:
    """Pictures a second that training takes, and the device's peak memory in MB, by every switch.

    Args:
        name: of the network.
        rounds: the best of so many is taken, each the mean of three steps.
        device: "cuda"; another one to try the function, which then says no memory.
        with_compile: also with ``training.compile``.
        batch, size: pictures of a step and their side.
    """
    found: dict[str, dict[str, float]] = {}
    for label, setting in SETTINGS.items():
        # The C library's allocator has no part in a GPU's memory.
        if setting.allocator and setting.recipe.compile == "never":
            continue
        if setting.recipe.compile == "always" and not with_compile:
            continue
        try:
            run = Steps(name, setting, batch, size, device=device)
        except InputError as error:
            print(f"{name}, {label}: {error}", file=sys.stderr)
            continue
        given = run.data()
        on_gpu = device.startswith("cuda")
        if on_gpu:
            torch.cuda.reset_peak_memory_stats(device)
        seconds = seconds_of(partial(run.step, given), device, rounds)
        peak = torch.cuda.max_memory_allocated(device) / 1e6 if on_gpu else float("nan")
        found[label] = {"pictures a second": batch / seconds, "peak": peak}
    return found
