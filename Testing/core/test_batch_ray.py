"""The same run over a table through Ray: one of two workers killed, and a machine lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cohort_makers import read_rows, save_cohort, small_weights, tables, undisturbed

from LMISCore.cohorts import ray_pool
from LMISCore.cohorts.batch_job import run_batch_job
from LMISCore.cohorts.ray_pool import RayPool
from LMISCore.cohorts.settings import BatchJob
from LMISCore.errors import InputError

__all__ = ["small_weights"]


@pytest.fixture(name="pools")
def watched_pools(monkeypatch: pytest.MonkeyPatch) -> list[RayPool]:
    """The pools that a run makes."""
    made: list[RayPool] = []

    class Watched(RayPool):
        def __init__(self, *values: Any) -> None:
            super().__init__(*values)
            made.append(self)

    monkeypatch.setattr(ray_pool, "RayPool", Watched)
    return made


@pytest.fixture(name="machines")
def two_machines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster on this machine that looks like two: the first cannot be lost, since the run itself lies on it."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    import ray
    from ray.cluster_utils import Cluster

    # Connected here, as Ray finds its own machines by addresses that the tests' own sockets must not reach.
    cluster: Any = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def through_ray(table: Path, out: Path, weights: Path, disturb: Callable[[int], None], **changes: Any) -> Any:
    job = BatchJob(
        str(table),
        str(out),
        workers=2,
        engine="ray",
        checkpoint=str(weights / "tiny.safetensors"),
        text_encoder=str(weights / "encoder"),
        device="cpu",
        overlay=False,
        **changes,
    )

    def progress(done: int, total: int, stage: str) -> None:
        disturb(done)

    return run_batch_job(job, progress)


def both_ready(pool: RayPool) -> bool:
    """Whether both workers are known to be ready; else wait for the second one, and the pool will know it next."""
    import ray

    starting = [actor.waits_for for actor in pool._actors if not actor.is_ready]
    if starting:
        ray.wait(starting, timeout=120)
    return len(pool.pids()) == 2


def test_of_two_ray_workers_one_is_killed_and_each_case_is_there_once(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pools: list[RayPool]
) -> None:
    table, out = save_cohort(tmp_path / "c", 12), tmp_path / "out"
    expected = undisturbed(table, tmp_path / "whole", weights, monkeypatch)
    killed: list[int] = []

    def disturb(done: int) -> None:
        if done >= 3 and not killed and both_ready(pools[0]):
            killed.append(pools[0].pids()[1])
            os.kill(killed[0], signal.SIGKILL)

    found = through_ray(table, out, weights, disturb, threads=1)
    assert len(killed) == 1 and found["retried"] <= 1
    assert (found["done"], found["failed"], found["segmented"]) == (12, 0, 12)
    assert sorted(path.name for path in (out / "cases").iterdir()) == [f"case{n:03d}" for n in range(12)]
    assert tables(out) == expected


@pytest.mark.slow
def test_a_machine_that_is_lost_takes_no_case_with_it(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pools: list[RayPool], machines: Any
) -> None:
    table, out = save_cohort(tmp_path / "c", 60), tmp_path / "out"
    expected = undisturbed(table, tmp_path / "whole", weights, monkeypatch)
    second = machines.add_node(num_cpus=1)
    lost: list[int] = []

    def disturb(done: int) -> None:
        if done >= 3 and not lost and both_ready(pools[0]):
            lost.append(done)
            machines.remove_node(second, allow_graceful=False)

    found = through_ray(table, out, weights, disturb, address=machines.address)
    assert len(lost) == 1 and (found["done"], found["failed"]) == (60, 0)
    assert tables(out) == expected and len(read_rows(out / "cases.csv")) == 60


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", r"No Ray cluster could be reached at 127\.0\.0\.1:1 "),
        ("ray://127.0.0.1:10001", "The Ray address is 'ray://127"),
        ("nowhere", "The Ray address is 'nowhere'"),
    ],
)
def test_a_cluster_that_does_not_answer_is_told_in_one_sentence(
    weights: Path, tmp_path: Path, address: str, words: str
) -> None:
    table = save_cohort(tmp_path / "c", 1)
    with pytest.raises(InputError, match=words) as refused:
        through_ray(table, tmp_path / "out", weights, lambda done: None, address=address)
    assert "\n" not in str(refused.value)
