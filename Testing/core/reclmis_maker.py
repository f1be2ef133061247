"""A small RecLMIS under the authors' names, with a one-block CLIP, for tests of the converter."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from text_makers import clip_shapes
from torch import Tensor

from LMISCore.checkpoints.layouts import LAYOUTS
from LMISCore.networks import create_network

WIDTH, CLIP_WIDTH, LAYERS, GRID = 8, 64, 2, 2


def authors_state() -> OrderedDict[str, Tensor]:
    """Every tensor that an authors' file of this size holds, those that are dropped included."""
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int) -> Tensor:
        return 0.1 * torch.randn(*shape, generator=generator)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = create_network(
            "reclmis", width=WIDTH, text_width=CLIP_WIDTH, variant="release", layers=LAYERS, grid=GRID
        )
    own = network.state_dict()
    # The number of layers is all that the table reads from the file's names.
    last = {f"rec_img_trans1.decoder2.decoder_layers.{LAYERS - 1}.fc1.weight": draw(1)}
    names = LAYOUTS["reclmis"].names(last)
    state = OrderedDict((theirs, own[ours].clone()) for theirs, ours in names.items())
    d = 8 * WIDTH
    for half in ("rec_text_trans1", "rec_img_trans1"):
        for layer in range(LAYERS):
            unused = f"{half}.decoder1.decoder_layers.{layer}.encoder_attn"
            state[f"{unused}.in_proj_weight"], state[f"{unused}_layer_norm.bias"] = draw(3 * d, d), draw(d)
    for stage, channels in ((4, d), (3, d // 2), (2, d // 4), (1, d // 8)):
        state[f"up{stage}.pixModule.conv_sig.0.weight"] = draw(channels, channels, 1, 1)
    state.update((f"clip.{name}", draw(*shape)) for name, shape in clip_shapes(CLIP_WIDTH).items())
    state["clip.visual.proj"] = draw(8, CLIP_WIDTH)
    state["clip.logit_scale"] = torch.tensor(4.6)
    return state


def save_authors_file(path: Path, state: OrderedDict[str, Tensor] | None = None) -> Path:
    """Write the file as the authors' training script does."""
    content = {"epoch": 9, "best_model": True, "model": "RecLMIS", "val_loss": 0.4}
    torch.save({**content, "state_dict": authors_state() if state is None else state}, path)
    return path
