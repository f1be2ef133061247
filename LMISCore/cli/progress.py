"""How far a long command has got, on stderr."""

from __future__ import annotations

import sys
import time
from typing import Any


class ProgressLine:
    """A progress bar by tqdm where it is installed, else one line on stderr every ten seconds."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._stage = ""
        self._said = 0.0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int, stage: str) -> None:
        """Show ``done`` of ``total``; the words before the first comma name the stage."""
        name, _, detail = stage.partition(", ")
        try:
            from tqdm import tqdm
        except ImportError:
            self._line(done, total, stage)
            return
        if name != self._stage:
            if self._bar is not None:
                self._bar.close()
            # One step back where there is one: a bar that begins at its end would show no speed.
            begun = max(0, min(done, total) - 1)
            self._bar, self._stage = tqdm(total=total, initial=begun, desc=name, file=sys.stderr), name
        self._bar.set_postfix_str(detail, refresh=False)
        self._bar.update(done - self._bar.n)

    def _line(self, done: int, total: int, stage: str) -> None:
        now = time.monotonic()
        if now - self._said >= 10 or done == total:
            print(f"{stage}: {done} of {total}", file=sys.stderr, flush=True)
            self._said = now
