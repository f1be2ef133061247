"""Seconds and peak memory of segmenting a made-up chest volume, each measurement in a process of its own.

    python Testing/benchmarks/segment_benchmark.py --out benchmark.json
    python Testing/benchmarks/segment_benchmark.py --switches --slices 24

Three settings for each number of slices: one sentence with its embedding cached on disk, the same uncached, and five
sentences; with ``--switches`` one more for each switch of inference, beside the setting that it is a switch of. They
are measured in turn, round after round, so that a machine that slows down slows them alike; what is compared are ratios
within a round. Read the ratios: seconds on their own belong to one machine on one day.
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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Setting:
    """How a volume is segmented.

    Attributes:
        over: the setting it is compared to.
        sentences: asked.
        cached: whether embeddings and OpenVINO's graphs lie on disk already.
        air: slices of air on top of the chest's, as a share of these.
        skip_air: whether they go unasked.
        keep_memory: whether the process keeps what it frees.
        precision, prepared, backend, batch_size: as ``Predictor`` takes them.
        always: measured without ``--switches`` too.
    """

    over: str = ""
    sentences: int = 1
    cached: bool = True
    air: float = 0.0
    skip_air: bool = True
    keep_memory: bool = False
    precision: str = "auto"
    prepared: bool = True
    backend: str = "torch"
    batch_size: int | None = None
    always: bool = False


BASE, FIVE, AIR = "one sentence, cached", "five sentences, cached", "a third more slices, of air, asked"
SETTINGS = {
    BASE: Setting(always=True),
    "one sentence, uncached": Setting(BASE, cached=False, always=True),
    FIVE: Setting(BASE, sentences=5, always=True),
    "float32": Setting(BASE, precision="fp32"),
    "no prepared copy": Setting(BASE, prepared=False),
    "one slice at a time": Setting(BASE, batch_size=1),
    "freed memory kept": Setting(BASE, keep_memory=True),
    "OpenVINO": Setting(BASE, backend="openvino"),
    "OpenVINO, five sentences": Setting(FIVE, sentences=5, backend="openvino"),
    AIR: Setting(BASE, air=1 / 3, skip_air=False),
    "the same, skipped": Setting(AIR, air=1 / 3),
}
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
    checkpoint: str | None, slices: int, size: int, setting: str, folder: str, device: str, masks: str
) -> dict[str, Any]:
    """Segment once and return seconds of loading, text and segmenting, and memory before and at the peak.

    Args:
        checkpoint: None for the bundled weights.
        slices: of the chest.
        size: pixels along a slice's side.
        setting: one of ``SETTINGS``.
        folder: with what a cached setting finds on disk.
        device: as ``Predictor`` takes it.
        masks: file to write the sentences' masks to, a bit for each voxel of the chest.
    """
    from LMISCore.inference.allocator import keep_freed_memory
    from LMISCore.inference.predictor import Predictor
    from LMISCore.volumes.volume import Geometry, Volume

    how = SETTINGS[setting]
    if how.keep_memory and not keep_freed_memory():
        raise SystemExit("the allocator's settings did not take effect; is this glibc?")
    empty = np.full((round(how.air * slices), size, size), -1000, dtype=np.int16)
    array = np.concatenate([made_up_chest(slices, size), empty])
    volume = Volume(array, Geometry((size, size, len(array)), (0.7, 0.7, 1.5)), "chest", "made up")
    started = time.perf_counter()
    predictor = Predictor(
        checkpoint,
        device,
        batch_size=how.batch_size,
        cache_folder=folder if how.cached else None,
        precision=how.precision,
        prepared=how.prepared,
        backend=how.backend,
    )
    finding = next(iter(predictor.card.vocabulary["findings"]), "finding")
    asked = [f"{finding[:1].upper()}{finding[1:]} in the {place}." for place in PLACES[: how.sentences]]
    # Loads the encoder, which both the cached and the uncached case need for its hash.
    text_cache = predictor.cache
    loaded = time.perf_counter()
    before = peak_megabytes()
    text_cache.states(asked)
    read = time.perf_counter()
    result = predictor.segment(volume, " ".join(asked), skip_air=how.skip_air)
    done = time.perf_counter()
    answered = sum(row.presence is not None for row in result.rows)
    if answered != how.sentences:
        raise SystemExit(
            f"{answered} of {how.sentences} sentences were asked; the measurement would not say what it claims"
        )
    peak = peak_megabytes()
    none = np.zeros(array.shape, dtype=bool)
    found = [none if row.mask is None else row.mask for row in result.rows]
    if any(mask[slices:].any() for mask in found):
        raise SystemExit("something was found in the air; the settings with and without it cannot be compared")
    Path(masks).write_bytes(np.packbits(np.stack(found)[:, :slices]).tobytes())
    return {
        "load_seconds": loaded - started,
        "text_seconds": read - loaded,
        "segment_seconds": done - read,
        "loaded_megabytes": before,
        "peak_megabytes": peak,
        "volume_megabytes": array.nbytes / 1e6,
        "device": predictor.engine.device.name,
        "precision": predictor.engine.precision.name,
        "batch_size": predictor.engine.batch_size,
        "network_size": list(predictor.card.image_size),
        "checkpoint": predictor.card.name,
    }


def in_own_process(options: argparse.Namespace, slices: int, setting: str, folder: str) -> dict[str, Any]:
    """Run :func:`measure` in a fresh interpreter, so that peak memory is its own; the masks' file is "masks"."""
    masks = Path(folder) / f"{slices} {setting}.masks"
    question = {
        "checkpoint": options.checkpoint,
        "slices": slices,
        "size": options.size,
        "setting": setting,
        "folder": folder,
        "device": options.device,
        "masks": str(masks),
    }
    command = [sys.executable, __file__, "--measure", json.dumps(question)]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    finished = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    if finished.returncode:
        raise SystemExit(f"a measurement failed:\n{finished.stderr}")
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return {**answer, "masks": masks}


