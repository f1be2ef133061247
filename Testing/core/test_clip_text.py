"""CLIP's text tower in the releases' convention: token ids, states, and the companion file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_makers import GOLDEN, SEED, recorded_case, recorded_sentences
from safetensors.torch import save_file
from text_makers import CLIP_WIDTH, openai_clip_state
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from LMISCore.errors import InputError
from LMISCore.text.clip_tokens import clip_ids, with_eof
from LMISCore.text.encoders import (
    ClipTextEncoder,
    clip_text_from_openai,
    create_encoder,
    is_clip_text_name,
    load_clip_text,
    save_clip_text,
)
from Testing.golden import fill

# Made with the tokeniser of the wheel open-clip-torch 3.3.0, which is OpenAI's.
SHORT = [49406, 39132, 14774, 49407] + 14 * [0]
LONG = [
    49406, 32388, 18819, 39132, 14774, 267, 637, 26136, 2445, 267, 4909, 1823, 16271, 269, 49407, 0, 0, 0,
]  # fmt: skip
CUT = [
    49406, 25599, 39132, 14774, 267, 1237, 26136, 5429, 267, 7067, 1823, 16271, 537, 7067, 3694, 4909, 1155, 49407,
]  # fmt: skip
WITH_EOF = [49406, 39132, 14774, 68, 539, 8352, 68, 539, 8352, 68, 539, 8352, 68, 539, 8352, 68, 539, 49407]
ODD = [49406, 6262, 568, 274, 269, 276, 3741, 343, 272, 273, 2848, 257, 2461, 268, 3313, 257, 676, 49407]


@pytest.fixture(scope="module")
def tower() -> ClipTextEncoder:
    return clip_text_from_openai(openai_clip_state())


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("pulmonary infection", SHORT),
        ("Unilateral pulmonary infection, one infected area, lower left lung.", LONG),
        ("Bilateral pulmonary infection, two infected areas, upper left lung and upper middle lower right lung.", CUT),
        ("", [49406, 49407] + 16 * [0]),
        ("Patient’s 3.5 cm x 12mm “ground-glass” opacity &amp; café! naïve!?  !! it's <b>", ODD),  # noqa: RUF001
    ],
)
def test_token_ids_are_openais_padded_with_zero_and_cut_at_eighteen(sentence: str, expected: list[int]) -> None:
    ids, mask = clip_ids([sentence])
    assert ids[0].tolist() == expected
    assert mask[0].tolist() == [number != 0 for number in expected]


def test_eof_words_are_added_to_sentences_of_fewer_than_nine_words() -> None:
    assert clip_ids(["pulmonary infection"], append_eof=True)[0][0].tolist() == WITH_EOF
    assert with_eof("a b c d e f g h") == "a b c d e f g h EOF XXX"
    assert with_eof("a b c d e f g h i") == "a b c d e f g h i"


@pytest.mark.parametrize("length", [2, 78])
def test_a_senseless_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="between 3 and 77"):
        clip_ids(["infection"], length)


@pytest.mark.golden
def test_the_released_towers_states_are_reached_at_every_position() -> None:
    state = {
        name: torch.from_numpy(value)
        for name, value in fill.state_dict(GOLDEN / "reclmis_parameters.json", seed=SEED).items()
        if is_clip_text_name(name) and name.startswith("clip.")
    }
    expected = recorded_case("reclmis")["text_hidden"]
    found = recorded_sentences(clip_text_from_openai(state)).states.numpy()
    assert found.shape == (2, 18, 512)
    assert np.abs(found - expected).max() <= 1e-4 * expected.std()


def test_the_tower_computes_what_the_paper_writes(tower: ClipTextEncoder) -> None:
    state = {name.removeprefix("clip."): value for name, value in openai_clip_state().items()}
    ids, mask = clip_ids(["Infection in the left lung.", "infection"])
    x = state["token_embedding.weight"][ids] + state["positional_embedding"][:18]
    allowed = torch.ones(18, 18, dtype=torch.bool).tril() & mask[:, None, :]
    for n in range(2):
        block = {
            key.split(".", 3)[3]: value for key, value in state.items() if key.startswith(f"transformer.resblocks.{n}.")
        }
        y = functional.layer_norm(x, (CLIP_WIDTH,), block["ln_1.weight"], block["ln_1.bias"])
        q, k, v = (y @ block["attn.in_proj_weight"].T + block["attn.in_proj_bias"]).chunk(3, -1)
        scores = (q @ k.transpose(1, 2) / CLIP_WIDTH**0.5).masked_fill(~allowed, -torch.inf)
        x = x + scores.softmax(-1) @ v @ block["attn.out_proj.weight"].T + block["attn.out_proj.bias"]
        y = functional.layer_norm(x, (CLIP_WIDTH,), block["ln_2.weight"], block["ln_2.bias"])
        y = y @ block["mlp.c_fc.weight"].T + block["mlp.c_fc.bias"]
        x = x + (y * torch.sigmoid(1.702 * y)) @ block["mlp.c_proj.weight"].T + block["mlp.c_proj.bias"]
    x = functional.layer_norm(x, (CLIP_WIDTH,), state["ln_final.weight"], state["ln_final.bias"])
    expected = x @ state["text_projection"]
    found = tower.encode(["Infection in the left lung.", "infection"])
    assert torch.equal(found.mask, mask)
    torch.testing.assert_close(found.states, expected, rtol=0, atol=1e-4 * float(expected.std()))


def test_padding_takes_part_but_changes_no_real_token(tower: ClipTextEncoder) -> None:
    ids, mask = clip_ids(["infection"])
    padded = tower.encode_ids(ids, mask).states[0]
    alone = tower.encode_ids(ids[:, :3], mask[:, :3]).states[0]
    assert padded.isfinite().all() and padded[3:].abs().sum() > 0
    torch.testing.assert_close(padded[:3], alone, rtol=0, atol=1e-5)


def test_the_companion_file_gives_back_the_same_tower(tower: ClipTextEncoder, tmp_path: Path) -> None:
    save_clip_text(tower, tmp_path / "text.safetensors")
    expected = tower.encode(["Infection in the left lung."]).states
    for place in (tmp_path / "text.safetensors", tmp_path):
        found = create_encoder(place)
        assert (found.hash, found.name, found.width, found.length) == (tower.hash, "clip-vit-b32", 48, 18)
        assert torch.equal(found.encode(["Infection in the left lung."]).states, expected)


def test_the_companion_file_keeps_length_and_eof_convention(tmp_path: Path) -> None:
    tower = clip_text_from_openai(openai_clip_state(), length=10, append_eof=True)
    save_clip_text(tower, tmp_path / "text.safetensors")
    found = load_clip_text(tmp_path / "text.safetensors")
    assert (found.length, found.append_eof, found.hash) == (10, True, tower.hash)
    assert load_clip_text(tmp_path / "text.safetensors", append_eof=False).hash != tower.hash


def test_a_transformers_folder_of_clip_gives_the_same_tower_and_hash(tmp_path: Path) -> None:
    text = CLIPTextConfig(
        hidden_size=CLIP_WIDTH,
        num_attention_heads=1,
        num_hidden_layers=2,
        intermediate_size=4 * CLIP_WIDTH,
        projection_dim=48,
    )
    vision = CLIPVisionConfig(
        hidden_size=16, num_attention_heads=1, num_hidden_layers=1, intermediate_size=16, image_size=32, patch_size=16
    )
    torch.manual_seed(0)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=48)
    CLIPModel(config).save_pretrained(tmp_path)
    folder = create_encoder(tmp_path)
    assert isinstance(folder, ClipTextEncoder)
    rebuilt = clip_text_from_openai(folder.openai_state())
    assert rebuilt.hash == folder.hash
    assert torch.equal(rebuilt.encode(["infection"]).states, folder.encode(["infection"]).states)


def test_an_authors_whole_state_dict_needs_no_sorting(tower: ClipTextEncoder) -> None:
    whole = openai_clip_state() | {
        "clip.visual.conv1.weight": torch.zeros(1),
        "clip.logit_scale": torch.zeros(()),
        "down1.weight": torch.zeros(1),
    }
    assert clip_text_from_openai(whole).hash == tower.hash
    assert [name for name in whole if not is_clip_text_name(name)] == [
        "clip.visual.conv1.weight",
        "clip.logit_scale",
        "down1.weight",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clip.ln_final.weight", None),
        ("clip.transformer.resblocks.1.mlp.c_fc.bias", None),
        ("clip.transformer.resblocks.0.attn.in_proj_weight", None),
        ("clip.transformer.resblocks.0.attn.in_proj_weight", torch.zeros(5, CLIP_WIDTH)),
        ("clip.transformer.resblocks.0.ln_1.weight", torch.zeros(7)),
        ("clip.something.else", torch.zeros(1)),
    ],
)
def test_missing_unknown_and_misshapen_parameters_are_listed(name: str, value: torch.Tensor | None) -> None:
    state = openai_clip_state()
    state.pop(name, None)
    if value is not None:
        state[name] = value
    with pytest.raises(InputError, match="CLIP text tower"):
        clip_text_from_openai(state)


def test_a_file_that_is_no_companion_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00\x00")
    for name in ("other.safetensors", "cut.safetensors", "absent.safetensors"):
        with pytest.raises(InputError, match=name):
            create_encoder(tmp_path / name)


def test_a_companion_file_cut_short_is_refused(tower: ClipTextEncoder, tmp_path: Path) -> None:
    path = tmp_path / "text.safetensors"
    save_clip_text(tower, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 1000])
    with pytest.raises(InputError, match=r"text\.safetensors"):
        create_encoder(path)
