"""What a run over a table does when disk, folder, inputs or another run stand in its way."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_runs import Run, cli_lmis
from cohort_kills import hold
from cohort_makers import (
    WatchedPool,
    options,
    read_rows,
    save_case,
    save_cohort,
    save_table,
    small_weights,
    tables,
    watched_pool,
)

from LMISCore.cohorts import case_job
from LMISCore.cohorts.case import Case
from LMISCore.cohorts.case_job import CaseJob, OtherVersionError, run_case_job
from LMISCore.cohorts.folder import CohortFolder
from LMISCore.cohorts.memory_job import SENTENCES, VOXEL_BYTES, MemoryJob, run_memory_job
from LMISCore.cohorts.settings import RESULT_SETTINGS, RUN_SETTINGS, BatchJob, Identity
from LMISCore.cohorts.table import read_cohort
from LMISCore.errors import InputError
from LMISCore.inference.jobs import SegmentJob, run_segment_job
from LMISCore.inference.warm import Predictors
from LMISCore.volumes.files import write_volume
from LMISCore.volumes.volume import Geometry

__all__ = ["cli_lmis", "small_weights", "watched_pool"]


def full(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    """A call that finds the disk full when something that ends in this name is to be written."""

    def refusing(*values: Any, **settings: Any) -> Any:
        if any(str(value).endswith(name) for value in (*values, *settings.values())):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return call(*values, **settings)

    return refusing


@pytest.mark.parametrize(
    ("owner", "attribute", "name"),
    [
        (tempfile, "mkdtemp", ".case001.preparing-"),
        (os, "rename", "case001.csv"),
        (Path, "write_text", "case001.done.json"),
        (os, "rename", "cases/case001"),
    ],
)
def test_a_full_disk_stops_the_run_with_one_sentence_and_nothing_half_made(
    lmis: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, attribute: str, name: str
) -> None:
    table, out = save_cohort(tmp_path / "c", 3), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(owner, attribute, full(getattr(owner, attribute), name))
        code, printed, told = lmis("batch", table, "--out", out, *options(weights))
    assert code == 2 and printed == "" and "is full; free some space" in told
    assert {path.name for path in (out / "cases").iterdir()} == {"case000"}
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    assert [row["state"] for row in read_rows(out / "cases.csv")] == ["done"] * 3


def test_a_second_run_on_the_same_folder_is_refused_while_the_first_lives(
    lmis: Run, weights: Path, tmp_path: Path
) -> None:
    table, out = save_cohort(tmp_path / "c", 1), tmp_path / "out"
    holder = hold(out)
    try:
        code, printed, told = lmis("batch", table, "--out", out, *options(weights))
        assert code == 2 and printed == "" and told.count("\n") == 1
        assert f"Another run works on {out} (process {holder.pid} on " in told
        assert {path.name for path in out.iterdir()} == {"batch.lock"}
    finally:
        holder.kill()
        holder.communicate()
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    assert not (out / "batch.lock").exists()


def test_a_folder_of_something_else_is_not_written_to(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table = save_cohort(tmp_path / "c", 1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.csv").write_text("mine\n", encoding="utf-8")
    code, _, told = lmis("batch", table, "--out", "other", *options(weights))
    assert code == 2 and "holds results.csv, but not from a run" in told
    assert (tmp_path / "other" / "results.csv").read_text(encoding="utf-8") == "mine\n"
    code, _, told = lmis("batch", table, "--out", table, *options(weights))
    assert code == 2 and "is a file; give a folder" in told
    code, _, told = lmis("batch", table, "--out", "nothing", *options(weights), "--collect")
    assert code == 2 and "There are no results" in told
    assert not (tmp_path / "nothing").exists()


def test_the_table_itself_is_not_overwritten(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table = save_table(tmp_path / "cases.csv", [save_case(tmp_path, 0)])
    before = table.read_bytes()
    code, _, told = lmis("batch", table, "--out", tmp_path, *options(weights))
    assert code == 2 and "would overwrite the table" in told and table.read_bytes() == before


def test_what_a_killed_run_left_half_made_is_cleared_and_its_case_run(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table, out = save_cohort(tmp_path / "c", 2), tmp_path / "out"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    whole = tables(out)
    folder = CohortFolder(out)
    half = folder.prepare("case001")
    (half / "case001.seg.nrrd").write_bytes(b"half")
    other = folder.prepare("of-another-table")
    # Killed between the two renames of a replacement: the old folder is away, the new one not yet there.
    os.rename(folder.case("case000"), folder.cases / ".case000.replaced-x")
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    assert {path.name for path in folder.cases.iterdir()} == {"case000", "case001", other.name}
    assert tables(out) == whole


def task(small: Path, folder: Path, **changes: Any) -> CaseJob:
    """The first case of a cohort as its worker gets it."""
    table = save_cohort(folder / "c", 1)
    job = BatchJob(
        str(table),
        checkpoint=str(small / "tiny.safetensors"),
        text_encoder=str(small / "encoder"),
        device="cpu",
        overlay=False,
    )
    values = Identity(job).job(read_cohort(table).cases[0], folder / "out")
    return CaseJob.from_dict({key: value for key, value in {**values, **changes}.items() if key != "task"})


@pytest.mark.parametrize(
    ("change", "words"),
    [({"version": "0.0.1"}, "the run has 0.0.1"), ({"weights": "ab" * 32}, "the run has abababababab")],
)
def test_a_worker_of_another_version_or_with_other_weights_writes_nothing(
    weights: Path, tmp_path: Path, change: dict[str, str], words: str
) -> None:
    with pytest.raises(OtherVersionError, match=words):
        run_case_job(task(weights, tmp_path, **change))
    assert not list(tmp_path.glob("out/cases/*"))


def test_a_volume_that_changes_while_it_is_read_gives_no_result(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, plain = task(weights, tmp_path), run_segment_job

    def changing(*values: Any) -> Any:
        os.utime(job.segment.volume or "", (1, 1))
        return plain(*values)

    monkeypatch.setattr(case_job, "run_segment_job", changing)
    with pytest.raises(InputError, match="changed while they were read"):
        run_case_job(job)
    assert not list(tmp_path.glob("out/cases/*")) and not list(tmp_path.glob("out/cases/.*"))


def test_a_worker_forgets_sentences_so_that_its_memory_stays_bounded(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_job, "KEPT_SENTENCES", 2)
    job, predictors = task(weights, tmp_path), Predictors()
    job.segment.report = None
    for text in ("Infection in the left lung.", "Infection in the right lung. Infection in both lungs."):
        job.segment.text, job.key = text, text
        run_case_job(job, None, predictors)
    kept = predictors.get(job.segment.checkpoint, "cpu", text_encoder=job.segment.text_encoder)
    assert len(kept.cache) == 2


def test_a_worker_says_what_the_largest_volume_will_take(weights: Path, tmp_path: Path) -> None:
    for name, side in (("small", 4), ("large", 40)):
        array = np.zeros((side, side, side), dtype=np.int16)
        write_volume(tmp_path / f"{name}.nrrd", array, Geometry((side, side, side)))
    (tmp_path / "broken.nrrd").write_bytes(b"NRRD")

    def need(*names: str) -> dict[str, Any]:
        job = MemoryJob(
            tuple(str(tmp_path / f"{name}.nrrd") for name in names),
            checkpoint=str(weights / "tiny.safetensors"),
            text_encoder=str(weights / "encoder"),
            device="cpu",
        )
        return run_memory_job(job)

    small, large = need("small", "broken"), need("small", "large")
    assert (small["voxels"], large["voxels"]) == (4**3, 40**3)
    each = 2 + VOXEL_BYTES + SENTENCES + 1
    # What the process holds meanwhile moves by some megabytes.
    assert abs(large["host"] - small["host"] - each * (40**3 - 4**3)) < 100e6
    assert large["host"] > 100e6 and large["device"] == 0 and large["free_device"] is None
    assert large["free_host"] is None or large["free_host"] > large["host"] / 100


def test_a_worker_task_with_another_key_is_refused(weights: Path, tmp_path: Path) -> None:
    job = task(weights, tmp_path)
    values = {**vars(job), "segment": {"volume": "a.nrrd"}}
    assert CaseJob.from_dict(values).segment.volume == "a.nrrd"
    for wrong in ({**values, "more": 1}, {key: values[key] for key in ("id", "folder")}, {**values, "segment": "x"}):
        with pytest.raises(InputError, match="expected id, folder"):
            CaseJob.from_dict(wrong)
    with pytest.raises(InputError, match="names no table"):
        BatchJob.from_dict({"out": "x"})


def test_the_state_of_a_run_lies_in_files_alone(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table, out = save_cohort(tmp_path / "c", 1), tmp_path / "out"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    about = json.loads((out / "batch.json").read_text(encoding="utf-8"))
    assert (
        about["complete"] is True and about["settings"]["weights"] == read_rows(out / "cases.csv")[0]["checkpoint_hash"]
    )
    record = out / "cases" / "case000" / "case000.done.json"
    record.write_text(record.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    WatchedPool.given.clear()
    assert lmis("batch", table, "--out", out, *options(weights))[0] == 0
    assert WatchedPool.given == ["memory", "case000"]


def test_every_setting_of_a_segmentation_belongs_to_the_run_or_to_a_case() -> None:
    of_run = {*RESULT_SETTINGS, *RUN_SETTINGS}
    own = set(Case("a", 2, "a.nrrd").job({}))
    # Chosen by the run itself, or of no use to it.
    left_out = {"out", "sample", "only", "boxes"}
    assert {field.name for field in dataclasses.fields(SegmentJob)} == of_run | own | left_out
    assert of_run <= {field.name for field in dataclasses.fields(BatchJob)}
