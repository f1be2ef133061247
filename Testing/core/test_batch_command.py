"""``lmis batch`` from table to tables, with one worker in this process: what is done, kept, redone, refused, told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_runs import Run, cli_lmis
from cohort_makers import (
    SIZE,
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

from LMISCore.volumes.files import write_volume
from LMISCore.volumes.segmentation import read_segmentation
from LMISCore.volumes.volume import Geometry

__all__ = ["cli_lmis", "small_weights", "watched_pool"]

DONE, FAILED, REFUSED, STOPPED = 0, 3, 2, 130


def ran() -> list[str]:
    """Cases given to the worker since this was last asked."""
    given = [name for name in WatchedPool.given if name != "memory"]
    WatchedPool.given.clear()
    return given


def states(out: Path) -> dict[str, str]:
    return {row["case"]: row["state"] for row in read_rows(out / "cases.csv")}


def test_every_pair_gets_its_files_and_every_finding_a_row(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table, out = save_cohort(tmp_path / "c", 3), tmp_path / "out"
    code, printed, _ = lmis("batch", table, "--out", out, *options(weights))
    assert code == DONE and "3 of 3 cases are done." in printed
    assert states(out) == {f"case00{number}": "done" for number in range(3)} and read_rows(out / "errors.csv") == []
    found = [(row["case"], row["finding"], row["status"], row["side"]) for row in read_rows(out / "results.csv")]
    assert found == [
        ("case000", "pulmonary infection", "affirmed", "left"),
        ("case000", "pleural effusion", "negated", ""),
        ("case001", "pulmonary infection", "affirmed", "right"),
        ("case001", "", "normal", ""),
        ("case002", "pulmonary infection", "affirmed", "left right"),
    ]
    folder = out / "cases" / "case000"
    assert {path.name for path in folder.iterdir()} == {
        f"case000.{kind}" for kind in ("csv", "json", "done.json", "seg.nrrd")
    }
    summary = json.loads((folder / "case000.json").read_text(encoding="utf-8"))
    assert summary["outputs"]["segmentation"] == str(folder / "case000.seg.nrrd")
    (segment,) = read_segmentation(folder / "case000.seg.nrrd")[0]
    # All of 8 x 8 x 3 voxels of 1.225 mm3 are marked by these weights.
    assert segment.mask.all() and read_rows(out / "results.csv")[0]["volume_ml"] == "0.235"
    assert read_rows(out / "cases.csv")[0]["segments_volume_ml"] == "0.235"


def test_names_and_dates_of_a_report_are_in_no_table_unless_asked_for(lmis: Run, weights: Path, tmp_path: Path) -> None:
    row = {**save_case(tmp_path, 2), "patient": "Erika Mustermann"}
    table = save_table(tmp_path / "table.csv", [row])
    assert lmis("batch", table, "--out", "hidden", *options(weights))[0] == DONE
    assert lmis("batch", table, "--out", "plain", *options(weights), "--scrub", "none")[0] == DONE
    hidden, plain = (b"".join(tables(tmp_path / name).values()).decode() for name in ("hidden", "plain"))
    assert "Miller" in plain and "May 2021" in plain
    assert not any(word in hidden for word in ("Miller", "2021", "Mustermann")) and "Mustermann" not in plain


def test_a_case_that_cannot_be_read_is_told_in_one_sentence_and_skipped(
    lmis: Run, weights: Path, tmp_path: Path
) -> None:
    table, out = save_cohort(tmp_path / "c", 3), tmp_path / "out"
    whole = (tmp_path / "c/scans/case001.nrrd").read_bytes()
    (tmp_path / "c/scans/case001.nrrd").write_bytes(whole[:-20])
    code, printed, _ = lmis("batch", table, "--out", out, *options(weights))
    assert code == FAILED and "2 of 3 cases are done, 1 failed." in printed
    assert states(out) == {"case000": "done", "case001": "failed", "case002": "done"}
    ((error),) = read_rows(out / "errors.csv")
    assert (error["row"], error["case"], error["kind"]) == ("3", "case001", "bad_input")
    assert "case001.nrrd" in error["message"] and error["message"].count("\n") == 0
    assert not (out / "cases" / "case001").exists() and ran() == ["case000", "case001", "case002"]
    (tmp_path / "c/scans/case001.nrrd").write_bytes(whole)
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    assert ran() == ["case001"] and read_rows(out / "errors.csv") == []
    assert not list((out / "failed").iterdir())


def test_bad_and_repeated_rows_are_told_beside_the_results(lmis: Run, weights: Path, tmp_path: Path) -> None:
    first, second = save_case(tmp_path, 0), save_case(tmp_path, 1)
    rows = [first, {**first, "id": "twice"}, second]
    assert lmis("batch", save_table(tmp_path / "table.csv", rows), "--out", "out", *options(weights))[0] == DONE
    assert ran() == ["case000", "case001"]
    rows.append({**second, "id": "gone", "volume": "none.nrrd"})
    code, _, _ = lmis("batch", save_table(tmp_path / "table.csv", rows), "--out", "out", *options(weights))
    assert code == FAILED and ran() == []
    kinds = [(row["row"], row["case"], row["kind"]) for row in read_rows(tmp_path / "out" / "errors.csv")]
    assert kinds == [("3", "twice", "duplicate"), ("5", "gone", "bad_row")]


def test_a_finished_cohort_starts_no_worker_and_writes_the_same_tables(
    lmis: Run, weights: Path, tmp_path: Path
) -> None:
    table, out = save_cohort(tmp_path / "c", 2), tmp_path / "out"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    before = tables(out)
    WatchedPool.given.clear()
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    assert WatchedPool.given == [] and tables(out) == before


def test_only_what_changed_is_run_again(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table, out = save_cohort(tmp_path / "c", 4), tmp_path / "out"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    ran()
    (tmp_path / "c/reports/case001.txt").write_text("Infection in both lungs.", encoding="utf-8")
    done = out / "cases" / "case002" / "case002.seg.nrrd"
    made = done.stat().st_mtime_ns
    os.utime(tmp_path / "c/scans/case002.nrrd", (1, 1))
    (out / "cases" / "case003" / "case003.seg.nrrd").unlink()
    (out / "cases" / "case000" / "case000.csv").write_text("cut short", encoding="utf-8")
    code, printed, _ = lmis("batch", table, "--out", out, *options(weights), "--json")
    found = json.loads(printed)
    assert code == DONE and ran() == ["case000", "case001", "case002", "case003"]
    # The touched volume holds what it held: its result stays the same file.
    assert (found["segmented"], found["kept"]) == (3, 1) and done.stat().st_mtime_ns == made
    assert [row["side"] for row in read_rows(out / "results.csv") if row["case"] == "case001"] == ["left right"]
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE and ran() == []


def test_contents_changed_behind_an_old_time_are_found_when_all_are_to_be_looked_at(
    lmis: Run, weights: Path, tmp_path: Path
) -> None:
    table, out, volume = save_cohort(tmp_path / "c", 2), tmp_path / "out", tmp_path / "c/scans/case000.nrrd"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    times = volume.stat()
    write_volume(volume, np.zeros(SIZE[::-1], dtype=np.int16), Geometry(SIZE, (0.7, 0.7, 2.5)), compress=False)
    os.utime(volume, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert volume.stat().st_size == times.st_size
    code, printed, _ = lmis("batch", table, "--out", out, *options(weights), "--verify", "--json")
    found = json.loads(printed)
    assert code == DONE and (found["segmented"], found["kept"]) == (1, 1)


@pytest.mark.parametrize("change", ["threshold", "weights", "card"])
def test_results_of_other_settings_or_weights_are_not_mixed_and_not_replaced_unasked(
    lmis: Run, weights: Path, tmp_path: Path, change: str
) -> None:
    table, out = save_cohort(tmp_path / "c", 1), tmp_path / "out"
    assert lmis("batch", table, "--out", out, *options(weights))[0] == DONE
    before = tables(out)
    ran()
    other = options(weights)
    if change == "threshold":
        other += ["--threshold", "0.9"]
    else:
        from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint

        found = load_checkpoint(weights / "tiny.safetensors")
        card = found.card
        if change == "weights":
            parameter = next(found.network.parameters())
            parameter.data += 1
        else:
            card.thresholds["mask"] = 0.9
        card = type(card)(**{**vars(card), "weights_hash": ""})
        save_checkpoint(tmp_path / "other.safetensors", found.network, card)
        other[1] = str(tmp_path / "other.safetensors")
    code, printed, told = lmis("batch", table, "--out", out, *other)
    word = "threshold none instead of 0.9" if change == "threshold" else change
    assert code == REFUSED and printed == "" and "holds results made with" in told and word in told
    assert tables(out) == before and ran() == []
    assert lmis("batch", table, "--out", out, *other, "--redo")[0] == DONE
    assert ran() == ["case000"] and tables(out) != before


def test_an_interrupted_run_keeps_what_is_done_and_goes_on_to_the_same_tables(
    lmis: Run, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = save_cohort(tmp_path / "c", 4)
    assert lmis("batch", table, "--out", "whole", *options(weights))[0] == DONE
    ran()
    give = WatchedPool.give

    def interrupted(pool: WatchedPool, identifier: str, job: dict[str, object]) -> None:
        if len(WatchedPool.given) == 3:
            raise KeyboardInterrupt
        give(pool, identifier, job)

    monkeypatch.setattr(WatchedPool, "give", interrupted)
    assert lmis("batch", table, "--out", "out", *options(weights))[0] == STOPPED
    assert [*states(tmp_path / "out").values()] == ["done", "done", "waiting", "waiting"]
    assert json.loads((tmp_path / "out/batch.json").read_text(encoding="utf-8"))["complete"] is False
    monkeypatch.setattr(WatchedPool, "give", give)
    ran()
    assert lmis("batch", table, "--out", "out", *options(weights))[0] == DONE
    assert ran() == ["case002", "case003"]
    assert tables(tmp_path / "out") == tables(tmp_path / "whole")


def test_parts_of_a_table_give_together_what_one_run_gives(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table = save_cohort(tmp_path / "c", 5)
    assert lmis("batch", table, "--out", "whole", *options(weights))[0] == DONE
    ran()
    for part, cases in (("1/2", ["case000", "case002", "case004"]), ("2/2", ["case001", "case003"])):
        code, printed, _ = lmis("batch", table, "--out", "parts", *options(weights), "--shard", part)
        assert code == DONE and ran() == cases and "--collect" in printed
    assert not (tmp_path / "parts" / "results.csv").exists()
    assert lmis("batch", table, "--out", "parts", *options(weights), "--collect")[0] == DONE
    assert ran() == [] and tables(tmp_path / "parts") == tables(tmp_path / "whole")


def test_a_case_that_ends_its_worker_is_tried_again_and_then_given_up(lmis: Run, weights: Path, tmp_path: Path) -> None:
    table = save_cohort(tmp_path / "c", 3)
    WatchedPool.lose.update(case000=1, case001=9)
    code, printed, _ = lmis("batch", table, "--out", "out", *options(weights), "--attempts", "2")
    assert code == FAILED and "given to a fresh worker 2 times" in printed
    assert states(tmp_path / "out") == {"case000": "done", "case001": "failed", "case002": "done"}
    assert read_rows(tmp_path / "out/errors.csv")[0]["kind"] == "worker_lost"


def test_a_row_may_name_weights_of_its_own_and_wrong_ones_fail_alone(lmis: Run, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.safetensors").write_bytes(b"no weights")
    shutil.copy(weights / "tiny.safetensors", tmp_path / "same.safetensors")
    rows = [save_case(tmp_path, number) for number in range(3)]
    rows[0]["checkpoint"], rows[1]["checkpoint"] = "wrong.safetensors", "same.safetensors"
    code, _, _ = lmis("batch", save_table(tmp_path / "table.csv", rows), "--out", "out", *options(weights))
    assert code == FAILED
    assert states(tmp_path / "out") == {"case000": "failed", "case001": "done", "case002": "done"}
    assert "wrong.safetensors" in read_rows(tmp_path / "out/errors.csv")[0]["message"]


def test_cases_that_the_table_no_longer_names_are_left_alone_and_out_of_the_tables(
    lmis: Run, weights: Path, tmp_path: Path
) -> None:
    rows = [save_case(tmp_path, number) for number in range(2)]
    assert lmis("batch", save_table(tmp_path / "t.csv", rows), "--out", "out", *options(weights))[0] == DONE
    assert lmis("batch", save_table(tmp_path / "t.csv", rows[1:]), "--out", "out", *options(weights))[0] == DONE
    assert states(tmp_path / "out") == {"case001": "done"} and (tmp_path / "out/cases/case000").is_dir()