def share_that_differs(one: Path, other: Path) -> float | None:
    """Share of the voxels in which the masks of two files differ; None where they answer other sentences."""
    first, second = (np.frombuffer(path.read_bytes(), np.uint8) for path in (one, other))
    if first.shape != second.shape:
        return None
    return int(np.bitwise_count(first ^ second).sum()) / (8 * len(first))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all settings in turn, ``options.repeats`` rounds."""
    rounds: list[dict[str, Any]] = []
    chosen = [name for name, setting in SETTINGS.items() if setting.always or options.switches]
    if find_spec("openvino") is None:
        chosen = [name for name in chosen if SETTINGS[name].backend != "openvino"]
    with tempfile.TemporaryDirectory() as folder:
        # Fills the disk cache, and the system's file cache, for everybody alike; not counted.
        for name in dict.fromkeys((FIVE, *(n for n in chosen if SETTINGS[n].backend == "openvino"))):
            in_own_process(options, 1, name, folder)
        for slices in options.slices:
            for number in range(options.repeats):
                for name in chosen:
                    found = in_own_process(options, slices, name, folder)
                    over = found["masks"].with_name(f"{slices} {SETTINGS[name].over or name}.masks")
                    found["flipped"] = share_that_differs(found.pop("masks"), over)
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
    """Each setting over the one it is compared to, of its own round: median, smallest and largest."""
    known = {(r["slices"], r["round"], r["setting"]): r for r in rounds}
    found = []
    for slices, name in dict.fromkeys((r["slices"], r["setting"]) for r in rounds):
        over = SETTINGS[name].over
        if not over:
            continue
        mine = [r for r in rounds if (r["slices"], r["setting"]) == (slices, name)]
        row: dict[str, Any] = {"slices": slices, "setting": name, "over": over, "rounds": len(mine)}
        for key in ("text_seconds", "segment_seconds", "peak_megabytes"):
            values = [r[key] / known[slices, r["round"], over][key] for r in mine]
            row[key] = {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}
        row["flipped"] = mine[-1]["flipped"]
        found.append(row)
    return found


def markdown(result: dict[str, Any]) -> str:
    """Two tables: what was measured (medians), and the ratios."""
    rounds = result["measurements"]
    first = rounds[0]
    lines = [
        f"{first['checkpoint']}, network picture {' x '.join(map(str, first['network_size']))}, slices of "
        f"{result['size']} x {result['size']}, {first['device']}, {first['precision']}, "
        f"{result['machine']['cpus']} CPUs, medians of {result['repeats']} round(s)",
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
        "| slices | setting | over | text | segmenting | peak memory | voxels that differ |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in result["ratios"]:
        cells = [
            f"{row[key]['median']:.2f} ({row[key]['lowest']:.2f} to {row[key]['highest']:.2f})"
            for key in ("text_seconds", "segment_seconds", "peak_megabytes")
        ]
        flipped = "-" if row["flipped"] is None else f"{100 * row['flipped']:.4f} %"
        lines.append(f"| {row['slices']} | {row['setting']} | {row['over']} | {' | '.join(cells)} | {flipped} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", help="folder or .safetensors file (default: the bundled weights)")
    parser.add_argument("--slices", type=int, nargs="+", default=[64, 200], help="volumes to measure (default: 64 200)")
    parser.add_argument("--size", type=int, default=512, help="pixels along a slice's side (default: 512)")
    parser.add_argument(
        "--switches", action="store_true", help="each switch of inference beside what it is compared to"
    )
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
