"""Seconds and peak memory of segmenting a made-up chest volume, each measurement in a process of its own.

    python Testing/benchmarks/segment_benchmark.py --out benchmark.json

Three settings for each number of slices: one sentence with its embedding cached on disk, the same uncached, and five
sentences. They are measured in turn, round after round, so that a machine that slows down slows them alike; what is
compared are ratios within a round. Read the ratios: seconds on their own belong to one machine on one day.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS = {
    "one sentence, cached": {"sentences": 1, "cached": True},
    "one sentence, uncached": {"sentences": 1, "cached": False},
    "five sentences, cached": {"sentences": 5, "cached": True},
}
BASE = "one sentence, cached"
PLACES = ("left lung", "right lung", "posterior left lung", "posterior right lung", "anterior right lung")


def made_up_chest(slices: int, size: int) -> np.ndarray:
    """``(slices, size, size)`` int16 in HU: a body with two lungs and grainy patches in them."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size - 0.5
    body = (x / 0.46) ** 2 + (y / 0.36) ** 2 < 1
    lungs = ((np.abs(x) - 0.2) / 0.14) ** 2 + (y / 0.26) ** 2 < 1
    plain = np.where(lungs, -850, np.where(body, 40, -1000)).astype(np.int16)
    volume = np.repeat(plain[None], slices, axis=0)
    patch = lungs & (y > 0.05) & (y < 0.2)
    for picture in volume:
        picture += generator.integers(-40, 41, (size, size), dtype=np.int16)
        picture[patch] += generator.integers(300, 601, int(patch.sum()), dtype=np.int16)
    return volume


def peak_megabytes() -> float:
    """Largest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def measure(
    checkpoint: str | None, slices: int, size: int, sentences: int, cache: str | None, device: str
) -> dict[str, Any]:
    """Segment once and return seconds of loading, text and segmenting, and memory before and at the peak."""
    from LMISCore.inference.predictor import Predictor
    from LMISCore.volumes.volume import Geometry, Volume

    array = made_up_chest(slices, size)
    volume = Volume(array, Geometry((size, size, slices), (0.7, 0.7, 1.5)), "chest", "made up")
    started = time.perf_counter()
    predictor = Predictor(checkpoint, device, cache_folder=cache)
    finding = next(iter(predictor.card.vocabulary["findings"]), "finding")
    asked = [f"{finding[:1].upper()}{finding[1:]} in the {place}." for place in PLACES[:sentences]]
    # Loads the encoder, which both the cached and the uncached case need for its hash.
    text_cache = predictor.cache
    loaded = time.perf_counter()
    before = peak_megabytes()
    text_cache.states(asked)
    read = time.perf_counter()
    result = predictor.segment(volume, " ".join(asked))
    done = time.perf_counter()
    answered = sum(row.presence is not None for row in result.rows)
    if answered != sentences:
        raise SystemExit(
            f"{answered} of {sentences} sentences were asked; the measurement would not say what it claims"
        )
    return {
        "load_seconds": loaded - started,
        "text_seconds": read - loaded,
        "segment_seconds": done - read,
        "loaded_megabytes": before,
        "peak_megabytes": peak_megabytes(),
        "volume_megabytes": array.nbytes / 1e6,
        "device": predictor.engine.device.name,
        "batch_size": predictor.engine.batch_size,
        "network_size": list(predictor.card.image_size),
        "checkpoint": predictor.card.name,
    }


def in_own_process(options: argparse.Namespace, slices: int, sentences: int, cache: str | None) -> dict[str, Any]:
    """Run :func:`measure` in a fresh interpreter, so that peak memory is its own."""
    question = {
        "checkpoint": options.checkpoint,
        "slices": slices,
        "size": options.size,
        "sentences": sentences,
        "cache": cache,
        "device": options.device,
    }
    command = [sys.executable, __file__, "--measure", json.dumps(question)]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    finished = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    if finished.returncode:
        raise SystemExit(f"a measurement failed:\n{finished.stderr}")
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all settings in turn, ``options.repeats`` rounds."""
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for slices in options.slices:
            # Fills the disk cache, and the system's file cache, for everybody alike; not counted.
            in_own_process(options, 1, max(s["sentences"] for s in SETTINGS.values()), folder)
            for number in range(options.repeats):
                for name, setting in SETTINGS.items():
                    cache = folder if setting["cached"] else None
                    found = in_own_process(options, slices, int(setting["sentences"]), cache)
                    rounds.append({"slices": slices, "round": number, "setting": name, **found})
                    print(
                        f"{slices} slices, round {number + 1}, {name}: {found['segment_seconds']:.1f} s",
                        file=sys.stderr,
                    )
    return {
        "size": options.size,
        "repeats": options.repeats,
        "machine": {"cpus": os.cpu_count(), "system": platform.system(), "python": platform.python_version()},
        "measurements": rounds,
        "ratios": ratios(rounds),
    }


