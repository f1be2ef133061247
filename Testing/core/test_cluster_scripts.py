"""The Slurm scripts call what they say; the programs around them are stand-ins that print how they were called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from LMISCore.cohorts.settings import BatchJob

SCRIPTS = Path(__file__).resolve().parents[2] / "Training" / "cluster"


@pytest.fixture(name="programs")
def stand_ins(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    answers = {
        "lmis": 'printf "%s\\n" lmis "$@"',
        "srun": 'printf "%s\\n" srun "$@"; printf "token %s\\n" "${#RAY_AUTH_TOKEN}" "$RAY_AUTH_MODE"',
        "scontrol": 'printf "%s\\n" node07 node08',
        "getent": 'echo "10.0.0.7 STREAM $2"',
    }
    for name, line in answers.items():
        (folder / name).write_text(f"#!/bin/bash\n{line}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def call(script: str, programs: Path, *arguments: str, **variables: str) -> list[str]:
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", **variables}
    command = ["bash", str(SCRIPTS / script), *arguments]
    found = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=True)
    return found.stdout.splitlines()


def test_a_task_of_an_array_runs_its_own_part(programs: Path) -> None:
    task = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "16"}
    found = call("array.sbatch", programs, "my table.csv", "out", "--device", "cpu", **task)
    assert found == ["lmis", "batch", "my table.csv", "--out", "out", "--shard", "3/16", "--device", "cpu"]
    assert BatchJob("t", shard=found[6]).part() == (3, 16)


def test_the_job_after_an_array_writes_the_tables_alone(programs: Path) -> None:
    found = call("collect.sbatch", programs, "t.csv", "out", "--device", "cpu")
    assert found == ["lmis", "batch", "t.csv", "--out", "out", "--collect", "--device", "cpu"]


def test_the_ray_job_starts_ray_on_all_nodes_and_the_run_on_the_first(programs: Path) -> None:
    job = {"SLURM_JOB_NODELIST": "node[07-08]", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "32"}
    found = call("ray.sbatch", programs, "t.csv", "out", "--workers", "8", **job)
    middle = found.index("--")
    start, run = found[:middle], found[middle + 1 : -2]
    assert start[:5] == ["srun", "--nodes=2", "--ntasks=2", "ray", "symmetric-run"]
    assert start[start.index("--address") + 1] == "10.0.0.7:6379" and start[start.index("--min-nodes") + 1] == "2"
    address = ["--engine", "ray", "--address", "10.0.0.7:6379"]
    assert run == ["lmis", "batch", "t.csv", "--out", "out", *address, "--workers", "8"]
    # Programs of others in the network are kept out by a token.
    assert found[-2:] == ["token 64", "token token"]
