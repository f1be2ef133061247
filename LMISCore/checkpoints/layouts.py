"""The authors' tensor names and ours, one table per released network.

A layout translates completely: every tensor of our network has one name in the authors' file, and every tensor of
theirs is either translated, part of the CLIP text tower, or dropped for a reason that is told to the user.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from LMISCore.errors import InputError

CLIP_PREFIX = "clip."
_CLIP_DROPPED = {
    "clip.visual.": "CLIP's image tower, which these networks never use",
    "clip.logit_scale": "CLIP's contrastive scale, which only its own training uses",
}


@dataclass(frozen=True)
class Layout:
    """How one release names its tensors.

    Attributes:
        network: our name of the network.
        title: what to call it before people, with its source.
        names: theirs -> ours.
        dropped: prefix of their names -> why these tensors are left out.
        options: reads the network's options from the shapes of their tensors (names as in their file).
    """

    network: str
    title: str
    names: Mapping[str, str]
    dropped: Mapping[str, str]
    options: Callable[[Mapping[str, Tensor]], dict[str, Any]]

    def reason_to_drop(self, name: str) -> str | None:
        """Why their tensor ``name`` is left out, None if it is not."""
        return next((why for prefix, why in self.dropped.items() if name.startswith(prefix)), None)


def shape(state: Mapping[str, Tensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of one of their tensors.

    Raises:
        InputError: if it is missing or has another number of dimensions.
    """
    if name not in state or state[name].dim() != dimensions:
        found = f"with shape {tuple(state[name].shape)}" if name in state else "nowhere"
        raise InputError(f"it has {name} {found}, expected it with {dimensions} dimensions")
    return tuple(state[name].shape)


def _expand(prefixes: Mapping[str, str], table: Mapping[str, str]) -> dict[str, str]:
    """Every prefix pair joined with every name pair."""
    return {f"{a}.{b}": f"{ours}.{own}" for a, ours in prefixes.items() for b, own in table.items()}


def _both(names: Mapping[str, str]) -> dict[str, str]:
    """Weight and bias of each named layer."""
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in names.items() for kind in ("weight", "bias")}


_CONV_NORM = _both({"conv": "0", "norm": "1"}) | {
    f"norm.{name}": f"1.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")
}
# Shared by both released networks: inc, then down1 to down4 with two convolutions each.
_ENCODER = _expand(
    {"inc": "encoder.stem"}
    | {f"down{n + 1}.nConvs.{c}": f"encoder.stages.{n}.{c + 1}" for n in range(4) for c in range(2)},
    _CONV_NORM,
)
_TIRNET_STAGE = (
    _both(
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


def _tirnet_options(state: Mapping[str, Tensor]) -> dict[str, Any]:
    width = shape(state, "inc.conv.weight", 4)[0]
    text_width = shape(state, "text_module4.weight", 3)[1]
    return {"width": width, "text_width": text_width, "variant": "release"}


LAYOUTS: dict[str, Layout] = {
    "tirnet": Layout(
        network="tirnet",
        title="TIRNet (arXiv 2606.27794)",
        names=_ENCODER
        | _expand({f"up{4 - n}": f"decoder.{n}" for n in range(4)}, _TIRNET_STAGE)
        | _both({"text_module4": "text_projection", "outc": "head"}),
        dropped=_CLIP_DROPPED,
        options=_tirnet_options,
    )
}
