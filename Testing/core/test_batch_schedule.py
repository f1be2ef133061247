"""Which case is given when, what becomes of one whose worker ends, and how many workers fit the memory."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LMISCore.cohorts.case import Case
from LMISCore.cohorts.planning import fitting_workers, plan_workers
from LMISCore.cohorts.pool import BROKEN, DONE, FAILED, LOST, Event
from LMISCore.cohorts.schedule import Schedule, readable_time
from LMISCore.cohorts.settings import BatchJob
from LMISCore.errors import Cancelled, InputError

GIGABYTE = 10**9


class Script:
    """A pool that answers each job as its script says: a list of answers by case, the last one repeated."""

    def __init__(self, answers: dict[str, list[str]], workers: int = 2, need: dict[str, Any] | None = None) -> None:
        self.answers = {name: list(kinds) for name, kinds in answers.items()}
        self.workers = workers
        self.need = need
        self.given: list[str] = []
        self.running: list[str] = []
        self.dropped: list[str] = []
        self.most = 0

    def resize(self, workers: int, memory: int = 0) -> None:
        self.workers = workers

    def free(self) -> int:
        return self.workers - len(self.running)

    def give(self, identifier: str, job: dict[str, Any]) -> None:
        assert self.free() > 0
        self.given.append(identifier)
        self.running.append(identifier)
        self.most = max(self.most, len(self.running))

    def wait(self, seconds: float) -> list[Event]:
        if not self.running:
            return [Event(BROKEN, "", {"message": "Worker 1 ended with code 1 before it was ready."})]
        name = self.running[0]
        answers = self.answers.get(name, [DONE])
        kind = answers.pop(0) if len(answers) > 1 else answers[0]
        if kind == "hangs" and name not in self.dropped:
            time.sleep(0.01)
            return []
        self.running.pop(0)
        if kind == "hangs" or kind == LOST:
            return [Event(LOST, name, {"message": "the worker was killed by SIGKILL"})]
        if kind == DONE:
            return [Event(DONE, name, self.need or {"state": "done", "seconds": 0.5})]
        return [Event(FAILED, name, {"kind": kind, "message": f"{name}\nwent wrong."})]

    def drop(self, identifier: str) -> None:
        self.dropped.append(identifier)

    def close(self) -> None: ...


def run(pool: Script, count: int = 4, **changes: Any) -> tuple[Any, dict[str, tuple[str, str]]]:
    failures: dict[str, tuple[str, str]] = {}

    def failed(name: str, kind: str, message: str) -> None:
        assert name not in failures
        failures[name] = (kind, message)

    tally = Schedule(pool, failed, **changes).run({f"c{number}": {} for number in range(count)})
    return tally, failures


def test_a_case_whose_worker_ends_is_tried_again_behind_the_others() -> None:
    pool = Script({"c0": [LOST, DONE]})
    tally, failures = run(pool)
    assert (tally.done, tally.retried, failures) == (4, 1, {})
    assert pool.given == ["c0", "c1", "c2", "c3", "c0"] and pool.most == 2


def test_a_case_that_ends_every_worker_is_given_up_and_the_others_are_done() -> None:
    tally, failures = run(Script({"c1": [LOST]}), attempts=3)
    assert (tally.done, tally.failed, tally.retried) == (3, 1, 2)
    kind, message = failures["c1"]
    assert kind == "worker_lost" and "tried 3 times" in message and "SIGKILL" in message


def test_a_case_that_fails_is_told_in_one_line_and_not_tried_again() -> None:
    pool = Script({"c1": ["bad_input"], "c2": ["internal"]})
    tally, failures = run(pool)
    assert failures == {"c1": ("bad_input", "c1 went wrong."), "c2": ("internal", "c2 went wrong.")}
    assert tally.done == 2 and len(pool.given) == 4


@pytest.mark.parametrize("kind", ["disk_full", "other_version", "missing_dependency"])
def test_what_would_go_wrong_with_every_case_stops_the_run(kind: str) -> None:
    pool = Script({"c0": [kind]}, workers=1)
    with pytest.raises(InputError, match="went wrong"):
        run(pool)
    assert pool.given == ["c0"]


def test_a_case_that_takes_too_long_loses_its_worker() -> None:
    pool = Script({"c0": ["hangs"]}, workers=1)
    tally, failures = run(pool, count=2, attempts=2, case_seconds=0.05)
    assert tally.done == 1 and failures["c0"][0] == "worker_lost" and pool.dropped[0] == "c0"


def test_workers_that_never_become_ready_end_the_run() -> None:
    with pytest.raises(InputError, match="before it was ready"):
        run(Script({}, workers=0))


def test_progress_tells_failures_and_time_left_and_can_stop_the_run() -> None:
    told: list[tuple[int, int, str]] = []

    def progress(done: int, total: int, stage: str) -> bool:
        told.append((done, total, stage))
        return done < 7

    with pytest.raises(Cancelled, match="finished cases are kept"):
        run(Script({"c0": ["bad_input"]}, workers=1), progress=progress, before=5, total=9)
    assert told[0] == (5, 9, "segmenting cases")
    assert told[-1][:2] == (7, 9) and "1 failed, about " in told[-1][2] and told[-1][2].endswith(" left")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([DONE, LOST, LOST, "bad_input"]), min_size=1, max_size=4), max_size=8),
    st.integers(1, 4),
)
def test_whatever_happens_each_case_ends_once(scripts: list[list[str]], workers: int) -> None:
    pool = Script({f"c{number}": kinds for number, kinds in enumerate(scripts)}, workers)
    tally, failures = run(pool, len(scripts), attempts=3)
    assert tally.finished == len(scripts) and tally.failed == len(failures)
    assert all(pool.given.count(name) <= 3 for name in pool.given) and pool.most <= workers
    assert len(pool.given) == len(scripts) + tally.retried


def need(host: int, free_host: int, device: int = 0, free_device: int | None = None) -> dict[str, Any]:
    return {"host": host, "free_host": free_host, "device": device, "free_device": free_device}


def test_workers_are_as_many_as_four_fifths_of_the_free_memory_take() -> None:
    assert fitting_workers(need(1 * GIGABYTE, 10 * GIGABYTE)) == 8
    assert fitting_workers(need(9 * GIGABYTE, 10 * GIGABYTE)) == 0
    # The first worker's own 2 of 12 GB are not free; two devices take twice as many.
    assert fitting_workers(need(1, 10 * GIGABYTE, 2 * GIGABYTE, 10 * GIGABYTE)) == 4
    assert fitting_workers(need(1, 10 * GIGABYTE, 2 * GIGABYTE, 10 * GIGABYTE), devices=2) == 8


def plan(needed: dict[str, Any], **changes: Any) -> tuple[Script, list[str]]:
    pool, said = Script({}, workers=0, need=needed), list[str]()
    cases = [Case(f"c{number}", number, f"{number}.nrrd") for number in range(6)]
    plan_workers(pool, BatchJob("table.csv", **changes), cases, said.append)
    return pool, said


def test_too_many_workers_are_lowered_with_a_sentence() -> None:
    pool, said = plan(need(3 * GIGABYTE, 10 * GIGABYTE), workers=4)
    assert pool.workers == 2
    assert said == ["4 workers would need about 12.0 GB and 10.0 GB are free, so 2 run."]


def test_there_are_never_more_workers_than_cases() -> None:
    pool, said = plan(need(1, 10 * GIGABYTE), workers=50)
    assert (pool.workers, said) == (6, [])


def test_a_worker_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"One worker needs about 9\.0 GB .* 10\.0 GB are free"):
        plan(need(9 * GIGABYTE, 10 * GIGABYTE))


def test_on_a_joined_cluster_other_machines_memory_decides() -> None:
    pool, said = plan(need(9 * GIGABYTE, 1 * GIGABYTE), workers=5, engine="ray", address="auto")
    assert (pool.workers, said) == (5, [])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": 0}, "number of workers is 0"),
        ({"engine": "slurm"}, "The engine is 'slurm'"),
        ({"address": "auto"}, "address was given for the local engine"),
        ({"attempts": 0}, "number of attempts is 0"),
        ({"case_seconds": -1.0}, "most seconds for a case are -1"),
        ({"case_seconds": float("nan")}, "most seconds for a case are nan"),
        ({"threads": -1}, "number of threads is -1"),
        ({"device": "cuda:0,cuda:1", "engine": "ray"}, "The device is"),
        ({"device": " , "}, "The device is"),
        ({"engine": "here", "workers": 2}, "this process alone, but 2 workers"),
        ({"shard": "0/3"}, "The shard is '0/3'"),
        ({"shard": "4/3"}, "The shard is '4/3'"),
        ({"shard": "one"}, "The shard is 'one'"),
    ],
)
def test_values_that_no_run_can_have_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        BatchJob("table.csv", **changes).check()


def test_time_left_is_told_in_its_largest_useful_unit() -> None:
    assert [readable_time(seconds) for seconds in (0.4, 89, 200, 9000)] == ["0 s", "89 s", "3 min", "2.5 h"]
