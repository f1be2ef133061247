"""``lmis train`` in a process that meets a fault, or none, in the middle of the run.

torchrun --nproc-per-node 2 distributed_faults.py FAULT ARGUMENT...
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from LMISCore.cli.main import main
from LMISCore.errors import InputError
from LMISCore.training import trainer as trainer_module
from LMISCore.training.trainer import Trainer

AT_STEP = 4
REFUSAL = "The last process cannot go on; give it what it needs."


def meet(fault: str) -> None:
    """What happens to one process."""
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "stopped":
        os.kill(os.getpid(), signal.SIGTERM)
    elif fault == "frozen":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif fault == "refused":
        raise InputError(REFUSAL)
    elif fault == "defect":
        raise ZeroDivisionError("by nobody")


def is_last() -> bool:
    return int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1


def run(fault: str, arguments: list[str]) -> int:
    """The command, in which the last process meets the fault before its fifth step."""
    real = Trainer._step

    def step(self: Trainer, *given: Any) -> Any:
        if self.step == AT_STEP and is_last():
            meet(fault)
        return real(self, *given)

    def load(*given: Any) -> Any:
        if is_last():
            raise InputError(REFUSAL)
        return loads(*given)

    Trainer._step = step  # type: ignore[assignment, method-assign]
    if fault == "unreadable":
        loads, trainer_module.load_splits = trainer_module.load_splits, load  # type: ignore[assignment, attr-defined]
    return main(["train", *arguments])


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
