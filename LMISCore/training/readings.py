"""Numbers of training steps, left on the device until they are read, many steps at once.

To read a number from a GPU is to wait for all that it still has to do. So losses and gradient norms stay there, and
are read every ``STEPS_BETWEEN`` steps and before anything is written. On the CPU they are read at once.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from LMISCore.errors import InputError

STEPS_BETWEEN = 25
GRADIENT = "gradient"


class Readings:
    """The numbers of one run.

    Args:
        device: where they come from.
        checkpoint: the last good one, named when a number is not finite.

    Attributes:
        newest: the loss and its terms of the last step that was read, by name; empty before the first.
    """

    def __init__(self, device: torch.device, checkpoint: Path) -> None:
        self.steps_between = 1 if device.type == "cpu" else STEPS_BETWEEN
        self.checkpoint = checkpoint
        self.newest: dict[str, float] = {}
        self._names: list[str] = []
        self._waiting: list[tuple[int, Tensor]] = []

    @property
    def due(self) -> bool:
        """Whether it is time to read; the first step is read at once, so that there is something to show."""
        return not self.newest or len(self._waiting) >= self.steps_between

    def add(self, step: int, terms: dict[str, Tensor], gradient: Tensor) -> None:
        """Keep one step's numbers, all of them scalars: the loss and its terms by name, and the gradient's norm."""
        self._names = [*terms, GRADIENT]
        kind = next(iter(terms.values())).dtype
        self._waiting.append((step, torch.stack([value.detach().to(kind) for value in (*terms.values(), gradient)])))

    def read(self) -> None:
        """Wait for all kept steps and read them.

        Raises:
            InputError: if a loss or a gradient was not finite; the numbers are the same in all processes, so that all
                of them stop at the same step.
        """
        if not self._waiting:
            return
        steps = [step for step, _ in self._waiting]
        rows = torch.stack([numbers for _, numbers in self._waiting]).tolist()
        self._waiting = []
        for step, row in zip(steps, rows, strict=True):
            found = dict(zip(self._names, row, strict=True))
            gradient = found.pop(GRADIENT)
            self._require_finite("loss", found["loss"], step)
            self._require_finite(GRADIENT, gradient, step)
            self.newest = found

    def _require_finite(self, what: str, value: float, step: int) -> None:
        if math.isfinite(value):
            return
        good = self.checkpoint.is_file()
        kept = f"the last good checkpoint is {self.checkpoint}" if good else "there is no checkpoint yet"
        raise InputError(
            f"The {what} became {value} at step {step}; lower training.learning_rate or set training.clip_norm=1; "
            f"{kept}."
        )
