"""What ``speed_benchmark.py`` measures of volumes: seconds end to end, memory, and masks of the bundled weights."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import speed_networks as nets
import torch
from speed_measures import Times, card, chest, peak_megabytes, precisions

from LMISCore.checkpoints.store import Checkpoint
from LMISCore.inference.predictor import Predictor
from LMISCore.inference.slices import SlicePictures, prepare_slices
from LMISCore.resources import resource
from LMISCore.text.report import parse_report
from LMISCore.volumes.files import read_volume


def base_volume(base: nets.Base, pictures: SlicePictures, count: int, sentence: str) -> np.ndarray:
    """The base's masks of the first ``count`` slices, ``(count, H, W)``, image by image."""
    masks = np.zeros((count, *pictures.shape), dtype=bool)
    with torch.no_grad():
        for index in range(count):
            probability = base(torch.from_numpy(pictures.batch([index])), sentence).sigmoid()[0, 0]
            masks[index] = pictures.frame.restore(probability.numpy()) >= 0.5
    return masks


def volume(name: str, weights: str, slices: int, base_slices: int, rounds: int) -> dict[str, Any]:
    """Seconds of a volume end to end, one and five sentences, between two runs of the base on ``base_slices`` of it."""
    encoder = nets.RandomClip()
    network = nets.build(name, Path(weights))
    whole = chest(slices)
    checkpoint = Checkpoint(network, card(network, encoder), Path("benchmark"), "b" * 64)
    base = nets.Base(network, encoder)
    masks: dict[str, np.ndarray] = {}

    def run_base() -> None:
        masks["base"] = base_volume(base, prepare_slices(whole, checkpoint.card.image), base_slices, nets.SENTENCES[0])

    def run_ours(predictor: Predictor, count: int, label: str) -> None:
        result = predictor.segment(whole, " ".join(nets.SENTENCES[:count]), skip_air=False)
        mask = result.rows[0].mask
        if count == 1:
            masks[label] = np.zeros(whole.array.shape, dtype=bool) if mask is None else mask

    runs: dict[str, Callable[[], object]] = {"base": run_base}
    fastest = list(precisions())[-1]
    for label in precisions():
        predictor = Predictor(checkpoint, "cpu", precision=label, encoder=encoder)
        # Five sentences in the fastest arithmetic alone: in both it would take longer than all the rest.
        for count in (1, 5) if label == fastest else (1,):
            runs[f"{label}, {count}"] = functools.partial(run_ours, predictor, count, label)
    seconds: Times = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in [*runs.items(), ("base", run_base)]:
            started = time.perf_counter()
            run()
            seconds[key].append(time.perf_counter() - started)
    scale = slices / base_slices
    seconds["base"] = [value * scale for value in seconds["base"]]
    pictures = prepare_slices(whole, checkpoint.card.image)
    flipped = {
        label: float((pictures.canonical.from_native(masks[label])[:base_slices] != masks["base"]).mean())
        for label in precisions()
    }
    return {"seconds": seconds, "slices": slices, "base_slices": base_slices, "flipped": flipped}


def volume_memory(name: str, weights: str, slices: int) -> dict[str, float]:
    """Peak memory of a volume with one sentence in the processor's fastest arithmetic, and what was said before."""
    network = nets.build(name, Path(weights), slim=True)
    # A sentence's states as they lie in the cache: the text tower is not part of a run whose sentences are known.
    encoder = nets.KnownStates()
    checkpoint = Checkpoint(network, card(network, encoder), Path("benchmark"), "b" * 64)
    label = list(precisions())[-1]
    predictor = Predictor(checkpoint, "cpu", precision=label, encoder=encoder)
    del network, checkpoint
    whole = chest(slices)
    before = peak_megabytes()
    estimate = predictor.estimate_memory(whole, 1).total / 1e6
    predictor.segment(whole, nets.SENTENCES[0])
    return {"before": before, "peak": peak_megabytes(), "estimate": estimate, "volume": whole.array.nbytes / 1e6}


def bundled_masks(slices: int = 12) -> dict[str, Any]:
    """Share of pixels on which the bundled weights' masks differ from those of the network run plainly in float32.

    On slices spread evenly over the sample volume, and all sentences of its report.
    """
    volume = read_volume(resource("sample", "chest_ct.nrrd"))
    report = parse_report(resource("sample", "report.txt").read_text(encoding="utf-8"))
    sentences = [sentence.text for field in report.fields for sentence in field.sentences]
    plain = Predictor(device="cpu", prepared=False)
    pictures = prepare_slices(volume, plain.card.image)
    chosen = sorted({int((n + 0.5) * pictures.count / slices) for n in range(slices)})
    images = pictures.batch(chosen)
    found: dict[str, Any] = {"sentences": len(sentences), "slices": len(chosen)}
    expected = plain.network_probability(images, sentences) >= 0.5
    found["positive"] = float(expected.mean())
    for label in precisions():
        masks = Predictor(device="cpu", precision=label).network_probability(images, sentences) >= 0.5
        found[label] = float((masks != expected).mean())
        found[f"{label} pixels"] = int((masks != expected).sum())
    return found
