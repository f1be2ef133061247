"""An authors'-layout RecLMIS checkpoint goes through the real converter and gives what the authors' code gave.

The recorded outputs are described in Testing/golden/README.md.
"""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from golden_makers import GOLDEN, SEED, assert_close, recorded_case, recorded_image, recorded_sentences
from safetensors import safe_open
from torch import Tensor

from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.released import Conversion, convert_released
from LMISCore.checkpoints.store import Checkpoint, load_checkpoint
from LMISCore.cli import convert as convert_command
from LMISCore.losses.reclmis import auxiliary_terms
from LMISCore.networks import RecLMIS
from LMISCore.networks.blocks import count_parameters
from LMISCore.networks.reclmis_auxiliary import Tokens
from LMISCore.text.encoders import TextEncoder, TextStates
from Testing.golden import fill

pytestmark = pytest.mark.golden

TRAINABLE = 60_677_951
INFERENCE = 17_305_917


@dataclass(frozen=True)
class Converted:
    """The conversion, what was loaded back from its folder, and what the network makes of the recorded inputs."""

    conversion: Conversion
    checkpoint: Checkpoint
    network: RecLMIS
    encoder: TextEncoder
    states: TextStates
    logits: Tensor
    tokens: Tokens


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    return recorded_case("reclmis")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    folder = tmp_path_factory.mktemp("reclmis")
    file = folder / "best_model-RecLMIS.pth.tar"
    shapes = json.loads((GOLDEN / "reclmis_parameters.json").read_text())
    # CLIP's image tower is dropped unread: one number stands for each of its tensors, which saves drawing them.
    state = {
        name: torch.zeros(()).expand(shape)
        if name.startswith("clip.visual.")
        else torch.from_numpy(fill.tensor(name, tuple(shape), SEED))
        for name, shape in shapes.items()
    }
    torch.save(
        {"epoch": 91, "best_model": True, "model": "RecLMIS", "state_dict": state, "val_loss": np.float64(0.4)}, file
    )
    del state
    conversion = convert_released("reclmis", file, folder / "out", "qata")
    file.unlink()
    gc.collect()
    checkpoint = load_checkpoint(folder / "out")
    network: Any = checkpoint.network
    encoder = text_encoder_for(checkpoint)
    states = recorded_sentences(encoder)
    with torch.no_grad():
        features = network.encode_image(recorded_image())
        logits = network.decode(features, states.states, states.mask).logits
        tokens, _ = network.join(features.levels[4], states.states, states.mask)
    yield Converted(conversion, checkpoint, network, encoder, states, logits, tokens)
    shutil.rmtree(folder)


def test_the_converted_text_tower_gives_the_authors_token_states(
    converted: Converted, recorded: dict[str, np.ndarray]
) -> None:
    assert_close(converted.states.states, recorded["text_hidden"])


def test_the_logits_and_probabilities_are_the_authors(converted: Converted, recorded: dict[str, np.ndarray]) -> None:
    assert_close(converted.logits, recorded["logits"])
    assert_close(converted.logits.sigmoid(), recorded["probability"])


def test_the_weights_of_words_and_patches_are_the_authors(
    converted: Converted, recorded: dict[str, np.ndarray]
) -> None:
    assert converted.network.auxiliary is not None
    with torch.no_grad():
        words, patches = converted.network.auxiliary.interest(converted.tokens)
    assert_close(words.exp(), recorded["word_weights"])
    assert_close(patches.exp(), recorded["patch_weights"])


def test_the_auxiliary_losses_are_the_authors_with_the_recorded_masks(
    converted: Converted, recorded: dict[str, np.ndarray]
) -> None:
    assert converted.network.auxiliary is not None
    with torch.no_grad():
        parts = converted.network.auxiliary(
            converted.tokens,
            hidden_words=torch.from_numpy(recorded["masked_words"]),
            hidden_patches=torch.from_numpy(recorded["masked_patches"]),
        )
    terms = auxiliary_terms(parts)
    for ours, theirs in (("contrastive", "ccl"), ("text", "text_rec"), ("image", "img_rec")):
        assert float(terms[ours]) == pytest.approx(float(recorded[f"loss_{theirs}"]), rel=1e-4), ours


def test_the_released_network_has_60_677_951_trainable_and_17_305_917_inference_parameters(
    converted: Converted,
) -> None:
    assert converted.network.options["width"] == 64
    assert count_parameters(converted.network) == TRAINABLE
    assert count_parameters(converted.network.stripped()) == INFERENCE


def test_stripping_leaves_the_logits_as_they_are(converted: Converted) -> None:
    with torch.no_grad():
        found = converted.network.stripped()(recorded_image(), converted.states.states, converted.states.mask).logits
    assert torch.equal(found, converted.logits)


def test_every_tensor_of_the_authors_is_kept_or_listed_as_dropped(converted: Converted) -> None:
    names = set(json.loads((GOLDEN / "reclmis_parameters.json").read_text()))
    dropped = {name for listed in converted.conversion.dropped.values() for name in listed}
    expected = {name for name in names if name.startswith("clip.visual.")} | {"clip.logit_scale"}
    expected |= {name for name in names if ".conv_sig." in name}
    expected |= {name for name in names if ".decoder1." in name and ".encoder_attn" in name}
    assert dropped == expected
    with safe_open(converted.conversion.text_tower, framework="pt") as tower:
        kept = {f"clip.{name}" for name in tower.keys()}
    assert len(names - dropped - kept) == len(converted.network.state_dict())
    assert set(converted.conversion.ignored) == {"epoch", "best_model", "model", "val_loss"}


def test_the_command_tells_what_was_dropped(converted: Converted) -> None:
    text = convert_command.describe(converted.conversion)
    assert f"{TRAINABLE:,} trainable parameters" in text
    assert "dropped 8 tensors, the gates' convolution" in text
    assert "dropped 48 tensors, the source decoders' attention to another modality" in text
    for names in converted.conversion.dropped.values():
        assert all(name in text for name in names)


def test_the_card_says_how_to_feed_the_weights(converted: Converted) -> None:
    card = converted.checkpoint.card
    assert (card.network, card.network_options["variant"], card.image_size) == ("reclmis", "release", (224, 224))
    assert (card.network_options["layers"], card.network_options["grid"]) == (4, 14)
    assert (card.image["convention"], card.image["colour"], card.modality) == ("unit", "bgr", "chest X-ray")
    assert card.text_encoder["hash"] == converted.encoder.hash
    assert any("EOF XXX" in limit for limit in card.limits)
    assert not any("sentence vector" in limit for limit in card.limits)


def test_short_sentences_are_filled_up_as_in_the_release(converted: Converted) -> None:
    by_hand = converted.encoder.encode(["infection in the left lung EOF XXX EOF XXX EOF XXX EOF XXX"])
    found = converted.encoder.encode(["infection in the left lung"])
    assert torch.equal(found.states, by_hand.states) and torch.equal(found.mask, by_hand.mask)
    assert not torch.equal(found.mask, converted.encoder.encode(["one two three four five six seven eight nine"]).mask)
