"""What all networks have in common beside their arithmetic: names, recipes, options that rebuild them, training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from training_makers import recipe
from training_makers import training_ground as training_ground  # the fixture "ground"

from LMISCore.checkpoints.card_text import markdown, summary
from LMISCore.checkpoints.store import load_checkpoint
from LMISCore.cli.info import as_dict, describe
from LMISCore.errors import InputError
from LMISCore.losses import LOSSES
from LMISCore.networks import NETWORKS, create_network, without_training_parts
from LMISCore.training.parts import build_network
from LMISCore.training.recipe import load_recipe
from LMISCore.training.trainer import CHECKPOINT_NAME, train

TINY: dict[str, dict[str, Any]] = {
    "tirnet": {"width": 4},
    "reclmis": {"width": 4, "layers": 1, "grid": 2},
    "tmca": {"width": 8, "depths": [1, 1, 1, 1], "embedding": 8},
}
READING = "reading of"


def tiny(name: str) -> Any:
    torch.manual_seed(0)
    return create_network(name, text_width=6, **TINY[name])


def test_every_network_is_held_to_the_contract() -> None:
    assert NETWORKS.keys() == LOSSES.keys() == TINY.keys()


@pytest.mark.parametrize("name", TINY)
def test_a_network_says_what_it_is_and_what_its_maps_show(name: str) -> None:
    network = tiny(name)
    assert (network.name, network.title.split(" ")[0].lower()) == (name, name)
    assert "arXiv" in network.title
    assert network.MAP_MEANINGS
    for meaning in network.MAP_MEANINGS.values():
        assert 10 < len(meaning) <= 120
        assert "\n" not in meaning
    assert load_recipe(f"{name}-chest-ct").network.name == name


@pytest.mark.parametrize("name", TINY)
def test_options_survive_a_card_and_rebuild_the_network(name: str) -> None:
    network = tiny(name)
    for built in (network, without_training_parts(network)):
        again: Any = create_network(name, **json.loads(json.dumps(built.options)))
        assert again.options == built.options
        again.load_state_dict(built.state_dict(), strict=True)


@pytest.mark.parametrize("name", TINY)
def test_what_a_network_draws_in_training_comes_from_the_generator(name: str, device: torch.device) -> None:
    network = tiny(name).to(device).train()
    image, states = torch.rand(2, 3, 32, 32, device=device), torch.randn(4, 5, 6, device=device)
    mask = torch.ones(4, 5, dtype=torch.bool, device=device)
    target = torch.zeros(4, 32, 32, device=device)
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(7)
        features = network.encode_image(image).repeat(2)
        output = network.decode(features, states, mask, torch.Generator(device).manual_seed(seed))
        losses.append(LOSSES[name]()(output, target)[0].detach())
    torch.testing.assert_close(losses[0], losses[1])
    # Only RecLMIS draws: the words and patches that it hides.
    assert bool((losses[0] - losses[2]).abs() > 1e-6) == (name == "reclmis")


@pytest.mark.parametrize("name", TINY)
def test_every_network_trains_by_the_same_keys_and_answers(ground: Path, tmp_path: Path, name: str) -> None:
    options = json.dumps(TINY[name])
    wanted = recipe(ground, f"network={{name: {name}, options: {options}}}", "training.steps=2", "pairs.sentences=2")
    train(wanted, tmp_path, "cpu")
    checkpoint = load_checkpoint(tmp_path / CHECKPOINT_NAME)
    assert checkpoint.card.network == name
    network: Any = checkpoint.network
    with torch.no_grad():
        states = torch.randn(1, 5, network.text_width)
        logits = network(torch.rand(1, 3, 32, 32), states, torch.ones(1, 5, dtype=torch.bool)).logits
    assert torch.isfinite(logits).all()
    # Only TMCA was written from an abstract, and it says so wherever a user meets it.
    told = [summary(checkpoint.card), markdown(checkpoint.card), describe(checkpoint), as_dict(checkpoint)["network"]]
    assert [READING in text for text in told] == [name == "tmca"] * 4
    assert any(READING in limit for limit in checkpoint.card.limits) == (name == "tmca")


@pytest.mark.parametrize("name", ["reclmis", "tirnet"])
def test_networks_with_encoders_of_their_own_start_from_nothing_released(ground: Path, name: str) -> None:
    wanted = recipe(ground, f"network={{name: {name}, options: {{width: 4}}, initial: somewhere}}")
    with pytest.raises(InputError, match=rf"network\.initial is somewhere, but the image encoder of {name} is its own"):
        build_network(wanted, 6)


def test_a_recipe_starts_tmca_from_a_folder_and_its_card_keeps_the_folders_name_alone(
    ground: Path, tmp_path: Path
) -> None:
    from transformers import ConvNextConfig, ConvNextModel

    folder = tmp_path / "released"
    model: Any = ConvNextModel(ConvNextConfig(hidden_sizes=[8, 16, 32, 64], depths=[1, 1, 1, 1]))
    model.save_pretrained(folder)
    network = {"name": "tmca", "options": TINY["tmca"], "initial": str(folder)}
    train(recipe(ground, f"network={json.dumps(network)}", "training.steps=2"), tmp_path / "run", "cpu")
    card = load_checkpoint(tmp_path / "run" / CHECKPOINT_NAME).card
    assert card.network_options["started_from"].startswith("released, sha256 ")
    assert card.recipe["network"]["initial"] == "released"
    assert str(tmp_path) not in card.to_json()
