"""Any local folder of the ``transformers`` library as a text encoder: last hidden state, no remote code, no pickle."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor

from LMISCore.errors import InputError
from LMISCore.text.states import TextEncoder, combined_hash, file_sha256

DEFAULT_LENGTH = 64
"""Tokens kept of a sentence: report sentences rarely pass 40, and the states' memory grows with it."""

UNREADABLE = (pickle.UnpicklingError, SafetensorError, StrictDataclassError)
"""A pickle that holds more than weights, a damaged file, a configuration with senseless values."""

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)


class FolderEncoder(TextEncoder):
    """Token states ``(B, L, D)`` = last hidden state of an encoder kept in a local folder.

    Args:
        folder: holds config.json, weights (``*.safetensors``, or ``pytorch_model.bin`` read with ``weights_only``)
            and the tokeniser's files.
        length: tokens kept, special ones included.

    Raises:
        InputError: if the folder lacks one of these, needs remote code, has parameters missing, or is not a plain
            encoder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        length: int | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        folder = Path(folder)
        config = read_config(folder)
        weights = weight_files(folder)
        model, tokenizer = _load(folder, config, weights[0].suffix == ".safetensors")
        super().__init__(model, device)
        self._tokenizer = tokenizer
        self.name = name or folder.name
        loaded: Any = model.config
        self.width = int(loaded.hidden_size)
        most = int(getattr(loaded, "max_position_embeddings", None) or DEFAULT_LENGTH)
        self.length = min(DEFAULT_LENGTH, most) if length is None else length
        if not 2 <= self.length <= most:
            raise InputError(
                f"The text encoder {self.name} was asked for {self.length} tokens per sentence; "
                f"choose between 2 and {most}."
            )
        files = [*weights, folder / "config.json", *(folder / file for file in _TOKENIZER_FILES)]
        self.hash = combined_hash(
            f"transformers last hidden state, special tokens, cut to {self.length}",
            [(file.name, file_sha256(file)) for file in files if file.is_file()],
        )

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        ids = self._tokenizer(sentence, truncation=True, max_length=self.length, padding=False)["input_ids"]
        found = torch.tensor([ids], dtype=torch.int64)
        return found, torch.ones_like(found, dtype=torch.bool)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        hidden: Tensor = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return hidden


def read_config(folder: Path) -> dict[str, Any]:
    """Return the folder's config.json.

    Raises:
        InputError: if it is missing or is not a JSON object.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"The folder {folder} is no transformers model: its config.json cannot be read; "
            "give a folder that holds config.json, *.safetensors and the tokeniser's files."
        ) from error
    if not isinstance(config, dict):
        raise InputError(f"{path} holds no JSON object; give the folder of an unchanged transformers model.")
    return config


def weight_files(folder: Path) -> list[Path]:
    """Return the folder's weight files: all ``*.safetensors``, else ``pytorch_model*.bin``.

    Raises:
        InputError: if there are none.
    """
    found = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    if not found:
        raise InputError(
            f"The folder {folder} holds no weights; expected model.safetensors or pytorch_model.bin beside config.json."
        )
    return found


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep transformers' own progress bar off the screen for a load of a second; warnings stay."""
    import transformers

    logging: Any = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _load(folder: Path, config: dict[str, Any], safetensors: bool) -> tuple[torch.nn.Module, Any]:
    import transformers

    library: Any = transformers  # its own annotations do not follow output_loading_info
    if config.get("is_encoder_decoder"):
        raise InputError(
            f"The model in {folder} is an encoder-decoder; a text encoder must be an encoder such as BERT."
        )
    options: dict[str, Any] = {
        "local_files_only": True,
        "trust_remote_code": False,
        "use_safetensors": safetensors,
        "weights_only": True,
        "output_loading_info": True,
    }
    try:
        with quiet_loading():
            if config.get("model_type") == "cxr-bert":
                # Its own classes are remote code; underneath lies a plain BERT with two unused heads.
                plain = {key: value for key, value in config.items() if key not in ("auto_map", "architectures")}
                bert = library.BertConfig.from_dict({**plain, "model_type": "bert"})
                model, info = library.BertModel.from_pretrained(folder, config=bert, **options)
                tokenizer = library.BertTokenizer.from_pretrained(folder, local_files_only=True)
            else:
                model, info = library.AutoModel.from_pretrained(folder, **options)
                tokenizer = library.AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError, *UNREADABLE) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"The transformers folder {folder} cannot be loaded without remote code ({first}); "
            "give an unchanged folder of a standard encoder."
        ) from error
    # The pooler is not used here, so a model saved without one is complete.
    missing = sorted(key for key in info["missing_keys"] if "pooler" not in key)
    if missing or info["mismatched_keys"]:
        names = ", ".join([*missing, *(str(key) for key in info["mismatched_keys"])][:5])
        raise InputError(
            f"The weights in {folder} do not fit its config.json (for example {names}); give an unchanged folder."
        )
    return model, tokenizer
