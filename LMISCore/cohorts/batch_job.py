"""A table of volumes and reports in, a segmentation for each and one table over all out; it goes on where it was."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LMISCore.cohorts.case import Case
from LMISCore.cohorts.folder import TABLES, CohortFolder
from LMISCore.cohorts.lock import FolderLock
from LMISCore.cohorts.planning import plan_workers
from LMISCore.cohorts.pool import Pool
from LMISCore.cohorts.schedule import Progress, Schedule, Tally
from LMISCore.cohorts.settings import BatchJob, Identity, difference, part_of
from LMISCore.cohorts.table import Cohort, read_cohort
from LMISCore.cohorts.tables import Counts, write_tables
from LMISCore.errors import Cancelled, InputError

if TYPE_CHECKING:
    from LMISCore.inference.warm import Predictors

__all__ = ["BatchJob", "run_batch_job"]

Log = Callable[[str], None]


def run_batch_job(
    job: BatchJob, progress: Progress | None = None, log: Log | None = None, predictors: Predictors | None = None
) -> dict[str, Any]:
    """Run what is not done yet of a table, and write the tables over all of it.

    Args:
        job: what to do.
        progress: called with (done, total, stage); returning False stops, keeping what is finished.
        log: gets sentences for the user.
        predictors: of the process, for the engine here.

    Returns:
        plain JSON values: "cases", "done", "failed", "waiting", "duplicates", "findings"; "segmented", "kept",
        "retried", "case_seconds" of this run; "tables" by name, "message", "seconds" and "complete".

    Raises:
        InputError: if nothing can be run, or the disk is full; finished cases are kept.
        Cancelled: if the progress callback returned False; the tables are written all the same.
    """
    started = time.monotonic()
    job.check()
    say = log or (lambda message: None)
    cohort = read_cohort(job.table)
    part = job.part()
    folder = CohortFolder(job.out)
    _check_place(folder, cohort, job)
    identity = Identity(job)
    with FolderLock(folder.root, part):
        _check_settings(folder, identity, job)
        keys, bad = _keys(cohort.cases, identity)
        mine = [case for case in part_of(cohort.cases, part) if case.id not in bad]
        tally = Tally()
        stopped: BaseException | None = None
        if not job.collect:
            # Runs of other parts may be writing the same at this moment: one line of it is enough.
            if part is None or folder.about().get("settings") != identity.about:
                folder.write_about({"settings": identity.about, "complete": False})
            names = [case.id for case in part_of(cohort.cases, part)]
            for case in part_of(cohort.cases, part):
                folder.forget_failure(case.id)
                if case.id in bad:
                    folder.write_failure(case, "bad_input", bad[case.id])
            folder.clean(names)
            try:
                tally = _run(job, folder, identity, mine, keys, progress, say, predictors)
            except (Cancelled, KeyboardInterrupt) as error:
                stopped = error
            finally:
                # Of workers that ended in the middle of a case.
                folder.clean(names)
        tables: dict[str, str] = {}
        if part is None or job.collect:
            counts = write_tables(folder, cohort.cases, keys, cohort.problems)
            tables = {Path(name).stem: str(folder.root / name) for name in TABLES}
            folder.write_about({"settings": identity.about, "complete": counts.waiting == 0})
        else:
            counts = _count(folder, part_of(cohort.cases, part), keys)
        if stopped is not None:
            raise stopped
    return _result(cohort, counts, tally, tables, time.monotonic() - started, part)


def _run(
    job: BatchJob,
    folder: CohortFolder,
    identity: Identity,
    cases: list[Case],
    keys: dict[str, str],
    progress: Progress | None,
    say: Log,
    predictors: Predictors | None,
) -> Tally:
    """Give all cases to workers whose results are not there or not current."""
    current = set() if job.verify else {case.id for case in cases if folder.is_current(case, keys[case.id])}
    waiting = [case for case in cases if case.id not in current]
    if current:
        say(f"{len(current)} of {len(cases)} cases are done already.")
    changed = sum(bool(folder.done(case.id)) for case in waiting)
    if changed and not job.verify:
        say(f"{changed} of the other cases have results of other inputs or settings, which will be replaced.")
    if not waiting:
        return Tally()
    # A worker keeps one network: cases of one checkpoint follow each other.
    waiting.sort(key=lambda case: case.checkpoint or "")
    names = {case.id: case for case in waiting}
    jobs = {case.id: identity.job(case, folder.root) for case in waiting}
    told = _Told(progress)
    with _pool(job, folder, len(waiting), told.again, predictors) as pool:
        plan_workers(pool, job, waiting, say, told)
        schedule = Schedule(
            pool,
            lambda name, kind, message: folder.write_failure(names[name], kind, message),
            job.attempts,
            job.case_seconds,
            progress=told,
            before=len(current),
            total=len(cases),
        )
        return schedule.run(jobs)


class _Told:
    """The run's progress, which is told again while a case is running in this process, to ask whether to go on."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._last = (0, 0, "")

    def __call__(self, done: int, total: int, stage: str) -> bool | None:
        self._last = (done, total, stage)
        return None if self._progress is None else self._progress(done, total, stage)

    def again(self) -> bool:
        return self(*self._last) is not False


