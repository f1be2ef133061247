"""How fast and how large segmentation is, beside the released arithmetic run plainly and beside the machine's limits.

    python Testing/benchmarks/speed_benchmark.py --out speed.json --plot speed.png
    python Testing/benchmarks/speed_benchmark.py --quick --only one-image --networks tirnet

Each part of each network runs in a process of its own; what is compared runs in turn within it, A B A B. Read the
ratios: seconds belong to one machine on one day. The first call gives each network a short training on made-up
pictures (kept in ``--weights``), because the mask of random weights is noise and its pixels flip at a breath.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).resolve().parent
PARTS = ("one-image", "sentences", "volume", "memory", "training", "curve", "masks", "growth")
MEMORY = ("base", "fp32", "bf16")
TRAINED = ("base", "all but the allocator", "all")
LIBC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "67108864"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", choices=("ceilings", *PARTS, "gpu", "release"), help="parts (default: all)"
    )
    parser.add_argument("--networks", nargs="+", choices=("reclmis", "tirnet", "tmca"), default=["reclmis", "tirnet"])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no compilation: about a third of the time")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out (half a minute each)")
    parser.add_argument("--slices", type=int, default=200, help="of the volume (default: 200)")
    parser.add_argument("--base-slices", type=int, default=25, help="slices the base is timed on, scaled up (25)")
    parser.add_argument("--weights", default=str(Path(tempfile.gettempdir()) / "lmis-speed-weights"), metavar="DIR")
    parser.add_argument("--switches", action="store_true", help="training: each switch alone too")
    parser.add_argument("--out", metavar="JSON", help="file to write; parts measured before are kept in it")
    parser.add_argument("--plot", metavar="PNG")
    parser.add_argument("--release", metavar="DIR", help="checkout of a released network to time beside")
    parser.add_argument("--release-network", default="", metavar="MODULE:CLASS")
    parser.add_argument("--release-options", default="{}", metavar="JSON")
    parser.add_argument("--release-inputs", default="image,ids,mask", metavar="NAMES")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(json.loads(options.measure))))
        return 0
    # The package of this checkout, installed or not.
    sys.path.insert(0, str(HERE.parents[1]))
    from speed_report import markdown, plot

    kept = Path(options.out) if options.out else None
    result: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.is_file() else {}
    run(options, result, lambda: write(kept, result))
    print(markdown(result))
    if options.plot:
        plot(result, options.plot)
    return 0


def write(path: Path | None, result: dict[str, Any]) -> None:
    """Keep what was measured so far."""
    if path is not None:
        from LMISCore.atomic import write_json

        write_json(path, result)


def run(options: argparse.Namespace, result: dict[str, Any], keep: Callable[[], None]) -> None:
    """Measure the wanted parts and put them into ``result``, part by part."""
    parts = options.only or ["ceilings", *PARTS, "gpu"]
    result["machine"] = {
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "torch": torch.__version__,
    }
    if "ceilings" in parts:
        result["ceilings"] = child("ceilings", rounds=25 if options.quick else 60)
        keep()
    if "masks" in parts:
        result["masks"] = child("masks")
        keep()
    if "gpu" in parts and not torch.cuda.is_available() and options.only:
        raise SystemExit("There is no CUDA device to measure; leave gpu out of --only.")
    if "gpu" in parts and torch.cuda.is_available():
        result["gpu"] = {"name": torch.cuda.get_device_name(), **child("gpu_ceilings", device="cuda", rounds=5)}
        keep()
    for name in options.networks:
        found = result.setdefault("networks", {}).setdefault(name, {})
        if not (Path(options.weights) / f"{name}.safetensors").is_file():
            child("teach", name=name, weights=options.weights, steps=60)
        for part in PARTS:
            if part in parts and part != "masks":
                found[part] = measured(part, name, options)
                keep()
        if "gpu" in result and "gpu" in parts:
            found["gpu"] = child("gpu_images", **shared(name, options), rounds=5, with_compile=not options.quick)
            found["gpu training"] = child("gpu_training", name=name, rounds=3, with_compile=not options.quick)
            keep()
        if "release" in parts or (options.release and not options.only):
            if not options.release or not options.release_network:
                raise SystemExit("give --release DIR and --release-network MODULE:CLASS")
            found["release"] = child(
                "release",
                folder=options.release,
                network=options.release_network,
                options=options.release_options,
                inputs=options.release_inputs,
                ours=name,
                weights=options.weights,
                rounds=5,
            )
            keep()


def shared(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What every part of a network is told."""
    return {"name": name, "weights": options.weights}


