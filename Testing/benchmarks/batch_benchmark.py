"""Cases a minute against the number of workers, and what ``lmis batch`` adds to each case.

    python Testing/benchmarks/batch_benchmark.py --cases 60 --workers 1 2 --engines local ray --out batch.json
    python Testing/benchmarks/batch_benchmark.py --overhead --cases 80
    python Testing/benchmarks/batch_benchmark.py --memory --slices 64 --size 512

The cases are copies of one made-up chest volume with one sentence each. The overhead of a case is its worker's time
from one case to the next less the time of segmenting itself, as ``lmis segment`` tells it: hashing, the record, the
journey of the job and its answer. Starting the workers is told apart, as it is paid once. ``--overhead`` measures the
same in processor time, for a machine that does other things meanwhile; ``--memory`` sets the estimate of a worker's
memory beside the peak that one is seen to have. Seconds belong to one machine on one day.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from segment_benchmark import made_up_chest, peak_megabytes

SENTENCE = "Infection in the left lung."


def write_cohort(folder: Path, cases: int, slices: int, size: int) -> Path:
    """Write a table whose cases are hard links of one volume, so that many take no more room than one."""
    from LMISCore.volumes.files import write_volume
    from LMISCore.volumes.volume import Geometry

    folder.mkdir(parents=True)
    first = folder / "chest.nrrd"
    array = made_up_chest(slices, size)
    write_volume(first, array, Geometry((size, size, slices), (0.7, 0.7, 1.5)), compress=False)
    table = folder / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "volume", "text"))
        for number in range(cases):
            name = f"chest{number:05d}.nrrd"
            os.link(first, folder / name)
            writer.writerow((f"case{number:05d}", name, SENTENCE))
    return table


def run_table(table: Path, out: Path, workers: int, engine: str, more: list[str]) -> dict[str, Any]:
    """Run the whole table and return cases a minute between the first and the last one, and the overhead."""
    command = [sys.executable, "-m", "LMISCore.cli.main", "batch", str(table), "--out", str(out), "--json"]
    command += ["--workers", str(workers), "--engine", engine, "--no-overlay", *more]
    began = time.time()
    found = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if found.returncode:
        raise SystemExit(found.stdout + found.stderr)
    result = json.loads(found.stdout)
    if result["segmented"] < 2 * workers:
        raise SystemExit(f"{result['segmented']} cases are too few for {workers} workers; give more with --cases.")
    ends = sorted(path.stat().st_mtime for path in out.glob("cases/*/*.done.json"))
    span, counted = ends[-1] - ends[workers - 1], len(ends) - workers
    each = span * workers / counted
    return {
        "engine": engine,
        "workers": workers,
        "cases": len(ends),
        "cases_a_minute": round(60 * counted / span, 1),
        "seconds_a_case_in_a_worker": round(each, 4),
        "of_it_segmenting": round(result["case_seconds"] / result["segmented"], 4),
        "overhead_a_case_ms": round(1000 * (each - result["case_seconds"] / result["segmented"]), 1),
        "seconds_to_the_first_case": round(ends[0] - began, 1),
    }


def measure_overhead(folder: Path, cases: int, slices: int, size: int, given: dict[str, Any]) -> dict[str, Any]:
    """What a case costs beside its segmenting, in processor time, which other programs of the machine hardly change.

    In the worker: a case and the same segmentation alone, in turn. In the run that gives out the cases: two tables of
    different length, whose difference is that of the cases.
    """
    from LMISCore.cohorts.batch_job import BatchJob, run_batch_job
    from LMISCore.cohorts.case_job import CaseJob, run_case_job
    from LMISCore.cohorts.settings import Identity
    from LMISCore.cohorts.table import read_cohort
    from LMISCore.inference.jobs import run_segment_job
    from LMISCore.inference.warm import Predictors

    spent = {}
    for count in (cases // 4, cases):
        table = write_cohort(folder / f"cohort-{count}", count, slices, size)
        job = BatchJob(str(table), str(folder / f"out-{count}"), overlay=False, **given)
        began = time.process_time()
        run_batch_job(job)
        spent[count] = time.process_time() - began
    predictors, tasks, alone = Predictors(), 0.0, 0.0
    identity = Identity(job)
    for number, case in enumerate(read_cohort(table).cases):
        task = CaseJob.from_dict({k: v for k, v in identity.job(case, folder / "again").items() if k != "task"})
        task.segment.out = str(folder / "plain" / f"{case.id}.seg.nrrd")
        started = time.process_time()
        run_case_job(task, None, predictors)
        between = time.process_time()
        run_segment_job(task.segment, None, None, predictors)
        if number:
            # The first one loads the network.
            tasks += between - started
            alone += time.process_time() - between
    each = 1000 / (cases - 1)
    run = 1000 * (spent[cases] - spent[cases // 4]) / (cases - cases // 4)
    return {
        "cases": cases,
        "segmenting_ms": round(alone * each, 2),
        "more_in_the_worker_ms": round((tasks - alone) * each, 2),
        "in_the_run_that_gives_out_ms": round(run, 2),
    }


def measure_memory(slices: int, size: int, more: dict[str, Any]) -> dict[str, Any]:
    """Set the estimate for one volume beside the peak of segmenting it, both in this process, MB."""
    from LMISCore.cohorts.memory_job import MemoryJob, run_memory_job
    from LMISCore.inference.jobs import SegmentJob, run_segment_job
    from LMISCore.inference.warm import Predictors

    with tempfile.TemporaryDirectory() as name:
        table = write_cohort(Path(name) / "cohort", 1, slices, size)
        volume = str(table.with_name("chest.nrrd"))
        predictors = Predictors()
        estimate = run_memory_job(MemoryJob((volume,), **more), None, predictors)
        job = SegmentJob(volume=volume, text=SENTENCE, out=str(Path(name) / "out"), overlay=True, **more)
        run_segment_job(job, None, None, predictors)
    return {
        "slices": slices,
        "size": size,
        "estimated_mb": round(estimate["host"] / 1e6),
        "peak_mb": round(peak_megabytes()),
    }


def compare(folder: Path, args: argparse.Namespace, more: list[str]) -> list[dict[str, Any]]:
    """Run the same table with each engine and number of workers, printing each row when it is there."""
    table = write_cohort(folder / "cohort", args.cases, args.slices, args.size)
    rows = []
    for engine in args.engines:
        for workers in args.workers:
            rows.append(run_table(table, folder / f"{engine}-{workers}", workers, engine, more))
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=60, help="of each run (default: 60)")
    parser.add_argument("--slices", type=int, default=8, help="of each volume (default: 8)")
    parser.add_argument("--size", type=int, default=64, help="rows and columns of each slice (default: 64)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers to compare (default: 1 2)")
    parser.add_argument("--engines", nargs="+", default=["local"], help="local, ray (default: local)")
    parser.add_argument("--checkpoint", help="folder or file (default: the bundled weights)")
    parser.add_argument("--text-encoder", help="folder of the text encoder")
    parser.add_argument("--overhead", action="store_true", help="measure the processor time of a case instead")
    parser.add_argument("--memory", action="store_true", help="compare the memory estimate with a peak instead")
    parser.add_argument("--out", metavar="FILE", help="write the figures as JSON there")
    args = parser.parse_args()
    chosen = {"checkpoint": args.checkpoint, "text_encoder": args.text_encoder, "device": "cpu"}
    about = {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()}
    if args.memory:
        rows = [measure_memory(args.slices, args.size, chosen)]
    else:
        more = ["--device", "cpu"]
        for name in ("checkpoint", "text_encoder"):
            if chosen[name]:
                more += [f"--{name.replace('_', '-')}", chosen[name]]
        folder = Path(tempfile.mkdtemp(prefix="lmis-batch-"))
        try:
            if args.overhead:
                rows = [measure_overhead(folder, args.cases, args.slices, args.size, chosen)]
            else:
                rows = compare(folder, args, more)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    result = {"machine": about, "rows": rows}
    print(json.dumps(result, indent=2))
    if args.out:
        from LMISCore.atomic import write_json

        write_json(args.out, result)


if __name__ == "__main__":
    main()
