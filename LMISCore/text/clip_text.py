"""The CLIP text tower of the released networks (Radford et al., arXiv 2103.00020), on transformers' implementation.

All positions are final-layer-normed and projected: ``(B, 18, 512)`` for ViT-B/32. Attention is causal and never looks
at padding keys; every query row keeps at least the start token, so padded rows stay finite. The releases let these
padded rows take part, so nothing is cut here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from LMISCore.atomic import atomic_path
from LMISCore.errors import InputError
from LMISCore.text.clip_tokens import RELEASE_LENGTH, clip_ids
from LMISCore.text.states import TextEncoder, combined_hash
from LMISCore.text.transformers_folder import UNREADABLE, quiet_loading, read_config, weight_files

_METADATA_KEY = "clip-text"
_HEAD_WIDTH = 64
_BLOCK = "transformer.resblocks.{n}."
_LAYER = "text_model.encoder.layers.{n}."
_QKV = ("q_proj", "k_proj", "v_proj")

_OUTER = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_PER_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


class ClipTextEncoder(TextEncoder):
    """Text states ``(B, length, 512)`` of a CLIP text tower; the mask is True where the token id is not 0.

    Args:
        model: transformers' ``CLIPTextModelWithProjection``.
        length: tokens per sentence (18 in the releases; MoNuSeg 10).
        append_eof: see ``clip_ids``.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        length: int = RELEASE_LENGTH,
        append_eof: bool = False,
        device: str | torch.device = "cpu",
        name: str = "clip-vit-b32",
    ) -> None:
        super().__init__(model, device)
        self.name, self.length, self.append_eof = name, length, append_eof
        self.width = int(model.get_parameter("text_projection.weight").shape[0])
        digests = [(key, _tensor_sha256(value)) for key, value in self.openai_state().items()]
        self.hash = combined_hash(f"CLIP 49406 words 49407 zeros, length {length}, EOF {append_eof}", digests)

    def _tokenise(self, sentence: str) -> tuple[Tensor, Tensor]:
        return clip_ids([sentence], self.length, self.append_eof)

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        inner: Any = self.model
        states = inner.text_model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        projected: Tensor = inner.text_projection(states)
        return projected

    def openai_state(self) -> dict[str, Tensor]:
        """Return the tower's parameters under OpenAI's names (no prefix), float32 on the CPU."""
        own = {key: value.detach().float().cpu() for key, value in self.model.state_dict().items()}
        state = {theirs: own[ours] for theirs, ours in _OUTER.items()}
        state["text_projection"] = own["text_projection.weight"].T.contiguous()
        for n in range(_count(own, r"text_model\.encoder\.layers\.(\d+)\.")):
            block, layer = _BLOCK.format(n=n), _LAYER.format(n=n)
            for kind in ("weight", "bias"):
                parts = [own[f"{layer}self_attn.{part}.{kind}"] for part in _QKV]
                state[f"{block}attn.in_proj_{kind}"] = torch.cat(parts)
                for theirs, ours in _PER_BLOCK.items():
                    state[f"{block}{theirs}.{kind}"] = own[f"{layer}{ours}.{kind}"]
        return state


def is_clip_text_name(name: str) -> bool:
    """Return whether a state-dict name, with or without ``clip.``, belongs to CLIP's text tower in OpenAI's layout."""
    name = name.removeprefix("clip.")
    return name in _OUTER or name == "text_projection" or name.startswith("transformer.resblocks.")


def clip_text_from_openai(
    state: Mapping[str, Tensor],
    *,
    length: int = RELEASE_LENGTH,
    append_eof: bool = False,
    device: str | torch.device = "cpu",
) -> ClipTextEncoder:
    """Build the tower from OpenAI's layout; width, depth and heads (64 wide) are read from the shapes.

    Args:
        state: names as ``clip.token_embedding.weight`` (an authors' whole state dict will do: with any name under
            ``clip.`` all others are left alone) or without the prefix. CLIP's image half (``visual.*``,
            ``logit_scale``) is not part of the tower.

    Raises:
        InputError: listing what is missing, unknown or of the wrong shape.
    """
    import transformers

    prefixed = any(name.startswith("clip.") for name in state)
    named = {
        name.removeprefix("clip."): value for name, value in state.items() if not prefixed or name.startswith("clip.")
    }
    named = {name: value for name, value in named.items() if not name.startswith("visual.") and name != "logit_scale"}
    missing = [name for name in (*_OUTER, "text_projection") if name not in named]
    if missing:
        raise InputError(f"These are no weights of a CLIP text tower in OpenAI's layout: {_some(missing)} missing.")
    vocabulary, width = named["token_embedding.weight"].shape
    blocks = _count(named, r"transformer\.resblocks\.(\d+)\.")
    fc = named.get("transformer.resblocks.0.mlp.c_fc.weight")
    config = transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=4 * width if fc is None else fc.shape[0],
        projection_dim=named["text_projection"].shape[1],
        num_hidden_layers=blocks,
        num_attention_heads=max(1, width // _HEAD_WIDTH),
        max_position_embeddings=named["positional_embedding"].shape[0],
        hidden_act="quick_gelu",
    )
    model = transformers.CLIPTextModelWithProjection(config)
    _fill(model, named, blocks)
    return ClipTextEncoder(model, length=length, append_eof=append_eof, device=device)


