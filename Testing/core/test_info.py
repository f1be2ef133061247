"""``lmis info``: a person and a program read the same facts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from LMISCore import resources
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import Checkpoint, save_checkpoint
from LMISCore.cli import info
from LMISCore.errors import InputError
from LMISCore.networks import create_network
from LMISCore.networks.blocks import count_parameters


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoint:
    network: Any = create_network("tirnet", width=4, text_width=6)
    card = Card(
        name="tiny",
        network="tirnet",
        network_options=dict(network.options),
        text_encoder={"name": "minilm", "hash": "ab" * 32, "width": 6, "length": 64},
        image={"size": [32, 48], "convention": "lung", "plane": "axial", "orientation": "", "colour": "grey"},
        metrics=[{"name": "mean Dice", "value": 0.25, "n": 7, "split": "Test"}],
        limits=["Never looked at a child."],
        test_runs_before=2,
    )
    return save_checkpoint(tmp_path / "weights" / "tiny.safetensors", network, card)


def show(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    info.add_parser(parser.add_subparsers())
    return info.run(parser.parse_args(["info", *arguments]))


def test_a_person_reads_summary_size_hash_metrics_and_limits(
    saved: Checkpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(str(saved.path)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(saved.card.summary())
    for fact in (
        saved.hash,
        f"{count_parameters(saved.network):,} trainable",
        "intensity   lung",
        "mean Dice 0.250 (n = 7, Test)",
        "looked at 2 times before",
        "Never looked at a child.",
    ):
        assert fact in printed


def test_a_program_reads_the_same_as_json(saved: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(str(saved.path), "--json") == 0
    read = json.loads(capsys.readouterr().out)
    assert (read["path"], read["hash"]) == (str(saved.path), saved.hash)
    assert read["parameters"] == count_parameters(saved.network)
    assert Card.from_dict(read["card"]) == saved.card


def test_the_whole_card_is_printed_as_markdown(saved: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(str(saved.path), "--markdown") == 0
    assert capsys.readouterr().out == saved.card.to_markdown()


def test_without_a_name_the_bundled_weights_are_shown(
    saved: Checkpoint, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(resources, "_ROOT", saved.path.parent.parent)
    assert show() == 0
    assert saved.hash in capsys.readouterr().out


def test_a_checkpoint_that_cannot_be_used_is_not_shown(saved: Checkpoint, capsys: pytest.CaptureFixture[str]) -> None:
    saved.path.write_bytes(saved.path.read_bytes()[:-8])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        show(str(saved.path))
    assert capsys.readouterr().out == ""
