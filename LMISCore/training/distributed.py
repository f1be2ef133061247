"""One training in many processes: found from torchrun's environment; what they tell each other besides gradients.

    torchrun --nproc-per-node N -m LMISCore.cli.main train RECIPE ...

Tensors of the GPU travel by nccl, everything else by gloo. All processes take the same decisions from the same numbers,
the first one alone writes files. A process that fails tells the others why (``distributed_watch``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from LMISCore.errors import InputError, LMISError
from LMISCore.training.distributed_watch import ANOTHER, Failure, Watch, sentence

# Longer than the slowest of what one process does while the others wait: to prepare a set's pictures.
TIMEOUT = timedelta(minutes=15)
SECONDS_FOR_A_REASON = 3.0
STARTED_BY_TORCHRUN = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
T = TypeVar("T")


class SaidElsewhere(LMISError):
    """Another process tells the user the very sentence that this one would; the cause is this one's own error."""


class Processes:
    """The processes of one training, as one of them sees them.

    Args:
        rank: of this process, from 0.
        size: how many there are.
        local: number of this process on its machine, from 0.
        watch: None in a training that torchrun did not start.
    """

    def __init__(self, rank: int = 0, size: int = 1, local: int = 0, watch: Watch | None = None) -> None:
        self.rank, self.size, self.local = rank, size, local
        self._watch = watch

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def grouped(self) -> bool:
        """Whether a group is begun, which one process alone may have too."""
        return self._watch is not None

    def device(self, name: str) -> str:
        """The device of this process: each takes a GPU of its own where they are to be used.

        Raises:
            InputError: if there are fewer GPUs than processes on this machine, or one GPU or Apple's is named for all.
        """
        if not self.grouped or name == "cpu":
            return name
        if name not in ("auto", "cuda"):
            raise InputError(
                f"The device {name} was asked for, but torchrun started {self.size} processes; give auto, cuda or cpu, "
                "and each takes a GPU of its own or none."
            )
        found = torch.cuda.device_count()
        if not found:
            return "cpu" if name == "auto" else name
        if self.local >= found:
            raise InputError(
                f"Process {self.local + 1} on this machine found {found} GPU{'s' * (found != 1)}; give torchrun "
                f"--nproc-per-node {found}, or --device cpu."
            )
        torch.cuda.set_device(self.local)
        return f"cuda:{self.local}"

    def share(self, number: int) -> slice:
        """Which of ``number`` things in a row are this process's; the shares differ by one at most."""
        return slice(number * self.rank // self.size, number * (self.rank + 1) // self.size)

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return self.highest(int(flag)) > 0

    def highest(self, number: int) -> int:
        """The largest of all processes' numbers."""
        if self.size == 1:
            return number
        found = torch.tensor([number])
        dist.all_reduce(found, op=dist.ReduceOp.MAX)
        return int(found)

    def everyone(self, value: T) -> list[T]:
        """What every process gives, in their order: plain values."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def of_the_first(self, action: Callable[[], T]) -> T:
        """What the first process makes of its files, for all of them: plain values.

        Raises:
            InputError: in all processes, if it could not.
        """
        if self.size == 1:
            return action()
        told: list[Any] = [None, ""]
        if self.first:
            try:
                told[0] = action()
            except InputError as error:
                told[1] = str(error)
        dist.broadcast_object_list(told)
        if told[1]:
            raise InputError(told[1])
        value: T = told[0]
        return value

    def require_same(self, what: str, value: object) -> None:
        """See that all processes have the same.

        Raises:
            InputError: in all processes, if not.
        """
        found = self.everyone(value)
        other = next((number for number, own in enumerate(found) if own != found[0]), None)
        if other is not None:
            raise InputError(
                f"Processes 1 and {other + 1} of {self.size} have different {what}; expected the same on all machines."
            )

    def require_share(self, batch: int) -> None:
        """See that every process has a picture of each batch.

        Raises:
            InputError: in all processes, if not.
        """
        if batch < self.size:
            raise InputError(
                f"training.batch is {batch}, but {self.size} processes share it; expected at least one "
                "picture each: start fewer, or enlarge the batch."
            )

    def leave(self) -> None:
        """Wait for all and end the group: what follows is the first process's own affair."""
        if self._watch is None:
            return
        self.any(False)
        self._watch.stop()
        self._watch = None
        self.size = 1
        dist.destroy_process_group()

    def explain(self, error: BaseException) -> BaseException:
        """What to end with: the error, or the other process's reason where that is why it came; tells the others."""
        if self._watch is None:
            return error
        if _is_lost_connection(error):
            failure = self._watch.failure(SECONDS_FOR_A_REASON) or self._watch.report(Failure(ANOTHER, ""))
            return InputError(sentence(failure, self.size))
        if isinstance(error, KeyboardInterrupt):
            why = "it was interrupted"
        else:
            why = str(error) if isinstance(error, LMISError) else f"{type(error).__name__}, see its own message"
        first = self._watch.report(Failure(self.rank, why))
        if isinstance(error, LMISError) and first.rank != self.rank and first.why == why:
            return SaidElsewhere(why)
        return error


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started together with this one; one alone without torchrun.

    Raises:
        InputError: if another process ended.
        SaidElsewhere: if all end for the same reason and another says it.
    """
    environment = os.environ
    if not is_started_by_torchrun():
        yield ALONE
        return
    if not dist.is_available():
        raise InputError("This PyTorch cannot train in several processes; train without torchrun.")
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    rank, size = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    # A build for CUDA has nccl on machines without a GPU too, where it cannot be begun.
    backend = "cpu:gloo,cuda:nccl" if dist.is_nccl_available() and torch.cuda.is_available() else "gloo"
    try:
        store, _, _ = next(rendezvous("env://", timeout=TIMEOUT))
        group = PrefixStore("group", store)
        dist.init_process_group(backend, store=group, rank=rank, world_size=size, timeout=TIMEOUT)
    except dist.DistError as error:
        raise InputError(
            f"The {size} processes did not find each other within {TIMEOUT.seconds // 60} minutes; see that torchrun "
            "was started alike on all machines and that they reach MASTER_ADDR and MASTER_PORT."
        ) from error
    watch = Watch(store.clone(), rank, size)
    watch.start()
    processes = Processes(rank, size, int(environment.get("LOCAL_RANK", rank)), watch)
    try:
        yield processes
        processes.leave()
    except BaseException as error:
        ending = processes.explain(error)
        if ending is error:
            raise
        raise ending from error


def is_started_by_torchrun() -> bool:
    """Whether the environment names a group that this process belongs to."""
    return os.environ.keys() >= STARTED_BY_TORCHRUN


def is_first() -> bool:
    """Whether this process is the one that shows progress and results, known before the group is begun."""
    return not is_started_by_torchrun() or int(os.environ["RANK"]) == 0


def _is_lost_connection(error: BaseException) -> bool:
    """Whether an exchange failed: gloo's errors are plain RuntimeErrors and known by their words alone."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "Gloo", "NCCL", "nccl"))
