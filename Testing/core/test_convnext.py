"""ConvNeXt as an image encoder: the library's own answer, published counts, released folders, and nothing fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from LMISCore.errors import InputError
from LMISCore.networks import create_network
from LMISCore.networks.blocks import count_parameters
from LMISCore.networks.convnext import IMAGENET, ConvNeXt

SMALL: dict[str, Any] = {"width": 8, "depths": (1, 2, 1, 1)}
SIZES = {"hidden_sizes": [8, 16, 32, 64], "depths": [1, 2, 1, 1]}


def encoder() -> ConvNeXt:
    torch.manual_seed(1)
    return ConvNeXt(**SMALL, layer_scale=0.1).eval()


def released(folder: Path, head: bool = True, **config: Any) -> Any:
    """A folder as ``transformers`` writes it, of a classifier or of the encoder alone."""
    from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextModel

    torch.manual_seed(2)
    settings = ConvNextConfig(**{**SIZES, "num_labels": 3, **config})
    model: Any = ConvNextForImageClassification(settings) if head else ConvNextModel(settings)
    model.save_pretrained(folder)
    return model.convnext if head else model


def test_convnext_tiny_has_the_published_number_of_parameters() -> None:
    network = ConvNeXt(96, (3, 3, 9, 3), 1e-6)
    # torchvision and timm give 28,589,128: less the classifier (769,000) and the norm before it (1,536).
    assert count_parameters(network) - count_parameters(network.norms) == 28_589_128 - 769_000 - 1_536


@pytest.mark.parametrize("head", [True, False])
def test_a_released_folder_gives_the_librarys_own_features(tmp_path: Path, head: bool) -> None:
    model, network = released(tmp_path, head).eval(), encoder()
    origin = network.start_from(str(tmp_path))
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    mean, deviation = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
    with torch.no_grad():
        expected = model((image - mean) / deviation, output_hidden_states=True).hidden_states[-4:]
        found = network(image)
    assert [level.shape[-1] for level in found.levels] == [24, 12, 6, 3]
    for level, hidden in zip(found.levels, expected, strict=True):
        normed = torch.nn.functional.layer_norm(hidden.permute(0, 2, 3, 1), hidden.shape[1:2], eps=1e-6)
        torch.testing.assert_close(level, normed.permute(0, 3, 1, 2), atol=1e-4, rtol=1e-4)
    assert origin.startswith(f"{tmp_path.name}, sha256 ")
    assert len(origin.rsplit(" ", 1)[1]) == 64


def test_the_folders_own_colours_are_taken(tmp_path: Path) -> None:
    released(tmp_path)
    stated = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(stated), encoding="utf-8")
    network = encoder()
    network.start_from(str(tmp_path))
    torch.testing.assert_close(network.image_mean, torch.tensor(stated["image_mean"]))
    torch.testing.assert_close(network.image_deviation, torch.tensor(stated["image_std"]))


def test_even_patches_of_other_brightness_look_different_from_the_start() -> None:
    network = encoder()
    dark, bright = (torch.full((1, 3, 32, 32), value) for value in (0.6, 0.9))

    def distance() -> float:
        with torch.no_grad():
            return float((network.embeddings(dark - 0.5) - network.embeddings(bright - 0.5)).abs().max())

    assert distance() > 0.1
    torch.nn.init.zeros_(network.embeddings.patch_embeddings.bias)
    assert distance() < 0.01


def test_a_checkpoint_knows_where_its_encoder_came_from_and_needs_the_folder_no_more(tmp_path: Path) -> None:
    released(tmp_path / "small")
    options: dict[str, Any] = {"width": 8, "depths": [1, 2, 1, 1], "embedding": 8, "text_width": 6}
    network: Any = create_network("tmca", **options)
    network.start_from(str(tmp_path / "small"))
    assert network.options["started_from"].startswith("small, sha256 ")
    again: Any = create_network("tmca", **network.options)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.encoder.image_mean, network.encoder.image_mean)


def test_other_sizes_are_refused_with_those_that_fit(tmp_path: Path) -> None:
    released(tmp_path, hidden_sizes=[4, 8, 16, 32])
    with pytest.raises(InputError, match=r"set network\.options\.width=4 and depths=\[1, 2, 1, 1\]"):
        encoder().start_from(str(tmp_path))


@pytest.mark.parametrize("name", ["nowhere", "./nowhere/deeper", "~/convnext"])
def test_what_is_no_folder_and_no_models_name_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"There is no folder .*facebook/convnext-tiny-224"):
        encoder().start_from(name)


def test_a_name_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(InputError, match="cannot start from facebook/convnext-tiny-224"):
        encoder().start_from("facebook/convnext-tiny-224")


@pytest.mark.parametrize("break_it", ["no weights", "half", "damaged", "other kind", "no config"])
def test_a_folder_that_holds_no_whole_convnext_is_refused(tmp_path: Path, break_it: str) -> None:
    released(tmp_path)
    weights, config = tmp_path / "model.safetensors", tmp_path / "config.json"
    if break_it == "no weights":
        weights.unlink()
    elif break_it == "damaged":
        weights.write_bytes(weights.read_bytes()[:100])
    elif break_it == "no config":
        config.unlink()
    elif break_it == "other kind":
        config.write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    else:
        from safetensors.torch import load_file, save_file

        kept = {name: value for name, value in load_file(weights).items() if "stages.3" not in name}
        save_file(kept, weights, {"format": "pt"})
    with pytest.raises(InputError, match=r"cannot start from|no whole ConvNeXt"):
        encoder().start_from(str(tmp_path))


def test_building_a_network_and_reading_a_card_fetch_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a model was asked for")

    monkeypatch.setattr(transformers.ConvNextModel, "from_pretrained", refuse)
    create_network("tmca", width=8, depths=[1, 1, 1, 1], text_width=6, started_from="facebook/convnext-tiny-224")
