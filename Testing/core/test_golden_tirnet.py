"""An authors'-layout TIRNet checkpoint goes through the real converter and gives what the authors' code gave.

The recorded outputs are described in Testing/golden/README.md.
"""

from __future__ import annotations

import copy
import gc
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from golden_makers import GOLDEN, SEED, assert_close, recorded_case, recorded_image, recorded_sentences
from numpy.testing import assert_array_equal
from safetensors import safe_open

from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.released import Conversion, convert_released
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint
from LMISCore.cli import convert as convert_command
from LMISCore.losses.msis import MSISLoss
from LMISCore.networks.blocks import count_parameters
from LMISCore.networks.outputs import NetworkOutput
from LMISCore.text.encoders import TextEncoder, TextStates
from Testing.golden import fill

pytestmark = pytest.mark.golden

STAGES = (4, 3, 2, 1)


@dataclass(frozen=True)
class Converted:
    """The conversion, what was loaded back from its folder, and the network's answer to the recorded inputs."""

    conversion: Conversion
    checkpoint: Checkpoint
    encoder: TextEncoder
    states: TextStates
    output: NetworkOutput


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return recorded_case("tirnet")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    folder = tmp_path_factory.mktemp("tirnet")
    file = folder / "best_model-TIRNet.pth.tar"
    state = {
        name: torch.from_numpy(array)
        for name, array in fill.state_dict(GOLDEN / "tirnet_parameters.json", SEED).items()
    }
    parameters = [torch.nn.Parameter(torch.ones(2))]
    optimizer = torch.optim.AdamW(parameters, lr=3e-4)
    parameters[0].sum().backward()
    optimizer.step()
    torch.save(
        {
            "epoch": 57,
            "best_model": True,
            "model": "TIRNet",
            "state_dict": state,
            "val_loss": np.float64(0.31),
            "optimizer": optimizer.state_dict(),
        },
        file,
    )
    del state
    conversion = convert_released("tirnet", file, folder / "out")
    file.unlink()
    gc.collect()
    checkpoint = load_checkpoint(folder / "out")
    encoder = text_encoder_for(checkpoint)
    states = recorded_sentences(encoder)
    with torch.no_grad():
        output = checkpoint.network(recorded_image(), states.states, states.mask)
    yield Converted(conversion, checkpoint, encoder, states, output)
    shutil.rmtree(folder)


def answer_on(device: torch.device, converted: Converted) -> NetworkOutput:
    """The network's answer on another device, in whole float32: TensorFloat-32 has 10 bits only."""
    network = copy.deepcopy(converted.checkpoint.network).to(device)
    inputs = (tensor.to(device) for tensor in (recorded_image(), converted.states.states, converted.states.mask))
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        output: NetworkOutput = network(*inputs)
    return output


def test_the_converted_text_tower_gives_the_authors_token_states(
    converted: Converted, recorded: dict[str, np.ndarray]
) -> None:
    assert_close(converted.states.states, recorded["text_hidden"], 1e-4)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["similarity", "positive", "negative"])
def test_the_illumination_maps_are_the_authors(
    converted: Converted, recorded: dict[str, np.ndarray], name: str, stage: int
) -> None:
    found = converted.output.maps[f"{name}_{stage}"]
    step = found.shape[-1] // 28
    assert_close(found[..., ::step, ::step], recorded[f"{name}_{stage}"], 1e-4)


def test_the_logits_and_probabilities_are_the_authors(
    converted: Converted, recorded: dict[str, np.ndarray], device: torch.device
) -> None:
    output = converted.output if device.type == "cpu" else answer_on(device, converted)
    assert_close(output.logits.cpu(), recorded["logits"], 1e-4)
    assert_close(output.logits.sigmoid().cpu(), recorded["probability"], 1e-4)


@pytest.mark.parametrize("term", ["rgc", "bs"])
def test_the_illumination_losses_are_the_authors(
    converted: Converted, recorded: dict[str, np.ndarray], term: str
) -> None:
    _, mask, _, _ = fill.inputs(SEED)
    _, terms = MSISLoss()(converted.output, torch.from_numpy(mask))
    assert float(terms[term]) == pytest.approx(float(recorded[f"loss_{term}"]), rel=1e-5)


def test_the_released_network_has_14_206_681_trainable_parameters(converted: Converted) -> None:
    assert converted.checkpoint.card.network_options["width"] == 64
    assert count_parameters(converted.checkpoint.network) == 14_206_681


def test_every_tensor_of_the_authors_is_kept_or_listed_as_dropped(converted: Converted) -> None:
    names = set(json.loads((GOLDEN / "tirnet_parameters.json").read_text()))
    dropped = {name for listed in converted.conversion.dropped.values() for name in listed}
    assert dropped == {name for name in names if name.startswith("clip.visual.")} | {"clip.logit_scale"}
    with safe_open(converted.conversion.text_tower, framework="pt") as tower:
        kept = {f"clip.{name}" for name in tower.keys()}
    own = set(converted.checkpoint.network.state_dict())
    assert len(names - dropped - kept) == len(own)
    assert kept == {name for name in names - dropped if name.startswith("clip.")}
    assert set(converted.conversion.ignored) == {"epoch", "best_model", "model", "val_loss", "optimizer"}


def test_the_weights_come_through_unchanged_bit_for_bit(converted: Converted) -> None:
    own = converted.checkpoint.network.state_dict()
    for theirs, ours, shape in (
        ("inc.norm.running_var", "encoder.stem.1.running_var", (64,)),
        ("up1.cdcb.gate_conv.0.weight", "decoder.3.cdcb.gate_in.weight", (64, 129, 3, 3)),
        ("text_module4.weight", "text_projection.weight", (512, 512, 3)),
    ):
        assert_array_equal(own[ours].numpy(), fill.tensor(theirs, shape, SEED))


def test_the_card_says_where_the_weights_come_from_and_how_to_feed_them(converted: Converted) -> None:
    card = converted.checkpoint.card
    assert (card.network, card.network_options["variant"], card.image_size) == ("tirnet", "release", (224, 224))
    assert (card.image["convention"], card.image["colour"]) == ("unit", "bgr")
    assert card.text_encoder["name"] == "clip-vit-b32"
    assert card.text_encoder["hash"] == converted.encoder.hash
    assert card.text_encoder["file"] == converted.conversion.text_tower.name
    assert card.licence == "see the authors' release"
    assert card.metrics == []


def test_the_command_tells_what_was_dropped(converted: Converted) -> None:
    text = convert_command.describe(converted.conversion)
    assert "14,206,681 trainable parameters" in text
    assert "dropped 152 tensors, CLIP's image tower" in text
    for names in converted.conversion.dropped.values():
        assert all(name in text for name in names)
    assert converted.checkpoint.hash in text and converted.encoder.hash in text
