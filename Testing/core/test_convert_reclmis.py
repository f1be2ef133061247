"""A RecLMIS file of its authors on the command line: converted, stripped, and asked a sentence about a picture."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_runs import Run, cli_lmis
from PIL import Image
from reclmis_maker import CLIP_WIDTH, GRID, LAYERS, WIDTH, authors_state, save_authors_file
from torch import Tensor

from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.encoder import text_encoder_for
from LMISCore.checkpoints.released import convert_released
from LMISCore.checkpoints.store import load_checkpoint, update_card
from LMISCore.errors import InputError
from LMISCore.text.encoders import ClipTextEncoder
from LMISCore.volumes.segmentation import read_segmentation

__all__ = ["cli_lmis"]


@pytest.fixture(scope="module")
def state() -> OrderedDict[str, Tensor]:
    return authors_state()


@pytest.fixture(name="file", scope="module")
def authors_file(tmp_path_factory: pytest.TempPathFactory, state: OrderedDict[str, Tensor]) -> Path:
    return save_authors_file(tmp_path_factory.mktemp("reclmis") / "best_model.pth.tar", state)


def mark_everything(checkpoint: Path) -> None:
    """Random weights find nothing: both thresholds are set so low that every pixel is marked."""
    card = load_checkpoint(checkpoint).card
    changed = Card.from_dict({**card.to_dict(), "thresholds": {"mask": 0.0, "presence": 0.0}})
    update_card(checkpoint, changed)


@pytest.mark.parametrize("out", ["out", "out.safetensors"])
def test_a_converted_file_segments_a_picture_with_a_sentence(lmis: Run, tmp_path: Path, file: Path, out: str) -> None:
    code, printed, _ = lmis("convert", "--from", "reclmis", file, out, "--trained-on", "qata")
    assert code == 0 and "RecLMIS as released by its authors, QaTa-COV19" in printed
    mark_everything(tmp_path / out)
    picture = np.random.default_rng(0).integers(0, 255, (40, 52), dtype=np.uint8)
    Image.fromarray(picture).save("chest.png")
    sentence = "Bilateral pulmonary infection, two infected areas, upper left lung and lower right lung."
    answer = ("segment", "chest.png", "--text", sentence, "--checkpoint", out, "--out", "mask.seg.nrrd")
    code, _, errors = lmis(*answer, "--device", "cpu")
    assert code == 0, errors
    segments, geometry, _ = read_segmentation("mask.seg.nrrd")
    assert [segment.mask.all() for segment in segments] == [True]
    assert geometry.size == (52, 40, 1)


def test_stripping_on_the_command_line_takes_the_text_tower_along(lmis: Run, tmp_path: Path, file: Path) -> None:
    convert_released("reclmis", file, tmp_path / "whole.safetensors")
    code, printed, _ = lmis("strip", "whole.safetensors", "slim/slim.safetensors")
    assert code == 0
    whole, slim = load_checkpoint("whole.safetensors"), load_checkpoint("slim/slim.safetensors")
    assert f"sha256 {slim.hash}" in printed and "text tower: slim" in printed
    assert text_encoder_for(slim).hash == text_encoder_for(whole).hash
    assert slim.card.run["stripped_from"] == whole.hash
    assert slim.card.network_options["auxiliary"] is False
    inputs = torch.rand(1, 3, 32, 32), torch.randn(1, 18, CLIP_WIDTH), torch.ones(1, 18)
    with torch.no_grad():
        assert torch.equal(slim.network(*inputs).logits, whole.network(*inputs).logits)
    assert Path("slim/slim.safetensors").stat().st_size < 0.6 * Path("whole.safetensors").stat().st_size


def test_depth_grid_and_width_are_read_from_the_file(tmp_path: Path, file: Path) -> None:
    conversion = convert_released("reclmis", file, tmp_path / "out", "monuseg")
    options = conversion.checkpoint.card.network_options
    found = (options["width"], options["text_width"], options["layers"], options["grid"])
    assert found == (WIDTH, CLIP_WIDTH, LAYERS, GRID)
    assert (options["hide_words"], options["hide_patches"], options["interest_dropout"]) == (0.3, 0.5, 0.5)
    card = conversion.checkpoint.card
    assert (card.modality, card.text_encoder["length"], list(card.vocabulary["findings"])) == (
        "histology",
        10,
        ["nuclei"],
    )
    encoder = text_encoder_for(conversion.checkpoint)
    assert isinstance(encoder, ClipTextEncoder) and (encoder.length, encoder.append_eof) == (10, True)
    assert {len(names) for names in conversion.dropped.values()} == {1, 4, 8}


@pytest.mark.parametrize(("trained_on", "expected"), [(None, (0.5, 0.0)), ("qata", (0.5, 0.0)), ("mosmed", (0.3, 0.5))])
def test_options_that_no_tensor_tells_come_from_the_data_set(
    tmp_path: Path, file: Path, trained_on: str | None, expected: tuple[float, float]
) -> None:
    network: Any = convert_released("reclmis", file, tmp_path / "out", trained_on).checkpoint.network
    assert (network.options["hide_patches"], network.options["interest_dropout"]) == expected
    assert network.auxiliary.word_interest.dropout.p == expected[1]


def test_a_layer_that_is_not_whole_and_a_position_that_is_no_square_are_named(
    tmp_path: Path, state: OrderedDict[str, Tensor]
) -> None:
    short = OrderedDict(state)
    del short["rec_text_trans1.decoder2.decoder_layers.1.encoder_attn.in_proj_bias"]
    with pytest.raises(InputError, match=r"lacks tensor rec_text_trans1.decoder2.decoder_layers.1.encoder_attn.in_pro"):
        convert_released("reclmis", save_authors_file(tmp_path / "short", short), tmp_path / "out")
    odd = OrderedDict(state)
    odd["interact.embeddings.position_embeddings"] = torch.zeros(1, 5, 8 * WIDTH)
    with pytest.raises(InputError, match="learned position is for 5 patches, expected a square"):
        convert_released("reclmis", save_authors_file(tmp_path / "odd", odd), tmp_path / "out")
    with pytest.raises(InputError, match=r"lacks tensors .* has the unknown tensors"):
        convert_released("tirnet", save_authors_file(tmp_path / "whole", state), tmp_path / "out")
    assert not (tmp_path / "out").exists()
