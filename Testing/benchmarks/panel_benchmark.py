"""How the panel feels: seconds from Apply to the first segment, the longest block of its window, seconds to cancel.

    python Testing/benchmarks/panel_benchmark.py --out panel.json

Clicks the bundled case through with the bundled weights, cold (the worker process starts) and warm (it has the network
loaded), and cancels a run in its middle; then segments the case enlarged to 512 x 512 x 200 voxels with two sentences,
does so again in place, and cuts its segments at another threshold. A block is the longest time between two turns of the
window's event loop, measured by a timer of 5 ms, while a run goes on: it takes in the writing of the volume and of the
segments. Beside it stands the processor's time in one turn, which other programs do not lengthen. Seconds belong to one
machine on one day. Qt draws offscreen with stand-ins for Slicer's widgets; see Testing/widget.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_TICK_MILLISECONDS = 5
_LONGEST_SECONDS = 900.0


class LoopWatch:
    """Measures the longest time between two turns of Qt's event loop.

    Args:
        doing: what the panel says that it does.
        clock: seconds.

    Attributes:
        longest: ms, since :meth:`begin`.
        during: what the panel said before it.
        most_work: ms of the processor in one turn, which other programs on the computer do not lengthen.
    """

    def __init__(self, doing: Callable[[], str] = lambda: "", clock: Callable[[], float] = time.perf_counter) -> None:
        from PySide6 import QtCore

        self._clock, self._doing = clock, doing
        self._last = clock()
        self._worked = time.thread_time()
        self.longest, self.during, self.most_work = 0.0, "", 0.0
        self._said = ""
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    def begin(self) -> None:
        """Start a measurement."""
        self._last, self.longest, self._said = self._clock(), 0.0, self._doing()
        self._worked, self.most_work = time.thread_time(), 0.0
        self._timer.start(_TICK_MILLISECONDS)

    def tick(self) -> None:
        """Take down one turn of the loop."""
        now, worked = self._clock(), time.thread_time()
        self.most_work = max(self.most_work, 1000 * (worked - self._worked))
        self._worked = worked
        if 1000 * (now - self._last) > self.longest:
            self.longest, self.during = 1000 * (now - self._last), self._said
        self._last, self._said = now, self._doing()

    def end(self) -> float:
        """Return the longest block in ms."""
        self.tick()
        self._timer.stop()
        return self.longest


def turn(until: Callable[[], bool]) -> float:
    """Let the event loop turn until something is so; the seconds that took."""
    from PySide6.QtTest import QTest

    began = time.perf_counter()
    while not until():
        if time.perf_counter() - began > _LONGEST_SECONDS:
            raise TimeoutError("the panel did not get there")
        QTest.qWait(1)
    return time.perf_counter() - began


def run(window: Any, watch: LoopWatch, session: Any) -> dict[str, Any]:
    """Press Apply and wait; seconds to the first new segment, and the longest block in ms."""
    for node in session.nodes("vtkMRMLSegmentationNode"):
        session.scene.RemoveNode(node)
    turn(lambda: not window.panel.runs.isBusy)
    watch.begin()
    began = time.perf_counter()
    window.applyButton.click()
    turn(lambda: any(row.segmentId for row in window.panel.table.rows) or not window.panel.runs.isBusy)
    seconds = time.perf_counter() - began
    turn(lambda: not window.panel.runs.isBusy)
    if not any(row.segmentId for row in window.panel.table.rows):
        raise SystemExit(f"no sentence got a segment; the panel says: {window.statusLabel.text()}")
    return {"first_segment_s": seconds, **block(watch)}


def block(watch: LoopWatch) -> dict[str, Any]:
    """End a measurement and return the longest block, and the most of the processor's time in one turn, in ms."""
    watch.end()
    return {
        "longest_block_ms": watch.longest,
        "longest_block_during": watch.during,
        "longest_block_processor_ms": watch.most_work,
    }