def _fill(model: torch.nn.Module, named: dict[str, Tensor], blocks: int) -> None:
    """Load OpenAI's names into transformers' model; every name on both sides must be used."""
    left = dict(named)
    ours: dict[str, Tensor] = {own: left.pop(theirs) for theirs, own in _OUTER.items()}
    ours["text_projection.weight"] = left.pop("text_projection").T.contiguous()
    for n in range(blocks):
        block, layer = _BLOCK.format(n=n), _LAYER.format(n=n)
        for kind in ("weight", "bias"):
            joint = f"{block}attn.in_proj_{kind}"
            if joint in left and len(left[joint]) % 3 == 0:
                for part, value in zip(_QKV, left.pop(joint).chunk(3), strict=True):
                    ours[f"{layer}self_attn.{part}.{kind}"] = value
            for theirs, own in _PER_BLOCK.items():
                if f"{block}{theirs}.{kind}" in left:
                    ours[f"{layer}{own}.{kind}"] = left.pop(f"{block}{theirs}.{kind}")
    wanted = {name: value.shape for name, value in model.state_dict().items() if not name.endswith("position_ids")}
    wrong = [
        *(f"{name} missing" for name in wanted.keys() - ours.keys()),
        *(f"{name} unknown" for name in left),
        *(
            f"{name} is {tuple(ours[name].shape)}, not {tuple(wanted[name])}"
            for name in wanted.keys() & ours.keys()
            if ours[name].shape != wanted[name]
        ),
    ]
    if wrong:
        raise InputError(f"These are no complete weights of a CLIP text tower in OpenAI's layout: {_some(wrong)}.")
    model.load_state_dict(ours, strict=False)  # completeness is checked above; position_ids are no parameters


def save_clip_text(encoder: ClipTextEncoder, path: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the tower as a safetensors companion file (OpenAI's names), with its length and token convention.

    Raises:
        InputError: if the file cannot be written.
    """
    tensors = {name: value.to(dtype).contiguous() for name, value in encoder.openai_state().items()}
    convention = {"length": encoder.length, "append_eof": encoder.append_eof, "hash": encoder.hash}
    # One key alone: safetensors writes several in an order that changes from run to run.
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={_METADATA_KEY: json.dumps(convention)})


def load_clip_text(
    path: str | Path,
    *,
    length: int | None = None,
    append_eof: bool | None = None,
    device: str | torch.device = "cpu",
) -> ClipTextEncoder:
    """Read a companion file (or a transformers folder of CLIP); its own length and convention hold unless given.

    Raises:
        InputError: if the file is none, or cut short.
    """
    path = Path(path)
    if path.is_dir() and (path / "config.json").is_file():
        return _from_folder(path, length, append_eof, device)
    file = companion_file(path)
    convention = companion_convention(file)
    if convention is None:
        raise InputError(f"{file} is no CLIP text tower; give a companion file that lmis convert wrote.")
    try:
        state = load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read as safetensors ({error}); convert the authors' file again.") from error
    return clip_text_from_openai(
        state,
        length=convention["length"] if length is None else length,
        append_eof=convention["append_eof"] if append_eof is None else append_eof,
        device=device,
    )


def companion_convention(path: Path) -> dict[str, Any] | None:
    """Return length, append_eof and hash that a companion file keeps, None for any other file."""
    try:
        with safe_open(path, framework="pt") as file:
            found: dict[str, Any] = json.loads((file.metadata() or {})[_METADATA_KEY])
        return {"length": int(found["length"]), "append_eof": bool(found["append_eof"]), "hash": found["hash"]}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None


def companion_file(path: Path) -> Path:
    """Return ``path`` itself, or the one companion file inside the folder ``path``.

    Raises:
        InputError: if there is none, or more than one.
    """
    if not path.is_dir():
        if not path.is_file():
            raise InputError(f"The CLIP text tower {path} does not exist; give a file that lmis convert wrote.")
        return path
    found = [file for file in sorted(path.glob("*.safetensors")) if companion_convention(file) is not None]
    if len(found) != 1:
        raise InputError(
            f"The folder {path} holds {len(found)} CLIP text towers; give the one .safetensors file to use."
        )
    return found[0]


def _from_folder(
    folder: Path, length: int | None, append_eof: bool | None, device: str | torch.device
) -> ClipTextEncoder:
    import transformers

    library: Any = transformers  # its own annotations do not follow output_loading_info
    kind = read_config(folder).get("model_type")
    weights = weight_files(folder)
    try:
        with quiet_loading():
            model, info = library.CLIPTextModelWithProjection.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=weights[0].suffix == ".safetensors",
                weights_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, *UNREADABLE) as error:
        raise InputError(f"The CLIP folder {folder} (type {kind}) cannot be loaded ({error}).") from error
    if info["missing_keys"] or info["mismatched_keys"]:
        raise InputError(f"The folder {folder} lacks CLIP's {_some(sorted(info['missing_keys']))}.")
    return ClipTextEncoder(
        model, length=RELEASE_LENGTH if length is None else length, append_eof=bool(append_eof), device=device
    )


def _count(names: Iterable[str], pattern: str) -> int:
    return 1 + max((int(found[1]) for name in names if (found := re.match(pattern, name))), default=-1)


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _tensor_sha256(tensor: Tensor) -> str:
    digest = hashlib.sha256(str(tuple(tensor.shape)).encode())
    digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
