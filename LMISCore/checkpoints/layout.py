"""How the authors' tensor names are told from ours, and what their two networks have in common.

A layout translates completely: every tensor of our network has one name in the authors' file, and every tensor of
theirs is either translated, part of the CLIP text tower, or dropped for a reason that is told to the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from LMISCore.errors import InputError

State = Mapping[str, Tensor]

CLIP_DROPPED = {
    r"clip\.visual\.": "CLIP's image tower, which these networks never use",
    r"clip\.logit_scale$": "CLIP's contrastive scale, which only its own training uses",
}


@dataclass(frozen=True)
class Layout:
    """How one release names its tensors.

    Attributes:
        network: our name of the network.
        title: what to call it before people, with its source.
        names: from their tensors (whose number depends on the network's depth) to the table theirs -> ours.
        dropped: pattern of their names' beginning -> why these tensors are left out.
        options: reads the network's options from the shapes of their tensors (names as in their file).
        limits: sentences of the card that hold for this network only.
        append_eof: how their sentences are cut into tokens, see ``clip_ids``.
        lengths: data set -> tokens per sentence, where it is not the usual 18.
    """

    network: str
    title: str
    names: Callable[[State], Mapping[str, str]]
    dropped: Mapping[str, str]
    options: Callable[[State], dict[str, Any]]
    limits: tuple[str, ...] = ()
    append_eof: bool = False
    lengths: Mapping[str, int] = field(default_factory=dict)

    def reason_to_drop(self, name: str) -> str | None:
        """Why their tensor ``name`` is left out, None if it is not."""
        return next((why for pattern, why in self.dropped.items() if re.match(pattern, name)), None)


def shape(state: State, name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of one of their tensors.

    Raises:
        InputError: if it is missing or has another number of dimensions.
    """
    if name not in state or state[name].dim() != dimensions:
        found = f"with shape {tuple(state[name].shape)}" if name in state else "nowhere"
        raise InputError(f"it has {name} {found}, expected it with {dimensions} dimensions")
    return tuple(state[name].shape)


def expand(prefixes: Mapping[str, str], table: Mapping[str, str]) -> dict[str, str]:
    """Every prefix pair joined with every name pair."""
    return {f"{a}.{b}": f"{ours}.{own}" for a, ours in prefixes.items() for b, own in table.items()}


def both(names: Mapping[str, str]) -> dict[str, str]:
    """Weight and bias of each named layer."""
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in names.items() for kind in ("weight", "bias")}


def norm(theirs: str, ours: str) -> dict[str, str]:
    """Weight, bias and running statistics of a batch normalisation."""
    kinds = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for kind in kinds}


CONV_NORM = both({"conv": "0"}) | norm("norm", "1")
# Shared by both released networks: inc, then down1 to down4 with two convolutions each.
ENCODER = expand(
    {"inc": "encoder.stem"}
    | {f"down{n + 1}.nConvs.{c}": f"encoder.stages.{n}.{c + 1}" for n in range(4) for c in range(2)},
    CONV_NORM,
)
