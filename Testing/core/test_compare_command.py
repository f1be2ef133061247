"""``lmis compare``: on results, on checkpoints, and with what is neither."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from evaluation_makers import (
    card,
    one_thread,  # noqa: F401
    small_data,  # noqa: F401
)
from tiny_checkpoint import save_tiny_encoder

from LMISCore.checkpoints.store import save_checkpoint
from LMISCore.cli.main import main
from LMISCore.networks import create_network
from LMISCore.text.encoders import create_encoder

FILES = {"comparison.json", "comparison.md", "comparison.csv", "comparison.png"}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_encoder(tmp_path_factory.mktemp("text") / "encoder")


@pytest.fixture(scope="module")
def checkpoints(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two random TIRNets of width 4."""
    folder, described = tmp_path_factory.mktemp("nets"), create_encoder(encoder).describe()
    paths = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = create_network("tirnet", width=4, text_width=described["width"])
        paths.append(folder / f"net{seed}.safetensors")
        named = card(name=f"net{seed}", network_options=network.options, text_encoder=described)
        save_checkpoint(paths[-1], network, named)
    return paths


@pytest.fixture(scope="module")
def measured(data: Path, encoder: Path, checkpoints: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison of two checkpoints."""
    out = tmp_path_factory.mktemp("measured")
    options = ["--data", str(data), "--encoder", str(encoder), "--quiet", "--device", "cpu", "--out", str(out)]
    options += ["--cases", "case_002*"]
    assert main(["compare", *map(str, checkpoints), *options]) == 0
    return out


def test_two_checkpoints_are_measured_on_val_and_compared(measured: Path) -> None:
    assert {path.name for path in measured.iterdir()} == {*FILES, "a", "b"}
    for side in ("a", "b"):
        assert {"evaluation.json", "contact_sheet.png"} <= {path.name for path in (measured / side).iterdir()}
    found = json.loads((measured / "comparison.json").read_text(encoding="utf-8"))
    assert (found["a"]["name"], found["b"]["name"], found["data"]["split"]) == ("net0", "net1", "Val")
    by_name = {figure["name"]: figure for figure in found["figures"]}
    for side in ("a", "b"):
        result = json.loads((measured / side / "evaluation.json").read_text(encoding="utf-8"))
        assert by_name["pooled Dice"][side] == result["conditions"]["right sentence"]["pooled_dice"]["estimate"]


def test_results_are_compared_again_without_measuring(
    measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a result was measured again")

    monkeypatch.setattr("LMISCore.evaluation.evaluate.evaluate", never)
    arguments = ["compare", str(measured / "b" / "evaluation.json"), str(measured / "a"), "--out", str(tmp_path / "c")]
    assert main([*arguments, "--no-plots"]) == 0
    assert {path.name for path in (tmp_path / "c").iterdir()} == FILES - {"comparison.png"}
    assert capsys.readouterr().out == (tmp_path / "c" / "comparison.md").read_text(encoding="utf-8")
    before, after = (
        json.loads((folder / "comparison.json").read_text(encoding="utf-8")) for folder in (measured, tmp_path / "c")
    )
    for old, new in zip(before["figures"], after["figures"], strict=True):
        assert (old["a"], old["b"]) == (new["b"], new["a"])


def test_what_cannot_be_compared_ends_in_one_line_and_writes_nothing(
    measured: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, out = str(measured / "a"), tmp_path / "out"
    (tmp_path / "cut.json").write_text('{"slices": [', encoding="utf-8")
    (tmp_path / "other.json").write_text('{"slices": [], "data": {}}', encoding="utf-8")
    shorter = json.loads((measured / "a" / "evaluation.json").read_text(encoding="utf-8"))
    shorter["slices"].pop()
    (tmp_path / "shorter.json").write_text(json.dumps(shorter), encoding="utf-8")
    for arguments, words in (
        ([result, str(tmp_path / "absent.json")], "No such file"),
        ([result, str(tmp_path / "cut.json")], "is no JSON file"),
        ([result, str(tmp_path / "other.json")], "lacks checkpoint, settings, date"),
        ([result, str(tmp_path / "shorter.json")], "10 images of small set, split Val, whose pictures"),
        ([result, "bundled"], "say with --data"),
        ([result, result, "--data", str(data)], "leave out --data"),
        ([result, "bundled", "--data", str(data), "--spacing", "0", "1"], "--spacing is 0 1"),
        ([result, "bundled", "--data", str(data), "--tolerance", "-1"], "--tolerance is -1"),
    ):
        assert main(["compare", *arguments, "--out", str(out), "--quiet"]) == 2, arguments
        message = capsys.readouterr().err.strip()
        assert words in message, message
        assert len(message.splitlines()) == 1
    assert not out.exists()
