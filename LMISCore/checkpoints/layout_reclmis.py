"""RecLMIS's tensors as its authors name them.

Their ``rec_img_trans1`` rebuilds the image from the text and ``rec_text_trans1`` the text from the image; in each,
``decoder1`` is the source's half and ``decoder2`` the target's.
"""

from __future__ import annotations

import math
import re
from typing import Any

from LMISCore.checkpoints.layout import CLIP_DROPPED, CONV_NORM, ENCODER, Layout, State, both, expand, norm, shape
from LMISCore.errors import InputError

_LAYER = re.compile(r"rec_(?:img|text)_trans1\.decoder[12]\.decoder_layers\.(\d+)\.")
_RECONSTRUCTORS = {"rec_img_trans1": "auxiliary.image_from_text", "rec_text_trans1": "auxiliary.text_from_image"}


def _attention(theirs: str, ours: str) -> dict[str, str]:
    return both({f"{theirs}.out_proj": f"{ours}.outwards"}) | {
        f"{theirs}.in_proj_{kind}": f"{ours}.inwards.{kind}" for kind in ("weight", "bias")
    }


_SOURCE_LAYER = _attention("self_attn", "own") | both(
    {"self_attn_layer_norm": "own_norm", "fc1": "widen", "fc2": "narrow", "final_layer_norm": "last_norm"}
)
_TARGET_LAYER = _SOURCE_LAYER | _attention("encoder_attn", "cross") | both({"encoder_attn_layer_norm": "cross_norm"})
_STAGE = (
    {"pixModule.conv_avg.weight": "gate.mean.weight", "pixModule.conv_max.weight": "gate.max.weight"}
    | both({"pixModule.bottleneck.0": "gate.mix_in", "pixModule.bottleneck.2": "gate.mix_out"})
    | expand({"nConvs.0": "first", "nConvs.1": "second"}, CONV_NORM)
)
_FIXED = (
    ENCODER
    | expand({f"up{4 - n}": f"decoder.{n}" for n in range(4)}, _STAGE)
    | {"interact.embeddings.position_embeddings": "interactor.position"}
    | _attention("interact.attn_text", "interactor.text_attention")
    | _attention("interact.attn_img", "interactor.image_attention")
    | both(
        {
            "interact.embeddings.patch_embeddings": "interactor.patch",
            "interact.CTBN.conv": "auxiliary.mixer.convolution",
            "text_module4": "text_projection",
            "outc": "head",
            "mlp_woi.0": "auxiliary.word_interest.inner",
            "mlp_woi.2": "auxiliary.word_interest.score",
            "mlp_visual.0": "auxiliary.patch_interest.inner",
            "mlp_visual.2": "auxiliary.patch_interest.score",
        }
    )
    | norm("interact.CTBN.norm", "auxiliary.mixer.norm")
)


def _layers(state: State) -> int:
    found = (_LAYER.match(name) for name in state)
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _names(state: State) -> dict[str, str]:
    names = dict(_FIXED)
    for theirs, ours in _RECONSTRUCTORS.items():
        # With no layer at all the first one's names are reported missing.
        for n in range(max(1, _layers(state))):
            names |= expand({f"{theirs}.decoder1.decoder_layers.{n}": f"{ours}.source.{n}"}, _SOURCE_LAYER)
            names |= expand({f"{theirs}.decoder2.decoder_layers.{n}": f"{ours}.target.{n}"}, _TARGET_LAYER)
    return names


def _options(state: State) -> dict[str, Any]:
    patches = shape(state, "interact.embeddings.position_embeddings", 3)[1]
    grid = math.isqrt(patches)
    if grid * grid != patches:
        raise InputError(f"its learned position is for {patches} patches, expected a square number")
    return {
        "width": shape(state, "inc.conv.weight", 4)[0],
        "text_width": shape(state, "text_module4.weight", 3)[1],
        "variant": "release",
        "layers": _layers(state),
        "grid": grid,
    }


RECLMIS = Layout(
    network="reclmis",
    title="RecLMIS (arXiv 2404.02845)",
    names=_names,
    dropped=CLIP_DROPPED
    | {
        r"up[1-4]\.pixModule\.conv_sig\.": "the gates' convolution with a sigmoid, which the release never calls",
        r"rec_(img|text)_trans1\.decoder1\.decoder_layers\.\d+\.encoder_attn(_layer_norm)?\.": (
            "the source decoders' attention to another modality, which the release never calls"
        ),
    },
    options=_options,
    append_eof=True,
    lengths={"monuseg": 10},
    limits=(
        "Padding tokens take part in the attention, as in the release: another padded length, another mask.",
        'A sentence of fewer than nine words is filled up with " EOF XXX" before it is cut into tokens, as in the '
        "release.",
    ),
)
