"""Text encoders that know no language, as controls for MiniLM: its tokeniser and shape, weights drawn at random."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

SEED = 3407


def random_encoder(folder: Path, layers: int, width: int = 384) -> Path:
    """Make a BERT of MiniLM's shape with random weights, unless the folder holds one already.

    Args:
        folder: where it goes.
        layers: 6 as MiniLM has; with 0 a word's state is its own random vector (and its place's), whatever stands
            beside it: the words alone.
        width: of the states, a multiple of 12; MiniLM's unless given.

    Returns:
        the folder.
    """
    import torch
    from transformers import BertConfig, BertModel

    from LMISCore.text.minilm import minilm_folder

    if (folder / "model.safetensors").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as place, torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        made = Path(place) / folder.name
        config = BertConfig(
            hidden_size=width, num_hidden_layers=layers, num_attention_heads=12, intermediate_size=4 * width
        )
        BertModel(config, add_pooling_layer=False).save_pretrained(made)
        for name in ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            source = minilm_folder() / name
            if source.is_file():
                shutil.copyfile(source, made / name)
        made.rename(folder)
    return folder
