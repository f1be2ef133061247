"""Explanation maps: what a network's inner maps say about one sentence, laid over the volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from LMISCore.errors import InputError

if TYPE_CHECKING:
    from LMISCore.inference.engine import Engine
    from LMISCore.inference.plan import Tracker
    from LMISCore.inference.slices import SlicePictures
    from LMISCore.text.states import TextStates

PROBABILITY = "probability"


class Explanation(dict[str, np.ndarray]):
    """Maps by name, each ``(K, J, I)`` float32 on the volume's grid.

    Attributes:
        meanings: one line for each name, with the resolution the map was computed at.
    """

    def __init__(self, maps: dict[str, np.ndarray], meanings: dict[str, str]) -> None:
        super().__init__(maps)
        self.meanings = meanings


def explain_slices(
    engine: Engine, pictures: SlicePictures, states: TextStates, names: Sequence[str] | None, tracker: Tracker
) -> Explanation:
    """Run one sentence over all slices and bring the chosen maps back to the volume's grid.

    Args:
        engine: the network.
        pictures: of the volume.
        states: ``(1, L, D)`` of the sentence.
        names: map names, or "probability"; None takes all.
        tracker: told after each batch.

    Raises:
        InputError: for an unknown name.
    """
    restored: dict[str, np.ndarray] = {}
    meanings: dict[str, str] = {}
    shape = (pictures.count, *pictures.shape)

    def work(part: list[int]) -> None:
        tracker(part[0], "explaining")
        output = engine.output(engine.features(pictures.batch(part)), states)
        found = {PROBABILITY: engine.probability_of(output.logits), **output.maps}
        chosen = _chosen(names, list(found))
        for name in chosen:
            values = _enlarge(found[name], pictures.frame.size, int(engine.network.stride))
            target = restored.setdefault(name, np.zeros(shape, dtype=np.float32))
            meanings[name] = _meaning(engine, name, (found[name].shape[-2], found[name].shape[-1]))
            for index, picture in zip(part, values.numpy(), strict=True):
                target[index] = pictures.frame.restore(picture)

    engine.show_maps()
    engine.in_batches(range(pictures.count), work)
    tracker(pictures.count, "explaining")
    return Explanation({name: pictures.native(values) for name, values in restored.items()}, meanings)


def _chosen(names: Sequence[str] | None, available: list[str]) -> list[str]:
    for name in names or ():
        if name not in available:
            raise InputError(f"The network has no map {name!r}; choose from {', '.join(available)}.")
    return available if names is None else list(names)


def _enlarge(values: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Enlarge ``(B, 1, h', w')`` to ``(B, h, w)`` on the CPU.

    Maps cover the picture as the network pads it to its stride, at the bottom and right; logits are cropped already.
    """
    values = values.float().cpu()
    if tuple(values.shape[-2:]) != size:
        padded = [side + (-side % stride) for side in size]
        values = F.interpolate(values, size=padded, mode="bilinear", align_corners=False)
    return values[:, 0, : size[0], : size[1]].contiguous()


def _meaning(engine: Engine, name: str, size: tuple[int, int]) -> str:
    if name == PROBABILITY:
        return "probability that the pixel belongs to what the sentence says (0 to 1)"
    known: dict[str, str] = engine.network.MAP_MEANINGS
    # A number ends the name, as in similarity_1; the network says of what.
    base, _, number = name.rpartition("_")
    meaning = known.get(name) or known.get(base, "no meaning recorded")
    numbered = name not in known and number.isdigit()
    stage = f", {engine.network.MAP_NUMBER.format(number)}" if numbered else ""
    return f"{meaning}{stage}, computed at {size[0]} x {size[1]}"
