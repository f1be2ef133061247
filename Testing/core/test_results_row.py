"""One row of RESULTS.md: trained by its recipe, measured on Test, kept as a small record; the random encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from lvit_maker import write_lvit
from pytest import CaptureFixture, MonkeyPatch
from tiny_checkpoint import save_tiny_encoder

from LMISCore.text.encoders import create_encoder
from Training import results_all, results_row
from Training.results_encoder import random_encoder
from Training.results_figures import mean_dice
from Training.results_table import Row

RECIPE = """
name: trial
network: {options: {width: 4}}
text: {rewrite: lvit_axial}
image: {size: [32, 32], convention: unit, plane: axial}
pairs: {shares: {report: 1, side: 1}, names: [pulmonary infection]}
training: {steps: 2, batch: 2, validate_every: 1, precision: fp32, warmup: 1}
card: {findings: {pulmonary infection: [infection]}}
variants: {tirnet: {}}
variant: tirnet
"""


def test_a_row_is_trained_measured_and_kept_and_a_second_run_gives_the_same_weights(tmp_path: Path) -> None:
    save_tiny_encoder(tmp_path / "encoder")
    write_lvit(tmp_path / "sets" / "trial")
    (tmp_path / "results" / "recipes").mkdir(parents=True)
    (tmp_path / "results" / "recipes" / "trial.yaml").write_text(RECIPE, encoding="utf-8")
    row = Row("trial-row", "main", "trial", "tirnet", overrides=(f"text.encoder={tmp_path / 'encoder'}",))
    sets, runs, results = tmp_path / "sets", tmp_path / "runs", tmp_path / "results"
    first = results_row.run_row(row, sets, runs, results=results)
    second = results_row.run_row(row, sets, runs, again=True, results=results)
    kept = json.loads((tmp_path / "results" / "rows" / "trial-row.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(first))
    assert (tmp_path / "results" / "again" / "trial-row.json").is_file()
    assert first["test"]["checkpoint_hash"] == second["test"]["checkpoint_hash"]
    assert mean_dice(first) == pytest.approx(first["test"]["conditions"]["right sentence"]["mean_dice"][0], abs=1e-5)
    # Shrunk to half the size and enlarged again: less than perfect.
    assert 0.7 < first["test"]["ceiling"] < 1
    assert [line[0] for line in first["training"]["log"]] == [1, 2]
    assert first["budget"]["pairs"] == {"train": 6, "val": 6}
    assert len(first["test"]["lungs"]) == first["test"]["n"] == 6
    looks = (tmp_path / "results" / "test_runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["earlier_runs"] for line in looks] == [0, 1]


def test_an_unknown_row_ends_in_one_sentence(capsys: CaptureFixture[str], tmp_path: Path) -> None:
    assert results_row.main(["no-such-row", "--data", str(tmp_path)]) == 2
    assert "There is no row no-such-row; expected one of: ct-tirnet" in capsys.readouterr().err


def test_rows_done_are_left_out_and_failed_ones_are_run_when_asked(monkeypatch: MonkeyPatch) -> None:
    found = {"ct-tirnet": {"row": "ct-tirnet"}, "ct-reclmis": {"row": "ct-reclmis", "failed": "no memory"}}
    monkeypatch.setattr(results_all, "read_record", lambda name, again=False: found.get(name))
    waiting = results_all.waiting("ct-*", again=False, retry=False)
    assert waiting[0] == "ct-tmca"
    assert "ct-reclmis" not in waiting
    assert not any(name.startswith("cxr") for name in waiting)
    assert results_all.waiting("ct-*", again=False, retry=True)[0] == "ct-reclmis"


def test_a_pattern_that_no_row_matches_is_refused(capsys: CaptureFixture[str], monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["results_all.py", "--data", "x", "--rows", "^ct"])
    assert results_all.main() == 2
    assert "No row's id matches '^ct'" in capsys.readouterr().err


def test_a_random_encoder_is_the_same_each_time_and_knows_words_but_no_context(tmp_path: Path) -> None:
    words, again = (random_encoder(tmp_path / place / "random-words", 0, 24) for place in ("one", "two"))
    assert (again / "model.safetensors").read_bytes() == (words / "model.safetensors").read_bytes()
    encoder = create_encoder(words)
    assert encoder.width == 24
    states = encoder.encode(["left lung", "left kidney"]).states
    # Start and "left" stand alike in both; what comes after does not reach them.
    assert torch.equal(states[0, :2], states[1, :2])
    assert not torch.equal(states[0, 2], states[1, 2])
