"""The authors' layouts by network, TIRNet's among them; RecLMIS's longer one has a file of its own."""

from __future__ import annotations

from typing import Any

from LMISCore.checkpoints.layout import CLIP_DROPPED, ENCODER, Layout, State, both, expand, shape
from LMISCore.checkpoints.layout_reclmis import RECLMIS

_TIRNET_STAGE = (
    both(
        {
            "upsample.1": "up",
            "rtmb.text_projector": "rtmb.project",
            "cdcb.base_conv1": "cdcb.base.0",
            "cdcb.base_conv2": "cdcb.base.2",
            "cdcb.gate_conv.2": "cdcb.gate_out",
        }
    )
    | {f"rtmb.{name}_hat": f"rtmb.{name}_raw" for name in ("beta", "rho", "kappa", "gamma")}
    | {
        "skip_proj.weight": "skip.weight",
        "cdcb.delta": "cdcb.delta",
        "cdcb.proj_q.weight": "cdcb.query.weight",
        "cdcb.proj_k.weight": "cdcb.key.weight",
        "cdcb.gate_conv.0.weight": "cdcb.gate_in.weight",
    }
)


_TIRNET = (
    ENCODER
    | expand({f"up{4 - n}": f"decoder.{n}" for n in range(4)}, _TIRNET_STAGE)
    | both({"text_module4": "text_projection", "outc": "head"})
)


def _tirnet_options(state: State) -> dict[str, Any]:
    width = shape(state, "inc.conv.weight", 4)[0]
    text_width = shape(state, "text_module4.weight", 3)[1]
    return {"width": width, "text_width": text_width, "variant": "release"}


LAYOUTS: dict[str, Layout] = {
    "reclmis": RECLMIS,
    "tirnet": Layout(
        network="tirnet",
        title="TIRNet (arXiv 2606.27794)",
        names=lambda state: _TIRNET,
        dropped=CLIP_DROPPED,
        options=_tirnet_options,
        limits=(
            "Padding tokens take part in the sentence vector, as in the release: another padded length, another mask.",
        ),
    ),
}
