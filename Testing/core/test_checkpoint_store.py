"""Checkpoints: what is saved is what is loaded, whole or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_makers import (
    FORMS,
    answer,
    make_card,
    make_network,
    saved_checkpoint,  # noqa: F401
    small_network,  # noqa: F401
    weights_file,
)
from safetensors.torch import load_file
from torch import nn

from LMISCore import resources
from LMISCore.checkpoints import files, store
from LMISCore.checkpoints.store import load_checkpoint, read_card, save_checkpoint, update_card, weights_hash
from LMISCore.errors import InputError


def test_a_loaded_network_answers_bit_for_bit_as_the_saved_one(saved: Path, network: nn.Module) -> None:
    loaded = load_checkpoint(saved)
    assert torch.equal(answer(loaded.network), answer(network.eval()))
    assert not loaded.network.training
    assert loaded.card == dataclasses.replace(make_card(network), weights_hash=loaded.hash)
    counters = [value for value in loaded.network.state_dict().values() if value.dtype == torch.int64]
    assert counters and all(int(value) == 7 for value in counters)


def test_loading_goes_to_the_device_asked_for(tmp_path: Path, network: nn.Module, device: torch.device) -> None:
    path = save_checkpoint(tmp_path / "a", network.to(device), make_card(network)).path
    loaded = load_checkpoint(path, device)
    assert {parameter.device.type for parameter in loaded.network.parameters()} == {device.type}
    assert load_checkpoint(path).hash == loaded.hash


@pytest.mark.parametrize("form", FORMS)
def test_half_precision_storage_comes_back_as_float32_with_the_hash_that_saving_gave(
    tmp_path: Path, network: nn.Module, form: str
) -> None:
    whole = save_checkpoint(tmp_path / f"whole-{form}", network, make_card(network))
    half = save_checkpoint(tmp_path / f"half-{form}", network, make_card(network), dtype="float16")
    assert weights_file(half.path).stat().st_size < 0.65 * weights_file(whole.path).stat().st_size
    loaded = load_checkpoint(half.path)
    assert loaded.hash == half.hash != whole.hash
    for name, value in loaded.network.state_dict().items():
        original = network.state_dict()[name]
        assert value.dtype == original.dtype
        expected = original.half().float() if original.is_floating_point() and original.dim() > 1 else original
        assert torch.equal(value, expected)


def test_the_hash_is_of_the_numbers_not_of_how_they_are_stored(tmp_path: Path, network: nn.Module) -> None:
    card = make_card(network)
    half = save_checkpoint(tmp_path / "half", network, card, dtype="float16")
    rounded = load_checkpoint(half.path)
    again = save_checkpoint(tmp_path / "whole.safetensors", rounded.network, card)
    assert again.hash == half.hash == weights_hash(rounded.network.state_dict())
    state = network.state_dict()
    assert weights_hash(dict(reversed(state.items()))) == weights_hash(state)
    state["head.bias"] = state["head.bias"] + 1e-6
    assert weights_hash(state) != weights_hash(network.state_dict())


def test_the_hash_tells_apart_two_tensors_whose_names_are_exchanged() -> None:
    one, two = torch.zeros(2), torch.ones(2)
    assert weights_hash({"a": one, "b": two}) != weights_hash({"a": two, "b": one})


def test_a_channels_last_network_is_saved_like_any_other(tmp_path: Path, network: Any) -> None:
    plain = save_checkpoint(tmp_path / "plain", network, make_card(network))
    turned = save_checkpoint(tmp_path / "turned", network.to(memory_format=torch.channels_last), make_card(network))
    assert plain.hash == turned.hash == load_checkpoint(turned.path).hash


def test_saving_twice_gives_the_same_bytes(tmp_path: Path, network: nn.Module) -> None:
    paths = [save_checkpoint(tmp_path / f"{n}.safetensors", network, make_card(network)).path for n in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_saving_and_loading_leave_the_callers_random_numbers_and_network_alone(tmp_path: Path) -> None:
    network = make_network()
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    save_checkpoint(tmp_path / "a", network, make_card(network), dtype="float16")
    load_checkpoint(tmp_path / "a")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert network.training
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), make_network().parameters(), strict=True))


def test_metrics_may_be_filled_in_later_without_touching_the_weights(saved: Path) -> None:
    before = load_checkpoint(saved)
    tensors = load_file(weights_file(saved))
    card = dataclasses.replace(before.card, metrics=[{"name": "mean Dice", "value": 0.5, "n": 3}])
    update_card(saved, card)
    after = load_checkpoint(saved)
    assert after.card.metrics == card.metrics
    assert after.hash == before.hash
    stored = load_file(weights_file(saved))
    assert all(
        torch.equal(stored[name], value) and stored[name].dtype == value.dtype for name, value in tensors.items()
    )


def test_a_card_of_another_network_cannot_replace_the_card(saved: Path) -> None:
    card = load_checkpoint(saved).card
    for change in ({"network_options": {"width": 8}}, {"weights_hash": "0" * 64}):
        with pytest.raises(InputError, match=next(iter(change))):
            update_card(saved, dataclasses.replace(card, **change))
    assert read_card(saved) == card


def test_saving_again_replaces_the_checkpoint_and_leaves_other_files(tmp_path: Path) -> None:
    first, second = make_network(1), make_network(2)
    save_checkpoint(tmp_path / "run", first, make_card(first))
    (tmp_path / "run" / "log.jsonl").write_text("kept")
    save_checkpoint(tmp_path / "run", second, make_card(second))
    assert torch.equal(answer(load_checkpoint(tmp_path / "run").network), answer(second.eval()))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "card.json",
        "log.jsonl",
        "weights.safetensors",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_write_that_fails_half_way_leaves_the_old_checkpoint(
    tmp_path: Path, network: nn.Module, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = save_checkpoint(tmp_path / form, network, make_card(network))

    def full_disk(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    newer = make_network(9)
    with pytest.raises(InputError, match="No space left"):
        save_checkpoint(tmp_path / form, newer, make_card(newer))
    assert load_checkpoint(tmp_path / form).hash == old.hash
    with pytest.raises(InputError, match="No space left"):
        save_checkpoint(tmp_path / f"new-{form}", newer, make_card(newer))
    assert [path.name for path in tmp_path.iterdir()] == [form]


def test_a_file_inside_the_folder_form_stands_for_the_folder(tmp_path: Path, network: nn.Module) -> None:
    saved = save_checkpoint(tmp_path / "a", network, make_card(network))
    for name in (files.WEIGHTS_NAME, files.CARD_NAME):
        assert load_checkpoint(tmp_path / "a" / name).hash == saved.hash


def test_without_a_path_the_bundled_weights_are_loaded(
    tmp_path: Path, network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "_ROOT", tmp_path)
    with pytest.raises(InputError, match="lacks its resource weights"):
        load_checkpoint()
    (tmp_path / "weights").mkdir()
    with pytest.raises(InputError, match="has 0 weights files"):
        load_checkpoint()
    saved = save_checkpoint(tmp_path / "weights" / "tiny.safetensors", network, make_card(network))
    assert store.bundled_checkpoint() == saved.path
    assert load_checkpoint().hash == saved.hash