def cancel(window: Any, session: Any) -> float:
    """Press Apply, wait until the network is at work, press Cancel: seconds until Apply can be pressed again."""
    before = len(session.nodes("vtkMRMLSegmentationNode"))
    window.applyButton.click()
    turn(lambda: window.statusLabel.text().startswith("Segmenting"))
    window.applyButton.click()
    seconds = turn(lambda: not window.panel.runs.isBusy)
    assert len(session.nodes("vtkMRMLSegmentationNode")) == before
    return seconds


def sample_figures(window: Any, session: Any, rounds: int) -> dict[str, Any]:
    """Return the figures of one cold run of the bundled case, and of warm runs and cancels."""
    turn(lambda: not window.panel.runs.probe.isRunning)
    # The probe has started the worker already; a cold run starts it anew.
    window.panel.worker.close()
    window.sampleButton.click()
    watch = LoopWatch(window.statusLabel.text)
    cold = run(window, watch, session)
    warm = [run(window, watch, session) for _ in range(rounds)]
    # The network is left loaded or not, as the cancel leaves it: both are what a user meets.
    cancels = [cancel(window, session) for _ in range(rounds)]
    longest = max([cold, *warm], key=lambda each: float(each["longest_block_ms"]))
    return {
        "cold_first_segment_s": cold["first_segment_s"],
        "warm_first_segment_s": statistics.median(each["first_segment_s"] for each in warm),
        **{key: longest[key] for key in longest if key.startswith("longest_block")},
        "cancel_s": {"median": statistics.median(cancels), "longest": max(cancels)},
        "rounds": rounds,
    }


def large_figures(window: Any, session: Any, slices: int, size: int) -> dict[str, Any]:
    """Return the figures of the enlarged case: a run, the same again in place, and a cut at another threshold."""
    import slicer.util
    from scene_benchmark import SENTENCES, enlarged_sample

    session.scene.Clear(False)
    node = session.volume(spacing=(0.7, 0.7, 1.5))
    slicer.util.updateVolumeFromArray(node, enlarged_sample(slices, size))
    window.enter()
    window.panel.take(node, window.module.logic.createReportNode(" ".join(SENTENCES)))
    watch = LoopWatch(window.statusLabel.text)
    first = run(window, watch, session)
    watch.begin()
    window.applyButton.click()
    turn(lambda: not window.panel.runs.isBusy)
    again = block(watch)
    watch.begin()
    window.panel.ui.thresholdSlider.value = 0.3
    turn(lambda: window.panel.state.kept.threshold() == 0.3)
    turn(lambda: not window.panel.threshold.isCutting)
    return {
        **first,
        "again_in_place": again,
        "another_threshold": block(watch),
        "voxels": [size, size, slices],
        "segment_ml": [row.volumeMl for row in window.panel.table.rows],
    }


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures."""
    from offscreen import panel_window

    found: dict[str, Any] = {}
    with panel_window(folder) as (window, session):
        if options.rounds:
            found["sample"] = sample_figures(window, session, options.rounds)
            print(json.dumps(found["sample"], indent=2), file=sys.stderr)
        if options.slices:
            found["large"] = large_figures(window, session, options.slices, options.size)
    found["computer"] = {"platform": platform.platform(), "python": platform.python_version()}
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="JSON", help="where the figures go")
    parser.add_argument("--rounds", type=int, default=3, help="warm runs and cancels; 3 unless told, 0 for none")
    parser.add_argument("--slices", type=int, default=200, help="of the enlarged case; 200 unless told, 0 for none")
    parser.add_argument("--size", type=int, default=512, help="of its slices, pixels; 512 unless told")
    options = parser.parse_args(arguments)
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "widget"), str(Path(__file__).parent)]
    from LMISCore.atomic import write_json

    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, Path(folder))
    print(json.dumps(found, indent=2))
    if options.out:
        write_json(options.out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
