"""Whatever is wrong with a checkpoint gets one sentence, on loading and on saving."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_makers import (
    make_card,
    make_network,
    rewrite,
    saved_checkpoint,  # noqa: F401
    small_network,  # noqa: F401
    weights_file,
)
from safetensors.torch import save_file
from torch import Tensor, nn

from LMISCore.checkpoints import files
from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.store import load_checkpoint, read_card, save_checkpoint
from LMISCore.errors import InputError


def refusal(path: Path) -> str:
    """The one sentence with which ``path`` is refused."""
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message and message.endswith((".", "OUT"))
    return message


def test_a_pytorch_file_is_sent_to_the_converter_whatever_its_name(tmp_path: Path) -> None:
    for name in ("model.pth.tar", "model.safetensors"):
        torch.save({"state_dict": {}}, tmp_path / name)
        assert f"lmis convert --from tirnet {tmp_path / name} OUT" in refusal(tmp_path / name)
    torch.save({}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert "lmis convert" in refusal(tmp_path / "old.pt")


def test_nothing_in_a_pickle_given_as_weights_is_run(tmp_path: Path, network: nn.Module) -> None:
    saved = save_checkpoint(tmp_path / "a", network, make_card(network)).path
    trace = tmp_path / "trace"

    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    torch.save({"head.bias": Harmful()}, weights_file(saved))
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_checkpoint(saved)
    assert not trace.exists()


def test_other_things_given_as_a_checkpoint_are_refused_in_a_sentence(tmp_path: Path, network: nn.Module) -> None:
    assert "No checkpoint at" in refusal(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert "lacks weights.safetensors and card.json" in refusal(tmp_path / "empty")
    (tmp_path / "text.safetensors").write_text("These are the weights, honestly.")
    assert "not a whole safetensors file" in refusal(tmp_path / "text.safetensors")
    (tmp_path / "void.safetensors").touch()
    assert "not a whole safetensors file" in refusal(tmp_path / "void.safetensors")
    save_file(dict(network.state_dict()), tmp_path / "bare.safetensors")
    assert "holds no card" in refusal(tmp_path / "bare.safetensors")
    save_checkpoint(tmp_path / "half", network, make_card(network))
    (tmp_path / "half" / files.CARD_NAME).unlink()
    assert "lacks card.json" in refusal(tmp_path / "half")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.999])
def test_a_file_cut_short_is_refused(saved: Path, share: float) -> None:
    file = weights_file(saved)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_checkpoint(saved)


def test_a_single_changed_bit_is_noticed(saved: Path) -> None:
    file = weights_file(saved)
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="not those its card describes"):
        load_checkpoint(saved)


def test_weights_exchanged_for_those_of_another_run_are_noticed(tmp_path: Path) -> None:
    for seed in (1, 2):
        save_checkpoint(tmp_path / f"run{seed}", make_network(seed), make_card(make_network(seed)))
    shutil.copy(tmp_path / "run1" / files.WEIGHTS_NAME, tmp_path / "run2" / files.WEIGHTS_NAME)
    with pytest.raises(InputError, match="not those its card describes"):
        load_checkpoint(tmp_path / "run2")


def drop(tensors: dict[str, Tensor]) -> None:
    del tensors["head.bias"]


def add(tensors: dict[str, Tensor]) -> None:
    tensors["head.extra"] = torch.zeros(1)


def rename_four(tensors: dict[str, Tensor]) -> None:
    for number in range(4):
        tensors[f"old.{number}"] = tensors.pop(f"decoder.{number}.cdcb.delta")


def reshape(tensors: dict[str, Tensor]) -> None:
    tensors["head.weight"] = tensors["head.weight"].reshape(4, 1, 1, 1)


def whole_numbers(tensors: dict[str, Tensor]) -> None:
    tensors["head.bias"] = torch.zeros(1, dtype=torch.int64)


def not_a_number(tensors: dict[str, Tensor]) -> None:
    tensors["head.bias"] = torch.tensor([float("nan")])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop, ("lacks tensor head.bias",)),
        (add, ("has the unknown tensor head.extra",)),
        (rename_four, ("lacks tensors decoder.0.cdcb.delta", "and 1 more", "unknown tensors old.0")),
        (reshape, ("head.weight as float32 (4, 1, 1, 1), expected float32 (1, 4, 1, 1)",)),
        (whole_numbers, ("head.bias as int64 (1,), expected float32 (1,)",)),
        (not_a_number, ("head.bias", "not finite")),
    ],
)
def test_tensors_that_are_not_the_networks_are_named(saved: Path, change: Any, words: tuple[str, ...]) -> None:
    rewrite(saved, change)
    with pytest.raises(InputError) as caught:
        load_checkpoint(saved)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert str(weights_file(saved)) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "unet"}, ("unet", "tirnet")),
        ({"network_options": {"width": 4, "text_width": 6, "depth": 3}}, ("depth",)),
        ({"network_options": {"width": -4, "text_width": 6}}, ("cannot build",)),
        ({"network_options": {"width": 8, "text_width": 6}}, ("network of another size",)),
        ({"network_options": {"width": 4, "text_width": 7}}, ("width 6", "width 7")),
        ({"format_version": 3}, ("update LMISCore",)),
        ({"colour": "grey"}, ("unknown key 'colour'",)),
    ],
)
def test_a_card_that_does_not_fit_is_refused_with_the_file_named(
    tmp_path: Path, network: nn.Module, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    saved = save_checkpoint(tmp_path / "a", network, make_card(network)).path
    file = saved / files.CARD_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    message = refusal(saved)
    assert all(word in message for word in words), message


def test_a_card_that_does_not_describe_the_network_is_not_saved(tmp_path: Path, network: nn.Module) -> None:
    for options, word in (
        ({"width": 8, "text_width": 6}, "width 8 instead of 4"),
        # No shape tells these two apart, only the arithmetic.
        ({"width": 4, "text_width": 6, "variant": "release"}, "pool 'release' instead of 'tokens'"),
    ):
        with pytest.raises(InputError, match=word):
            save_checkpoint(tmp_path / "a", network, make_card(network, network_options=options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("value", "dtype"), [(float("nan"), "float32"), (float("inf"), "float32"), (1e6, "float16")])
def test_values_that_are_not_finite_in_the_file_are_not_saved(
    tmp_path: Path, network: nn.Module, value: float, dtype: Any
) -> None:
    with torch.no_grad():
        network.get_parameter("head.weight")[0, 0] = value
    with pytest.raises(InputError, match=r"head\.weight"):
        save_checkpoint(tmp_path / "a", network, make_card(network), dtype=dtype)
    assert not list(tmp_path.iterdir())


def test_an_unknown_storage_type_and_a_file_in_the_way_are_refused(tmp_path: Path, network: nn.Module) -> None:
    with pytest.raises(InputError, match="'int8'"):
        save_checkpoint(tmp_path / "a", network, make_card(network), dtype="int8")  # type: ignore[arg-type]
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="is a file; name a folder"):
        save_checkpoint(tmp_path / "taken", network, make_card(network))
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_encoder_that_cannot_be_found_is_asked_for(tmp_path: Path, network: nn.Module) -> None:
    entry = {"name": "my-bert", "hash": "ab" * 32, "width": 6, "length": 8}
    own = save_checkpoint(tmp_path / "own", network, make_card(network, text_encoder=entry))
    with pytest.raises(InputError, match="'my-bert' of a local folder; name that folder"):
        text_encoder_for(own)
    entry = {**entry, "name": "clip-vit-b32", "file": "clip-text.safetensors"}
    lost = save_checkpoint(tmp_path / "lost", network, make_card(network, text_encoder=entry))
    assert lost.companion == tmp_path / "lost" / "clip-text.safetensors"
    with pytest.raises(InputError, match=r"lacks its text tower clip-text\.safetensors"):
        text_encoder_for(lost)


def test_a_header_nested_too_deeply_is_no_checkpoint(tmp_path: Path) -> None:
    header = b"[" * 100_000
    path = tmp_path / "weights.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(InputError, match="is not a whole safetensors file"):
        read_card(path)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("width", [0, -4, "8"])
def test_a_card_with_an_impossible_width_is_refused(tmp_path: Path, network: nn.Module, width: object) -> None:
    path = save_checkpoint(tmp_path / "checkpoint", network, make_card(network)).path
    card = json.loads((path / files.CARD_NAME).read_text(encoding="utf-8"))
    card["network_options"]["width"] = width
    (path / files.CARD_NAME).write_text(json.dumps(card), encoding="utf-8")
    assert "describes a network that this LMISCore cannot build" in refusal(path)