def ratios(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each setting over the base of its own round: median, smallest and largest."""
    base = {(r["slices"], r["round"]): r for r in rounds if r["setting"] == BASE}
    found = []
    for slices, name in dict.fromkeys((r["slices"], r["setting"]) for r in rounds if r["setting"] != BASE):
        mine = [r for r in rounds if (r["slices"], r["setting"]) == (slices, name)]
        row: dict[str, Any] = {"slices": slices, "setting": name, "over": BASE, "rounds": len(mine)}
        for key in ("text_seconds", "segment_seconds", "peak_megabytes"):
            values = [r[key] / base[slices, r["round"]][key] for r in mine]
            row[key] = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
        found.append(row)
    return found


def markdown(result: dict[str, Any]) -> str:
    """Two tables: what was measured (medians), and the ratios."""
    rounds = result["measurements"]
    first = rounds[0]
    lines = [
        f"{first['checkpoint']}, network picture {' x '.join(map(str, first['network_size']))}, slices of "
        f"{result['size']} x {result['size']}, {first['device']}, {result['machine']['cpus']} CPUs, medians of "
        f"{result['repeats']} round(s)",
        "",
        "| slices | setting | text, s | segmenting, s | s a slice | loaded, MB | peak, MB | of it the volume, MB |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for slices, name in dict.fromkeys((r["slices"], r["setting"]) for r in rounds):
        mine = [r for r in rounds if (r["slices"], r["setting"]) == (slices, name)]
        middle = {
            key: statistics.median(r[key] for r in mine)
            for key in ("text_seconds", "segment_seconds", "loaded_megabytes", "peak_megabytes", "volume_megabytes")
        }
        lines.append(
            f"| {slices} | {name} | {middle['text_seconds']:.4f} | {middle['segment_seconds']:.1f} | "
            f"{middle['segment_seconds'] / slices:.3f} | {middle['loaded_megabytes']:.0f} | "
            f"{middle['peak_megabytes']:.0f} | {middle['volume_megabytes']:.0f} |"
        )
    lines += [
        "",
        f'| slices | setting over "{BASE}" | text | segmenting | peak memory |',
        "| --- | --- | --- | --- | --- |",
    ]
    for row in result["ratios"]:
        cells = [
            f"{row[key]['median']:.2f} ({row[key]['lowest']:.2f} to {row[key]['highest']:.2f})"
            for key in ("text_seconds", "segment_seconds", "peak_megabytes")
        ]
        lines.append(f"| {row['slices']} | {row['setting']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", help="folder or .safetensors file (default: the bundled weights)")
    parser.add_argument("--slices", type=int, nargs="+", default=[64, 200], help="volumes to measure (default: 64 200)")
    parser.add_argument("--size", type=int, default=512, help="pixels along a slice's side (default: 512)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or mps (default: cpu)")
    parser.add_argument("--out", help="JSON file to write")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return 0
    result = run(options)
    if options.out:
        Path(options.out).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(markdown(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
