"""What an evaluation leaves behind, files and figures on the card, and what it refuses to start with."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_makers import (
    ObedientNetwork,
    WordEncoder,
    card,
    checkpoint,
    one_thread,  # noqa: F401
    small_data,  # noqa: F401
    small_data_copy,  # noqa: F401
)
from PIL import Image
from tiny_checkpoint import save_tiny_encoder

from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.cli.main import main
from LMISCore.errors import InputError
from LMISCore.evaluation.card import store_figures
from LMISCore.evaluation.conditions import RIGHT
from LMISCore.evaluation.evaluate import evaluate
from LMISCore.evaluation.test_log import read_log
from LMISCore.networks import create_network
from LMISCore.text.encoders import create_encoder


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("text") / "encoder")


def saved(path: Path, encoder_folder: Path, **changes: Any) -> Path:
    """A real checkpoint on disk: a random TIRNet of width 4 with its text encoder in a folder."""
    encoder = create_encoder(encoder_folder).describe()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_network("tirnet", width=4, text_width=encoder["width"])
    save_checkpoint(path, network, card(network_options=network.options, text_encoder=encoder, **changes))
    return path


def run_command(*arguments: str) -> int:
    return main(["evaluate", *arguments])


def test_the_command_writes_its_files_the_log_and_the_card_and_leaves_the_weights(
    data: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "net.safetensors", encoder_folder)
    out, log = tmp_path / "out", tmp_path / "log.jsonl"
    before = load_checkpoint(path)
    common = [str(path), str(data), "--out", str(out), "--log", str(log), "--quiet", "--device", "cpu"]
    common += ["--encoder", str(encoder_folder)]
    assert run_command(*common) == 0
    assert run_command(*common, "--write-card", "--no-robustness") == 0
    after = load_checkpoint(path)
    assert after.hash == before.hash
    assert before.card.metrics == []
    written = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert after.card.metrics[0]["value"] == written["conditions"][RIGHT]["mean_dice"]["estimate"]
    assert after.card.test_runs_before == written["earlier_test_runs"] == 1
    assert len(read_log(log)) == 2
    assert (out / "evaluation.md").read_text(encoding="utf-8") in capsys.readouterr().out
    drawn = {"reliability.png", "listening.png", "contact_sheet.png"}
    assert {path.name for path in out.iterdir()} == {"evaluation.json", "evaluation.md", "evaluation.csv", *drawn}


def test_the_command_does_without_matplotlib_and_says_so(
    data: Path,
    encoder_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    path = saved(tmp_path / "net.safetensors", encoder_folder)
    arguments = [str(path), str(data), "--split", "Val", "--out", str(tmp_path / "out"), "--quiet", "--device", "cpu"]
    arguments += ["--encoder", str(encoder_folder), "--no-robustness", "--no-surfaces"]
    assert run_command(*arguments) == 0
    captured = capsys.readouterr()
    assert "No plots: matplotlib is not installed" in captured.err
    assert "HD95" not in captured.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"evaluation.json", "evaluation.md", "evaluation.csv", "contact_sheet.png"}


def test_new_figures_of_a_split_replace_its_old_ones_only(data: Path, encoder_folder: Path, tmp_path: Path) -> None:
    old = {"name": "mean Dice", "value": 0.5, "n": 3, "data": "x", "split": "Test"}
    path = saved(tmp_path / "net", encoder_folder, metrics=[old])
    options: dict[str, Any] = {"encoder": encoder_folder, "draws": 5, "robustness": False, "log": tmp_path / "log"}
    for split in ("Val", "Test"):
        found = evaluate(path, data, split, **options)
        store_figures(path, found)
        store_figures(path, found)
    metrics = load_checkpoint(path).card.metrics
    main = [(metric["data"], metric["split"]) for metric in metrics if metric["name"] == "mean Dice"]
    assert sorted(main) == [("small set", "Test"), ("small set", "Val"), ("x", "Test")]


def test_figures_of_other_weights_or_of_some_cases_are_not_stored(
    data: Path, encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved(tmp_path / "net", encoder_folder)
    network = checkpoint(ObedientNetwork(), card())
    found = evaluate(network, data, "Val", encoder=WordEncoder(), draws=5, robustness=False, log=tmp_path / "log")
    with pytest.raises(InputError, match="measured on weights with sha256 000000000000"):
        store_figures(path, found)
    arguments = [str(path), str(data), "--cases", "case_001*", "--write-card", "--out", str(tmp_path / "out")]
    assert run_command(*arguments) == 2
    assert "whole split" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_bad_input_is_refused_in_one_sentence_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    network, log = checkpoint(ObedientNetwork(), card()), tmp_path / "log.jsonl"
    options: dict[str, Any] = {"encoder": WordEncoder(), "log": log}
    with pytest.raises(InputError, match="no data set"):
        evaluate(network, data / "nowhere", **options)
    with pytest.raises(InputError, match="Unknown split"):
        evaluate(network, data, "Exam", **options)
    with pytest.raises(InputError, match="case matching"):
        evaluate(network, data, cases=["other*"], **options)
    with pytest.raises(InputError, match="No checkpoint"):
        evaluate(tmp_path / "absent", data, **options)
    with pytest.raises(InputError, match="trained with text"):
        evaluate(network, data, image_only=network, **options)
    other_text = {"name": "words", "hash": "words-2", "width": 3, "length": 32}
    with pytest.raises(InputError, match="text encoder"):
        evaluate(replace(network, card=card(text_encoder=other_text)), data, **options)
    with pytest.raises(InputError, match=r"cannot be read.*--log"):
        evaluate(network, data, encoder=WordEncoder(), log=tmp_path)
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=r"cannot be written.*--log"):
        evaluate(network, data, encoder=WordEncoder(), log=tmp_path / "a file" / "log.jsonl")
    assert not log.exists()


def test_a_mask_of_another_size_is_named(own_data: Path, tmp_path: Path) -> None:
    name = "case_002_s0014.png"
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(own_data / "Test_Folder" / "labelcol" / name)
    with pytest.raises(InputError, match=rf"{name} has 32 x 32 pixels but .* has 8 x 8"):
        evaluate(checkpoint(ObedientNetwork(), card()), own_data, encoder=WordEncoder(), log=tmp_path / "log")
    assert not (tmp_path / "log").exists()
