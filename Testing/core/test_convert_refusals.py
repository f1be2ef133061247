"""The converter on small files in the authors' layout: what it refuses, what it tolerates, what it tells."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from text_makers import clip_shapes
from torch import Tensor

from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.layouts import LAYOUTS
from LMISCore.checkpoints.released import convert_released
from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.cli import convert as command
from LMISCore.errors import InputError
from LMISCore.networks import create_network

WIDTH, CLIP_WIDTH = 4, 64


def authors_state() -> OrderedDict[str, Tensor]:
    """A TIRNet of width 4 with a one-block CLIP, under the authors' names."""
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return 0.1 * torch.randn(*shape, generator=generator)

    network = create_network("tirnet", width=WIDTH, text_width=CLIP_WIDTH, variant="release")
    own = network.state_dict()
    state = OrderedDict((theirs, own[ours].clone()) for theirs, ours in LAYOUTS["tirnet"].names({}).items())
    shapes = {
        **{f"clip.{name}": shape for name, shape in clip_shapes(CLIP_WIDTH).items()},
        "clip.visual.proj": (8, CLIP_WIDTH),
        "clip.visual.conv1.weight": (8, 3, 4, 4),
    }
    state.update((name, draw(*shape)) for name, shape in shapes.items())
    state["clip.logit_scale"] = torch.tensor(4.6)
    return state


@pytest.fixture(scope="module")
def original() -> OrderedDict[str, Tensor]:
    return authors_state()


@pytest.fixture
def state(original: OrderedDict[str, Tensor]) -> OrderedDict[str, Tensor]:
    return OrderedDict(original)


def save(path: Path, state: Any, **others: Any) -> Path:
    torch.save(
        {"epoch": 3, "best_model": True, "model": "TIRNet", "state_dict": state, "val_loss": 0.5, **others}, path
    )
    return path


def refusal(tmp_path: Path, source: Path, kind: str = "tirnet") -> str:
    """The sentence with which the conversion is refused; nothing may be written."""
    before = sorted(tmp_path.iterdir())
    for out in ("out", "out.safetensors"):
        with pytest.raises(InputError) as caught:
            convert_released(kind, source, tmp_path / out)
    assert sorted(tmp_path.iterdir()) == before
    message = str(caught.value)
    assert "\n" not in message and message.endswith(".")
    return message


@pytest.mark.parametrize("out", ["out", "out.safetensors"])
def test_the_converted_file_loads_with_its_text_tower_beside_it(
    tmp_path: Path, state: OrderedDict[str, Tensor], out: str
) -> None:
    conversion = convert_released("tirnet", save(tmp_path / "a.pth.tar", state), tmp_path / out)
    checkpoint = load_checkpoint(tmp_path / out)
    assert checkpoint.hash == conversion.checkpoint.hash
    assert checkpoint.path == conversion.checkpoint.path == tmp_path / out
    assert checkpoint.companion == conversion.text_tower and conversion.text_tower.is_file()
    assert text_encoder_for(checkpoint).hash == checkpoint.card.text_encoder["hash"]
    assert {path.name for path in tmp_path.iterdir()} == {"a.pth.tar", out} | (
        {"out.clip-text.safetensors"} if out != "out" else set()
    )


def test_a_text_tower_that_was_exchanged_is_noticed(tmp_path: Path, state: OrderedDict[str, Tensor]) -> None:
    convert_released("tirnet", save(tmp_path / "a.pth.tar", state), tmp_path / "a")
    state["clip.ln_final.bias"] = state["clip.ln_final.bias"] + 1
    other = convert_released("tirnet", save(tmp_path / "b.pth.tar", state), tmp_path / "b")
    other.text_tower.replace(tmp_path / "a" / other.text_tower.name)
    with pytest.raises(InputError, match="is not the one that"):
        text_encoder_for(load_checkpoint(tmp_path / "a"))


