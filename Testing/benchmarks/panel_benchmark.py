"""How the panel feels: seconds from Apply to the first segment, the longest block of its window, seconds to cancel.

    python Testing/benchmarks/panel_benchmark.py --out panel.json

Clicks the bundled case through with the bundled weights, cold (the worker process starts) and warm (it has the network
loaded), and cancels a run in its middle. A block is the longest time between two turns of the window's event loop,
measured by a timer of 5 ms, while a run goes on: it takes in the writing of the volume and of the segments. Seconds
belong to one machine on one day. Qt draws offscreen with stand-ins for Slicer's widgets; see Testing/widget.
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

    Attributes:
        longest: ms, since :meth:`begin`.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        from PySide6 import QtCore

        self._clock = clock
        self._last = clock()
        self.longest = 0.0
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)

    def begin(self) -> None:
        """Start a measurement."""
        self._last, self.longest = self._clock(), 0.0
        self._timer.start(_TICK_MILLISECONDS)

    def tick(self) -> None:
        """Take down one turn of the loop."""
        now = self._clock()
        self.longest = max(self.longest, 1000 * (now - self._last))
        self._last = now

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


def run(window: Any, watch: LoopWatch, session: Any) -> dict[str, float]:
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
    return {"first_segment_s": seconds, "longest_block_ms": watch.end()}


def cancel(window: Any, session: Any) -> float:
    """Press Apply, wait until the network is at work, press Cancel: seconds until Apply can be pressed again."""
    before = len(session.nodes("vtkMRMLSegmentationNode"))
    window.applyButton.click()
    turn(lambda: window.statusLabel.text().startswith("Segmenting"))
    window.applyButton.click()
    seconds = turn(lambda: not window.panel.runs.isBusy)
    assert len(session.nodes("vtkMRMLSegmentationNode")) == before
    return seconds


def measure(rounds: int, folder: Path) -> dict[str, Any]:
    """Return the figures of one cold run, and of warm runs and cancels."""
    from offscreen import panel_window

    with panel_window(folder) as (window, session):
        turn(lambda: not window.panel.runs.probe.isRunning)
        # The probe has started the worker already; a cold run starts it anew.
        window.panel.worker.close()
        window.sampleButton.click()
        watch = LoopWatch()
        cold = run(window, watch, session)
        warm = [run(window, watch, session) for _ in range(rounds)]
        # The network is left loaded or not, as the cancel leaves it: both are what a user meets.
        cancels = [cancel(window, session) for _ in range(rounds)]
    return {
        "cold": cold,
        "warm": {key: statistics.median(each[key] for each in warm) for key in cold},
        "longest_block_ms": max([cold["longest_block_ms"], *(each["longest_block_ms"] for each in warm)]),
        "cancel_s": {"median": statistics.median(cancels), "longest": max(cancels)},
        "rounds": rounds,
        "computer": {"platform": platform.platform(), "python": platform.python_version()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="JSON", help="where the figures go")
    parser.add_argument("--rounds", type=int, default=3, help="warm runs and cancels; 3 unless told")
    options = parser.parse_args(arguments)
    sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "widget")]
    from LMISCore.atomic import write_json

    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.rounds, Path(folder))
    print(json.dumps(found, indent=2))
    if options.out:
        write_json(options.out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
