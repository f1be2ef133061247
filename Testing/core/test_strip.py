"""Stripping: a smaller checkpoint with the same answers, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_makers import answer, make_card, make_network
from safetensors.torch import load_file

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.store import load_checkpoint, save_checkpoint
from LMISCore.checkpoints.strip import strip_checkpoint
from LMISCore.cli import info
from LMISCore.cli import strip as command
from LMISCore.errors import InputError
from LMISCore.inference.predictor import Predictor
from LMISCore.networks import RecLMIS
from LMISCore.networks.blocks import count_parameters


@pytest.fixture(name="network")
def small_network() -> RecLMIS:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return RecLMIS(width=4, text_width=6).eval()


def card_of(network: Any, **changes: Any) -> Card:
    metrics = [{"name": "mean Dice", "value": 0.5, "n": 3}]
    return dataclasses.replace(make_card(network), network="reclmis", metrics=metrics, **changes)


@pytest.mark.parametrize("form", ["slim", "slim.safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_smaller_file_loads_strictly_and_answers_alike(
    tmp_path: Path, network: RecLMIS, form: str, dtype: Any
) -> None:
    save_checkpoint(tmp_path / "whole", network, card_of(network), dtype)
    stripped = strip_checkpoint(tmp_path / "whole", tmp_path / form)
    whole, slim = load_checkpoint(tmp_path / "whole"), load_checkpoint(tmp_path / form)
    assert torch.equal(answer(slim.network), answer(whole.network))
    assert slim.hash == stripped.checkpoint.hash != whole.hash
    assert (stripped.before, stripped.after) == (count_parameters(whole.network), count_parameters(slim.network))
    assert stripped.after < stripped.before
    weights = tmp_path / form / "weights.safetensors" if form == "slim" else tmp_path / form
    stored = load_file(weights)
    assert not [name for name in stored if name.startswith("auxiliary")]
    assert stored["head.weight"].dtype == getattr(torch, dtype)


def test_card_and_metrics_stay_and_the_origin_is_kept(tmp_path: Path, network: RecLMIS) -> None:
    save_checkpoint(tmp_path / "whole", network, card_of(network, licence="of the data"))
    card = strip_checkpoint(tmp_path / "whole", tmp_path / "slim").checkpoint.card
    assert card.metrics == [{"name": "mean Dice", "value": 0.5, "n": 3}] and card.licence == "of the data"
    assert card.run == {"stripped_from": load_checkpoint(tmp_path / "whole").hash}


def test_a_checkpoint_without_such_parts_is_refused(tmp_path: Path, network: RecLMIS) -> None:
    plain = make_network()
    save_checkpoint(tmp_path / "plain", plain, make_card(plain))
    save_checkpoint(tmp_path / "whole", network, card_of(network))
    strip_checkpoint(tmp_path / "whole", tmp_path / "slim")
    for name in ("plain", "slim"):
        with pytest.raises(InputError, match=f"{name} has no parts that only training needs; use it as it is"):
            strip_checkpoint(tmp_path / name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_text_tower_in_the_way_and_a_missing_one_are_refused(tmp_path: Path, network: RecLMIS) -> None:
    encoder = {**make_card(network).text_encoder, "file": "tower.safetensors"}
    save_checkpoint(tmp_path / "whole", network, card_of(network, text_encoder=encoder))
    with pytest.raises(InputError, match="lacks its text tower"):
        strip_checkpoint(tmp_path / "whole", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "whole" / "tower.safetensors").write_bytes(b"this one")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "tower.safetensors").write_bytes(b"another")
    with pytest.raises(InputError, match="is another text tower"):
        strip_checkpoint(tmp_path / "whole", tmp_path / "taken" / "slim.safetensors")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["tower.safetensors"]
    out = strip_checkpoint(tmp_path / "whole", tmp_path / "out").checkpoint
    assert out.companion is not None and out.companion.read_bytes() == b"this one"
    assert f"text tower: {out.companion}" in command.describe(strip_checkpoint(tmp_path / "whole", tmp_path / "out"))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="is a file; name a folder"):
        strip_checkpoint(tmp_path / "whole", tmp_path / "file")


def test_inference_holds_no_parts_that_only_training_needs(tmp_path: Path, network: RecLMIS) -> None:
    checkpoint = save_checkpoint(tmp_path / "whole", network, card_of(network))
    from_file, from_memory = Predictor(tmp_path / "whole", device="cpu"), Predictor(checkpoint, device="cpu")
    for predictor in (from_file, from_memory):
        assert not [name for name in predictor.engine.network.state_dict() if name.startswith("auxiliary")]
        assert predictor.checkpoint.hash == checkpoint.hash
    assert not [name for name, _ in from_file.checkpoint.network.named_modules() if name.startswith("auxiliary")]
    assert network.auxiliary is not None


def test_info_says_how_many_parameters_inference_needs(tmp_path: Path, network: RecLMIS) -> None:
    save_checkpoint(tmp_path / "whole", network, card_of(network))
    slim = strip_checkpoint(tmp_path / "whole", tmp_path / "slim")
    whole = info.describe(load_checkpoint(tmp_path / "whole"))
    assert f"{slim.before:,} trainable, {slim.after:,} of them needed for inference (lmis strip" in whole
    assert f"parameters  {slim.after:,} trainable\n" in info.describe(slim.checkpoint)
