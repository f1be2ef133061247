"""Small text encoders, written to folders as the real ones come."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor
from transformers import BertConfig, BertModel

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "infection", "in", "the", "left", "right", "lung", "##s", "."]
CLIP_WIDTH = 64


def small_bert() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
    )
    return BertModel(config).eval()


def write_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}), encoding="utf-8")


def write_bert_folder(folder: Path) -> BertModel:
    """Write a folder as transformers saves it, weights as safetensors; return the model."""
    model = small_bert()
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return model


def write_cxr_bert_folder(folder: Path) -> BertModel:
    """Write a folder laid out like BiomedVLP-CXR-BERT-specialized: classes as remote code, a .bin, two heads."""
    model = small_bert()
    folder.mkdir(parents=True, exist_ok=True)
    config = model.config.to_dict() | {
        "model_type": "cxr-bert",
        "architectures": ["CXRBertModel"],
        "projection_size": 8,
        "auto_map": {"AutoConfig": "configuration_cxrbert.CXRBertConfig", "AutoModel": "modeling_cxrbert.CXRBertModel"},
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for name in ("configuration_cxrbert.py", "modeling_cxrbert.py"):
        (folder / name).write_text("raise SystemExit('remote code ran')\n", encoding="utf-8")
    state = {f"bert.{name}": value for name, value in model.state_dict().items() if not name.startswith("pooler")}
    state["cls.predictions.bias"] = torch.zeros(len(WORDS))
    state["cls_projection_head.dense_to_hidden.weight"] = torch.zeros(8, 16)
    torch.save(state, folder / "pytorch_model.bin")
    write_tokenizer(folder)
    return model


def clip_shapes(width: int, projected: int | None = None, layers: int = 1) -> dict[str, tuple[int, ...]]:
    """Names and shapes of OpenAI's CLIP text tower, ``width`` wide, its output ``projected`` (the same if None)."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (49408, width),
        "positional_embedding": (77, width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
        "text_projection": (width, projected or width),
    }
    block: dict[str, tuple[int, ...]] = {
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (4 * width, width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (width, 4 * width),
        "mlp.c_proj.bias": (width,),
    }
    return shapes | {f"transformer.resblocks.{n}.{name}": shape for n in range(layers) for name, shape in block.items()}


def openai_clip_state(layers: int = 2, prefix: str = "clip.") -> dict[str, Tensor]:
    """Return a narrow CLIP text tower under the authors' names, with CLIP's whole vocabulary."""
    generator = torch.Generator().manual_seed(3)
    width = CLIP_WIDTH

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    state = {name: draw(*shape) for name, shape in clip_shapes(width, projected=48, layers=layers).items()}
    return {prefix + name: value for name, value in state.items()}
