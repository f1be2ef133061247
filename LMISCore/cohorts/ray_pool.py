"""Workers on the machines of a Ray cluster: actors that stay, with the network loaded. Needs the extra cluster.

Results lie on a disk that all machines share under one path; Ray carries only jobs and their short answers. A worker or
machine that is lost is replaced by the schedule's rule as on one machine: Ray's own retries are off, so that a case is
never run by two at once.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

from LMISCore.cohorts.pool import BROKEN, DONE, FAILED, LOST, Event
from LMISCore.errors import InputError, MissingDependencyError

EXTRA = "LMISCore[cluster]"


class RayWorker:
    """What runs in an actor: the worker's protocol without its lines."""

    def __init__(self) -> None:
        from LMISCore.inference.warm import Predictors

        self._predictors = Predictors()

    def pid(self) -> int:
        """Number of this process; an answer says that the worker is ready."""
        return os.getpid()

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one task; errors come back as values, since only a lost worker raises."""
        from LMISCore.cohorts.here_pool import answer

        return answer(job, self._predictors)


class _Actor:
    """One actor: starting until ``ready`` answers, then free or with a job."""

    def __init__(self, handle: Any, ready: Any) -> None:
        self.handle = handle
        self.waits_for = ready
        self.is_ready = False
        self.job: str | None = None
        self.pid = 0


class RayPool:
    """Actors of a Ray cluster.

    Args:
        address: of a running cluster, such as "auto" or HOST:PORT; None starts one on this machine.
        workers: how many there will be, for a cluster that is started here.
        threads: processor cores of each worker.
        device: of the workers; a GPU each where it is one and the cluster has any.

    Raises:
        MissingDependencyError: if Ray is not installed.
        InputError: if the cluster cannot be reached or started.
    """

    def __init__(self, address: str | None, workers: int, threads: int, device: str) -> None:
        # Nothing is sent anywhere: Ray would otherwise report its use to its makers.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Ray would hide the GPUs from workers that ask for none, and warns that it will stop to.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # A cluster that is gone is given up after a minute instead of a quarter of an hour.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "2")
        try:
            import ray
        except ImportError as error:
            raise MissingDependencyError(
                f"The engine ray needs Ray; install it with: pip install '{EXTRA}'."
            ) from error
        self._ray: Any = ray
        self._actors: list[_Actor] = []
        self._owns = not self._ray.is_initialized()
        if self._owns and address is not None:
            _check_answers(address)
        try:
            if self._owns:
                quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
                if address is None:
                    # Reached from this machine alone, and as wide as the workers need, however many cores it has.
                    quiet |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
                    quiet["num_cpus"] = workers * threads
                self._ray.init(address=address or "local", **quiet)
        except (ConnectionError, OSError, RuntimeError, ValueError) as error:
            where = f"reached at {address}" if address else "started on this machine"
            raise InputError(
                f"No Ray cluster could be {where} ({' '.join(str(error).split())[:200]}); check the address, or start "
                "one with: ray start --head."
            ) from error
        gpus = 1 if device != "cpu" and self._ray.cluster_resources().get("GPU", 0) >= 1 else 0
        settings = {"num_cpus": threads, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        self._settings = settings
        self._memory = 0

    def resize(self, workers: int, memory: int = 0) -> None:
        self._memory = memory
        while len(self._actors) < workers:
            self._actors.append(self._start())

    def _start(self) -> _Actor:
        wanted = self._ray.remote(RayWorker).options(**self._settings, memory=self._memory or None)
        handle = wanted.remote()
        return _Actor(handle, handle.pid.remote())

    def pids(self) -> list[int]:
        """Process numbers of the workers that are ready, on whatever machine."""
        return [actor.pid for actor in self._actors if actor.is_ready]

    def free(self) -> int:
        return len(self._free())

    def _free(self) -> list[_Actor]:
        return [actor for actor in self._actors if actor.is_ready and actor.job is None]

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        actor = self._free()[0]
        actor.job = identifier
        actor.waits_for = actor.handle.run.remote(job)

    def wait(self, seconds: float) -> list[Event]:
        waiting = {actor.waits_for: actor for actor in self._actors if actor.waits_for is not None}
        if not waiting:
            time.sleep(seconds)
            return []
        found, _ = self._ray.wait(list(waiting), num_returns=1, timeout=seconds)
        if found:
            # What else is there by now, without waiting for it.
            found, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=0)
        return [event for reference in found for event in self._heard(waiting[reference], reference)]

    def _heard(self, actor: _Actor, reference: Any) -> list[Event]:
        try:
            values = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return self._lost(actor, type(error).__name__)
        actor.waits_for = None
        if not actor.is_ready:
            actor.is_ready, actor.pid = True, values
            return []
        job, actor.job = actor.job or "", None
        if "error" in values:
            return [Event(FAILED, job, {"kind": values["error"], "message": values["message"]})]
        return [Event(DONE, job, values)]

    def _lost(self, actor: _Actor, why: str) -> list[Event]:
        self._end(actor)
        self._actors[self._actors.index(actor)] = self._start()
        if actor.job is not None:
            return [Event(LOST, actor.job, {"message": f"its Ray worker or machine was lost, {why}"})]
        words = f"A Ray worker ended before it was ready ({why}); is the same LMISCore installed on all machines?"
        return [] if actor.is_ready else [Event(BROKEN, "", {"message": words})]

    def _end(self, actor: _Actor) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(actor.handle)

    def drop(self, identifier: str) -> None:
        for actor in self._actors:
            if actor.job == identifier:
                self._end(actor)

    def close(self) -> None:
        for actor in self._actors:
            self._end(actor)
        self._actors = []
        if self._owns:
            self._ray.shutdown()


def _check_answers(address: str) -> None:
    """Refuse an address at which nothing listens; Ray itself would go on asking for a long time."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if "://" in address or not host or not port.isdecimal():
        raise InputError(
            f"The Ray address is {address!r}; give auto or HOST:PORT of its head, from one of its machines."
        )
    try:
        socket.create_connection((host, int(port)), 5).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"No Ray cluster could be reached at {address} ({error}); check the address, or start one with: ray start "
            "--head."
        ) from error