def test_a_data_parallel_file_and_a_bare_state_dict_give_the_same_weights(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    plain = convert_released("tirnet", save(tmp_path / "a.pth.tar", state), tmp_path / "plain")
    parallel = OrderedDict((f"module.{name}", value) for name, value in state.items())
    wrapped = convert_released("tirnet", save(tmp_path / "b.pth.tar", parallel), tmp_path / "wrapped")
    torch.save(state, tmp_path / "c.pth")
    bare = convert_released("tirnet", tmp_path / "c.pth", tmp_path / "bare")
    assert plain.checkpoint.hash == wrapped.checkpoint.hash == bare.checkpoint.hash
    assert bare.ignored == () and set(plain.ignored) == {"epoch", "best_model", "model", "val_loss"}


@pytest.mark.parametrize("zipped", [True, False])
def test_an_optimizer_and_numpy_numbers_in_the_file_are_tolerated(
    tmp_path: Path, state: OrderedDict[str, Tensor], zipped: bool
) -> None:
    content = {
        "state_dict": state,
        "val_loss": np.float64(0.25),
        "epoch": np.int64(4),
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": np.float32(1e-3)}]},
    }
    torch.save(content, tmp_path / "a.pth.tar", _use_new_zipfile_serialization=zipped)
    conversion = convert_released("tirnet", tmp_path / "a.pth.tar", tmp_path / "out")
    assert set(conversion.ignored) == {"val_loss", "epoch", "optimizer"}


def test_a_text_tower_of_sixteen_bit_numbers_is_stored_in_sixteen_bits_without_loss(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    rounded = OrderedDict((n, t.half().float() if n.startswith("clip.") else t) for n, t in state.items())
    conversions = [
        convert_released("tirnet", save(tmp_path / f"{name}.pth.tar", content), tmp_path / name)
        for name, content in (("whole", state), ("rounded", rounded))
    ]
    dtypes = [{value.dtype for value in load_file(c.text_tower).values()} for c in conversions]
    assert dtypes == [{torch.float32}, {torch.float16}]
    for conversion in conversions:
        assert text_encoder_for(load_checkpoint(conversion.checkpoint.path)).width == CLIP_WIDTH


def test_what_is_dropped_is_listed_with_its_reason_and_kept_in_the_card(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    conversion = convert_released("tirnet", save(tmp_path / "a.pth.tar", state), tmp_path / "out")
    assert sorted(conversion.dropped.values()) == [
        ["clip.logit_scale"],
        ["clip.visual.proj", "clip.visual.conv1.weight"],
    ]
    assert sorted(conversion.checkpoint.card.run["dropped"].values()) == [1, 2]
    assert conversion.checkpoint.card.run["converted_from"] == "a.pth.tar"


@pytest.mark.parametrize(
    ("trained_on", "modality", "plane"),
    [(None, "", "picture"), ("qata", "chest X-ray", "picture"), ("mosmed", "CT", "axial")],
)
def test_the_card_says_modality_and_plane_only_where_the_user_does(
    tmp_path: Path, state: OrderedDict[str, Tensor], trained_on: str | None, modality: str, plane: str
) -> None:
    card = convert_released("tirnet", save(tmp_path / "a", state), tmp_path / "out", trained_on).checkpoint.card
    assert (card.modality, card.image["plane"]) == (modality, plane)
    assert any("does not say which data set" in limit for limit in card.limits) == (trained_on is None)


def test_missing_and_unknown_tensors_are_listed_by_the_authors_names(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    del state["up2.cdcb.delta"], state["outc.bias"]
    state["up5.cdcb.delta"] = torch.tensor(1.0)
    message = refusal(tmp_path, save(tmp_path / "a.pth.tar", state))
    assert "lacks tensors up2.cdcb.delta, outc.bias" in message
    assert "has the unknown tensor up5.cdcb.delta" in message
    assert "TIRNet (arXiv 2606.27794)" in message


def test_every_name_that_does_not_belong_is_listed(tmp_path: Path) -> None:
    other = {f"layer{n}.weight": torch.zeros(2) for n in range(30)}
    message = refusal(tmp_path, save(tmp_path / "a.pth.tar", other))
    missing = LAYOUTS["tirnet"].names({})
    assert all(f" {name}" in message for name in (*other, *missing))


def test_a_text_tower_that_is_not_whole_is_refused(tmp_path: Path, state: OrderedDict[str, Tensor]) -> None:
    del state["clip.ln_final.bias"]
    message = refusal(tmp_path, save(tmp_path / "a.pth.tar", state))
    assert "a.pth.tar" in message and "ln_final.bias" in message


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("outc.weight", torch.zeros(1, 5, 1, 1), "head.weight as float32 (1, 5, 1, 1), expected float32 (1, 4, 1, 1)"),
        ("outc.bias", torch.tensor([float("nan")]), "not finite"),
        ("inc.conv.weight", torch.zeros(4), "inc.conv.weight with shape (4,), expected it with 4 dimensions"),
    ],
)
def test_tensors_of_wrong_shape_or_value_are_named(
    tmp_path: Path, state: OrderedDict[str, Tensor], name: str, value: Tensor, words: str
) -> None:
    state[name] = value
    message = refusal(tmp_path, save(tmp_path / "a.pth.tar", state))
    assert words in message and "a.pth.tar" in message


class Harmful:
    """Makes a file if it is ever unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_not_run(
    tmp_path: Path, state: OrderedDict[str, Tensor], zipped: bool
) -> None:
    trace = tmp_path / "trace"
    torch.save(
        {"state_dict": state, "epoch": Harmful(trace)}, tmp_path / "a.pth.tar", _use_new_zipfile_serialization=zipped
    )
    message = refusal(tmp_path, tmp_path / "a.pth.tar")
    assert "Python object" in message and "was not opened" in message
    assert not trace.exists()


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path, state: OrderedDict[str, Tensor]) -> None:
    assert "No file at" in refusal(tmp_path, tmp_path / "nothing.pth.tar")
    assert "No file at" in refusal(tmp_path, tmp_path)
    (tmp_path / "empty.pth.tar").touch()
    assert "not a whole PyTorch file" in refusal(tmp_path, tmp_path / "empty.pth.tar")
    (tmp_path / "text.pth.tar").write_text("hello, these are weights")
    assert "not a whole PyTorch file" in refusal(tmp_path, tmp_path / "text.pth.tar")
    # Read as a pickle it ends in the middle of a number.
    (tmp_path / "number.pth.tar").write_bytes(b"junk")
    assert "not a whole PyTorch file" in refusal(tmp_path, tmp_path / "number.pth.tar")
    whole = save(tmp_path / "whole.pth.tar", state).read_bytes()
    for share in (0.01, 0.5, 0.99):
        (tmp_path / "cut.pth.tar").write_bytes(whole[: int(share * len(whole))])
        assert "not a whole PyTorch file" in refusal(tmp_path, tmp_path / "cut.pth.tar")
    torch.save([1, 2], tmp_path / "list.pth.tar")
    assert "holds a list" in refusal(tmp_path, tmp_path / "list.pth.tar")
    torch.save({"epoch": 3, "weights": {}}, tmp_path / "other.pth.tar")
    assert "holds epoch, weights; expected the key 'state_dict'" in refusal(tmp_path, tmp_path / "other.pth.tar")
    assert "holds epoch" in refusal(tmp_path, save(tmp_path / "text-state.pth.tar", {"inc.conv.weight": "none"}))


def test_an_unknown_network_or_data_set_and_a_file_in_the_way_are_refused(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    source = save(tmp_path / "a.pth.tar", state)
    assert "'lvit'; expected one of reclmis, tirnet" in refusal(tmp_path, source, kind="lvit")
    with pytest.raises(InputError, match="'covid'; expected one of qata, mosmed"):
        convert_released("tirnet", source, tmp_path / "out", "covid")
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InputError, match="is a file; name a folder"):
        convert_released("tirnet", source, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_the_command_converts_and_reports(
    tmp_path: Path, state: OrderedDict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    source = save(tmp_path / "a.pth.tar", state)
    args = parser.parse_args(["convert", "--from", "tirnet", str(source), str(tmp_path / "out")])
    assert command.run(args) == 0
    printed = capsys.readouterr().out
    assert "dropped 2 tensors, CLIP's image tower" in printed
    assert "never use: clip.visual.proj, clip.visual.conv1.weight\n" in printed
    assert "dropped 1 tensor, CLIP's contrastive scale" in printed
    assert "left behind: epoch, best_model, model, val_loss" in printed
    assert load_checkpoint(tmp_path / "out").hash in printed