@contextmanager
def _pool(
    job: BatchJob, folder: CohortFolder, cases: int, goes_on: Callable[[], bool], predictors: Predictors | None
) -> Iterator[Pool]:
    part = job.part()
    pool: Pool
    workers = min(job.workers, cases)
    threads = job.threads or (1 if job.address else max(1, _cores() // workers))
    if job.engine == "ray":
        from LMISCore.cohorts.ray_pool import RayPool

        pool = RayPool(job.address, workers, threads, job.devices()[0])
    elif job.engine == "here":
        from LMISCore.cohorts.here_pool import HerePool

        pool = HerePool(goes_on, predictors)
    else:
        from LMISCore.cohorts.local_pool import LocalPool

        try:
            folder.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"Cannot write {folder.logs}: {error.strerror or error}; choose another folder."
            ) from error
        label = "" if part is None else f"part-{part[0]}-of-{part[1]}-"
        pool = LocalPool(folder.logs, label, job.devices(), threads)
    try:
        yield pool
    finally:
        pool.close()


def _cores() -> int:
    """Processor cores that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_place(folder: CohortFolder, cohort: Cohort, job: BatchJob) -> None:
    if job.collect and not folder.root.exists():
        raise _nothing_to_collect(folder)
    if folder.root.exists() and not folder.root.is_dir():
        raise InputError(f"The output {folder.root} is a file; give a folder.")
    if cohort.table.parent == folder.root and cohort.table.name in TABLES:
        raise InputError(f"The results would overwrite the table {cohort.table}; choose another output folder.")


def _nothing_to_collect(folder: CohortFolder) -> InputError:
    return InputError(f"There are no results in {folder.root} to put into tables; run the table first.")


def _check_settings(folder: CohortFolder, identity: Identity, job: BatchJob) -> None:
    """Results of other settings are not mixed with these, and not replaced without being asked."""
    kept = folder.about().get("settings")
    if not isinstance(kept, dict):
        if job.collect:
            raise _nothing_to_collect(folder)
        return
    words = difference(kept, identity.about)
    if words and (job.collect or not job.redo):
        raise InputError(
            f"{folder.root} holds results made with {words}; give the same settings, choose another folder, or replace "
            "them all with --redo."
        )


def _keys(cases: list[Case], identity: Identity) -> tuple[dict[str, str], dict[str, str]]:
    """Key of each case; and where a case's own checkpoint cannot be used, why."""
    keys: dict[str, str] = {}
    bad: dict[str, str] = {}
    for case in cases:
        try:
            keys[case.id] = identity.key(case)
        except InputError as error:
            keys[case.id], bad[case.id] = "", str(error)
    return keys, bad


def _count(folder: CohortFolder, cases: list[Case], keys: dict[str, str]) -> Counts:
    counts = Counts()
    for case in cases:
        if folder.is_current(case, keys[case.id]):
            counts.done += 1
        elif folder.failure(case.id):
            counts.failed += 1
        else:
            counts.waiting += 1
    return counts


def _result(
    cohort: Cohort, counts: Counts, tally: Tally, tables: dict[str, str], seconds: float, part: tuple[int, int] | None
) -> dict[str, Any]:
    total = counts.done + counts.failed + counts.waiting
    where = "" if part is None else f" of part {part[0]} of {part[1]}"
    words = f"{counts.done} of {total} cases{where} are done"
    if counts.failed:
        words += f", {counts.failed} failed"
    if counts.waiting:
        words += f", {counts.waiting} have not been run"
    if counts.duplicates:
        words += f"; {counts.duplicates} rows repeat another"
    return {
        "table": str(cohort.table),
        "cases": total,
        "done": counts.done,
        "failed": counts.failed,
        "waiting": counts.waiting,
        "duplicates": counts.duplicates,
        "findings": counts.findings,
        "segmented": tally.done,
        "kept": tally.kept,
        "retried": tally.retried,
        "case_seconds": round(tally.seconds, 3),
        "tables": tables,
        "message": f"{words}.",
        "seconds": round(seconds, 3),
        "complete": counts.waiting == 0,
    }
