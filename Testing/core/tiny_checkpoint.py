"""A real but tiny checkpoint and text encoder on disk, for tests of whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from obedient import obedient_card

from LMISCore.checkpoints.store import save_checkpoint
from LMISCore.networks import create_network
from LMISCore.text.encoders import create_encoder

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "infection", "effusion", "left", "right", "lung", "."]
WIDTH = 8


def save_tiny_encoder(folder: Path) -> Path:
    """A BERT of one layer with random weights, as a local transformers folder."""
    import transformers

    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=WIDTH,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.BertModel(config).save_pretrained(folder)
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def save_tiny_checkpoint(
    path: Path, encoder_folder: Path, convention: str = "percentile", network_name: str = "tirnet", **options: Any
) -> Path:
    """A network with random weights, TIRNet of width 4 unless told, which takes any intensities by default.

    Both thresholds are so low that every voxel is marked.
    """
    encoder = create_encoder(encoder_folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_network(network_name, text_width=WIDTH, **(options or {"width": 4}))
    card = obedient_card(
        name="tiny",
        network=network_name,
        network_options=network.options,
        text_encoder=encoder.describe(),
        image={**obedient_card().image, "size": [32, 32], "convention": convention},
        thresholds={"mask": 0.0, "presence": 0.0},
    )
    save_checkpoint(path, network, card)
    return path