def measured(part: str, name: str, options: argparse.Namespace) -> Any:
    """One part of one network."""
    quick = options.quick
    known = shared(name, options)
    # torch.compile needs a C++ compiler.
    compiles = not quick and not options.no_compile and shutil.which("g++") is not None
    if part == "one-image":
        found = child("one_image", **known, rounds=4 if quick else 8, with_compile=compiles)
        # The same with the allocator's settings in the environment, which a process must be started with.
        found["allocator"] = child("one_image", **known, rounds=4, with_compile=False, environment=LIBC)
        return found
    if part == "sentences":
        return child("sentences", **known, rounds=4 if quick else 6)
    if part == "volume":
        return child("volume", **known, slices=options.slices, base_slices=options.base_slices, rounds=1)
    if part == "memory":
        child("store", **known)
        found = {what: child("memory", **known, what=what) for what in MEMORY}
        found["volume"] = child("volume_memory", **known, slices=options.slices)
        return found
    if part == "training":
        from speed_training import SETTINGS

        rows: dict[str, list[Any]] = {}
        wanted = [what for what in SETTINGS if options.switches or what in TRAINED]
        if not compiles:
            wanted = [what for what in wanted if SETTINGS[what].recipe.compile == "never"]
        # In turns, and the base again at the end: a machine that slows down shows in it.
        for what in [*wanted * (1 if quick else 2), "base"]:
            found = child("train", name=name, what=what, steps=1 if quick else 2, batch=8, size=224)
            if "refused" in found:
                print(f"{name}, {what}: {found['refused']}", file=sys.stderr)
                continue
            rows.setdefault(what, []).append(found)
        return rows
    if part == "curve":
        return child("curve", name=name, steps=60 if quick else 200, width=8, batch=4, size=32, seeds=3)
    return child("growth", **known, rounds=3 if quick else 6)


def measure(question: dict[str, Any]) -> Any:
    """Answer one question in this process."""
    import speed_gpu
    import speed_measures
    import speed_release
    import speed_training
    import speed_volumes

    part = question.pop("part")
    known: dict[str, Callable[..., Any]] = {
        "ceilings": speed_measures.ceilings,
        "teach": speed_measures.teach,
        "one_image": speed_measures.one_image,
        "sentences": speed_measures.sentences,
        "store": speed_measures.store,
        "memory": speed_measures.memory,
        "growth": speed_measures.growth,
        "volume": speed_volumes.volume,
        "volume_memory": speed_volumes.volume_memory,
        "masks": speed_volumes.bundled_masks,
        "train": speed_training.train,
        "curve": speed_training.curve,
        "gpu_ceilings": speed_gpu.gpu_ceilings,
        "gpu_images": speed_gpu.gpu_images,
        "gpu_training": speed_gpu.gpu_training,
        "release": speed_release.released,
    }
    return known[part](**question)


def child(part: str, environment: dict[str, str] | None = None, **question: Any) -> Any:
    """Run :func:`measure` in a fresh interpreter, so that peak memory and allocator are its own."""
    command = [sys.executable, str(HERE / "speed_benchmark.py"), "--measure", json.dumps({"part": part, **question})]
    paths = [str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", "")]
    started = time.perf_counter()
    finished = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    if finished.returncode:
        raise SystemExit(f"the measurement {part} {question} failed:\n{finished.stderr}")
    label = " ".join(str(value) for key, value in question.items() if key in ("name", "what"))
    print(f"{part} {label}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return json.loads(finished.stdout.splitlines()[-1])


if __name__ == "__main__":
    raise SystemExit(main())
