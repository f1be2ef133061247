"""Seconds from the call to segments bound in the scene, and how much of it is not the network.

    python Testing/benchmarks/scene_benchmark.py --out scene.json

Runs ``segmentReport`` on the bundled sample, or on it enlarged to a given size, round after round in one scene, as
a user's Python console would, and tells the parts of each call apart by the messages of the worker process. Seconds
belong to one machine on one day; the shares say where the time goes.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ("Pulmonary infection in the left lung.", "Pulmonary infection in the right lung.")

# What ends each part of a call, in order: a stage of the worker, or the end of it.
PARTS = {
    "volume written, worker started": "started",
    "Python starts in the worker": "reading",
    "volume read": "loading the network",
    "weights and text encoder loaded": "reading the text",
    "sentences read": "segmenting",
    "network on the slices": "restoring",
    "masks and files written": "result",
    "segments put into the scene and bound": "returned",
}
NETWORK = "network on the slices"
Event = tuple[float, str]


def parts(called: float, events: Iterable[Event]) -> dict[str, float]:
    """Return the seconds of each part; they add up to the whole call.

    Args:
        called: when the call began, s.
        events: when each stage was first heard of; a stage that was not heard has no part, its time is the next one's.

    Raises:
        ValueError: if the call did not return.
    """
    first: dict[str, float] = {}
    for moment, name in events:
        first.setdefault(name, moment)
    if "returned" not in first:
        raise ValueError("the call did not return")
    found = {}
    before = called
    for part, end in PARTS.items():
        if end in first:
            found[part] = first[end] - before
            before = first[end]
    return found


def shares(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return for each part the median of its share of its own round, and "not the network"."""
    if not rounds:
        return {}
    found = {part: statistics.median(each.get(part, 0.0) / sum(each.values()) for each in rounds) for part in PARTS}
    found["not the network"] = statistics.median(1 - each.get(NETWORK, 0.0) / sum(each.values()) for each in rounds)
    return found


def enlarged_sample(slices: int, size: int) -> npt.NDArray[np.generic]:
    """The bundled sample with its voxels repeated to ``(slices, size, size)``, so that there is something to find."""
    from LMISCore.resources import resource
    from LMISCore.volumes.files import read_volume

    array = read_volume(resource("sample", "chest_ct.nrrd")).array
    places = [np.arange(new) * old // new for new, old in zip((slices, size, size), array.shape, strict=True)]
    return array[np.ix_(*places)]


def timed_runner(events: list[Event]) -> Any:
    """Return a runner that starts the worker as usual and notes when which message came."""
    from LanguageSegmentLib.runner import SubprocessRunner

    class TimedRunner(SubprocessRunner):
        """Writes the time of each stage beside the message it hands on."""

        def start(self, job: dict[str, Any], onMessage: Any) -> None:
            def noted(message: dict[str, Any]) -> None:
                name = message["stage"] if message["type"] == "progress" else message["type"]
                events.append((time.perf_counter(), name))
                onMessage(message)

            super().start(job, noted)
            events.append((time.perf_counter(), "started"))

    return TimedRunner()


def measure(session: Any, slices: int | None, size: int) -> dict[str, float]:
    """Segment a new volume and report once and return the seconds of each part.

    Args:
        session: with the scene.
        slices: of the enlarged sample; None takes the sample as it is.
        size: of its slices, pixels.
    """
    import slicer.util

    from LanguageSegmentLib.sample import loadSample
    from LanguageSegmentLib.scripting import segmentReport

    volumeNode: Any
    report: Any
    if slices is None:
        volumeNode, report = loadSample(session.scene)
    else:
        volumeNode, report = session.volume(spacing=(0.7, 0.7, 1.5)), " ".join(SENTENCES)
        slicer.util.updateVolumeFromArray(volumeNode, enlarged_sample(slices, size))
    events: list[Event] = []
    called = time.perf_counter()
    result = segmentReport(volumeNode, report, runner=timed_runner(events))
    events.append((time.perf_counter(), "returned"))
    if not any(row["segment_id"] for row in result.rows):
        raise SystemExit("no sentence got a segment; the measurement would not say what it claims")
    session.scene.Clear(False)
    return parts(called, events)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure ``options.repeats`` rounds."""
    from session import SlicerSession

    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        session = SlicerSession(Path(folder))
        try:
            for number in range(options.repeats):
                rounds.append(measure(session, options.slices, options.size))
                print(f"round {number + 1}: {sum(rounds[-1].values()):.1f} s", file=sys.stderr)
        finally:
            session.close()
    what = (
        "the bundled sample"
        if options.slices is None
        else f"{options.slices} slices of {options.size} x {options.size}"
    )
    return {
        "volume": what,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "rounds": rounds,
        "seconds": statistics.median(sum(each.values()) for each in rounds),
        "shares": shares(rounds),
    }


def table(found: dict[str, Any]) -> str:
    """Return the shares and median seconds as Markdown."""
    lines = [f"{found['volume']}: {found['seconds']:.1f} s from the call to bound segments", ""]
    lines += ["| part | s | share |", "| --- | ---: | ---: |"]
    for part in PARTS:
        seconds = statistics.median(each.get(part, 0.0) for each in found["rounds"])
        lines.append(f"| {part} | {seconds:.2f} | {found['shares'][part]:.0%} |")
    lines.append(f"| not the network | | {found['shares']['not the network']:.0%} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--slices", type=int, help="to enlarge the bundled sample to")
    parser.add_argument("--size", type=int, default=512, help="of its slices, pixels (default 512)")
    parser.add_argument("--out", type=Path, metavar="JSON", help="where to write all numbers")
    options = parser.parse_args(arguments)
    if options.repeats < 1 or (options.slices is not None and options.slices < 1) or options.size < 8:
        parser.error("repeats and slices must be at least 1, size at least 8")
    found = run(options)
    print(table(found))
    if options.out is not None:
        from LMISCore.atomic import write_json

        write_json(options.out, found)
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "LanguageSegment"), str(ROOT / "Testing" / "scene")]
    sys.exit(main())
