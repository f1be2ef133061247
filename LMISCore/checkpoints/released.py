"""Turn the authors' own ``.pth.tar`` files into checkpoints of this package.

The network's tensors are renamed, each and every one; the CLIP text tower is kept as a companion file beside the
weights, named by its hash in the card; what is left out is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from LMISCore.atomic import atomic_path
from LMISCore.checkpoints.card import Card
from LMISCore.checkpoints.layout import Layout, State
from LMISCore.checkpoints.layouts import LAYOUTS
from LMISCore.checkpoints.pickled import read_pickled_state
from LMISCore.checkpoints.store import Checkpoint, fill_network, new_folder, save_checkpoint
from LMISCore.errors import InputError
from LMISCore.networks import create_network
from LMISCore.text.clip_tokens import RELEASE_LENGTH
from LMISCore.text.encoders import ClipTextEncoder, clip_text_from_openai, is_clip_text_name, save_clip_text

TEXT_TOWER_NAME = "clip-text.safetensors"
RELEASE_SIZE = 224


@dataclass(frozen=True)
class DataSet:
    """A data set the authors trained on; their files do not say which one they belong to.

    Attributes:
        title, modality, plane, findings: for the card.
        options: network -> what the authors trained it with on this set, where that is not the network's default and
            the tensors do not tell it; training on from the weights goes by them.
    """

    title: str
    modality: str
    plane: str
    findings: dict[str, list[str]]
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


_INFECTION = {"pulmonary infection": ["infection", "infected area", "infected areas"]}
DATA_SETS: dict[str, DataSet] = {
    "qata": DataSet("QaTa-COV19", "chest X-ray", "picture", _INFECTION),
    "mosmed": DataSet(
        "MosMedData+", "CT", "axial", _INFECTION, {"reclmis": {"hide_patches": 0.3, "interest_dropout": 0.5}}
    ),
    "monuseg": DataSet(
        "MoNuSeg",
        "histology",
        "picture",
        {"nuclei": ["nucleus", "nuclei"]},
        {"reclmis": {"hide_patches": 0.5, "interest_dropout": 0.5}},
    ),
}


@dataclass(frozen=True)
class Conversion:
    """What ``convert_released`` wrote.

    Attributes:
        checkpoint: the network with its card, at its new place.
        text_tower: the companion file.
        dropped: why -> names of the tensors that were left out.
        ignored: what else the authors' file held (epoch, optimizer, ...).
    """

    checkpoint: Checkpoint
    text_tower: Path
    dropped: dict[str, list[str]]
    ignored: tuple[str, ...]


def convert_released(kind: str, source: str | Path, out: str | Path, trained_on: str | None = None) -> Conversion:
    """Convert an authors' file.

    Args:
        kind: key of ``LAYOUTS``.
        source: their ``.pth.tar``; read with ``weights_only=True``, so nothing in it is run.
        out: a folder, or a name ending in ``.safetensors``; the text tower is written beside the weights.
        trained_on: key of ``DATA_SETS`` if known: the card then says modality, plane and data set.

    Raises:
        InputError: if the file cannot be used; names that are missing or unknown are listed.
    """
    layout = LAYOUTS.get(kind)
    if layout is None:
        raise InputError(f"Nothing is known of released weights called {kind!r}; expected one of {', '.join(LAYOUTS)}.")
    if trained_on is not None and trained_on not in DATA_SETS:
        raise InputError(f"Unknown data set {trained_on!r}; expected one of {', '.join(DATA_SETS)}.")
    source, out = Path(source), Path(out)
    if out.is_file() and out.suffix != ".safetensors":
        raise InputError(f"{out} is a file; name a folder, or a file ending in .safetensors, for the checkpoint.")
    state = read_pickled_state(source)
    names = layout.names(state.tensors)
    dropped = _sort_out(layout, names, state.tensors, source)
    data = DATA_SETS.get(trained_on or "")
    more = {} if data is None else data.options.get(layout.network, {})
    network = _network(layout, names, state.tensors, source, more)
    tower = {name: tensor for name, tensor in state.tensors.items() if is_clip_text_name(name)}
    try:
        encoder = clip_text_from_openai(
            tower, length=layout.lengths.get(trained_on or "", RELEASE_LENGTH), append_eof=layout.append_eof
        )
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    single = out.suffix == ".safetensors"
    tower_name = f"{out.stem}.{TEXT_TOWER_NAME}" if single else TEXT_TOWER_NAME
    card = _card(layout, network, encoder, tower_name, dropped, source, trained_on)
    if single:
        with atomic_path(out.with_name(tower_name)) as temporary:
            save_clip_text(encoder, temporary, _smallest_dtype(tower))
            checkpoint = save_checkpoint(out, network, card)
    else:
        with new_folder(out) as folder:
            save_clip_text(encoder, folder / tower_name, _smallest_dtype(tower))
            checkpoint = dataclasses.replace(save_checkpoint(folder, network, card), path=out)
    return Conversion(checkpoint, (out.parent if single else out) / tower_name, dropped, state.others)


def _sort_out(layout: Layout, names: Mapping[str, str], state: State, source: Path) -> dict[str, list[str]]:
    """Check that every name is accounted for; return the dropped ones by reason."""
    dropped: dict[str, list[str]] = {}
    unknown = []
    for name in state:
        if name in names or is_clip_text_name(name):
            continue
        reason = layout.reason_to_drop(name)
        if reason is None:
            unknown.append(name)
        else:
            dropped.setdefault(reason, []).append(name)
    missing = [name for name in names if name not in state]
    if missing or unknown:
        parts = [f"lacks {_listed(missing)}"] if missing else []
        parts += [f"has the unknown {_listed(unknown)}"] if unknown else []
        raise InputError(
            f"{source} {' and '.join(parts)}; expected exactly the tensors of the authors' {layout.title}, "
            "so check that the file belongs to that network."
        )
    return dropped


def _network(
    layout: Layout, names: Mapping[str, str], state: State, source: Path, more: Mapping[str, Any]
) -> nn.Module:
    try:
        options = {**layout.options(state), **more}
    except InputError as error:
        raise InputError(f"{source} is no file of {layout.title}: {error}.") from error
    with torch.random.fork_rng(devices=[]):
        network = create_network(layout.network, **options)
    fill_network(network, {ours: state[theirs] for theirs, ours in names.items()}, str(source))
    return network.eval()


def _smallest_dtype(state: State) -> torch.dtype:
    """16 bits if that loses nothing: OpenAI's own CLIP weights are 16-bit numbers, often stored in 32."""
    exact = all(torch.equal(tensor.half().to(tensor.dtype), tensor) for tensor in state.values())
    return torch.float16 if exact else torch.float32


def _card(
    layout: Layout,
    network: nn.Module,
    encoder: ClipTextEncoder,
    tower_name: str,
    dropped: Mapping[str, list[str]],
    source: Path,
    trained_on: str | None,
) -> Card:
    data = DATA_SETS.get(trained_on or "")
    limits = [
        "Nothing was measured with these converted weights; the authors' figures are in their paper.",
        "The presence threshold is not calibrated.",
        f"The authors stretch each picture to {RELEASE_SIZE} x {RELEASE_SIZE} pixels, and feed colour in the order "
        "blue, green, red.",
        "In training sentences of axial CT, upper, middle and lower mean the picture's front, middle and back.",
        *layout.limits,
    ]
    if data is None:
        limits.append("The file does not say which data set and modality the weights were trained on.")
    return Card(
        name=f"{layout.title.split(' (')[0]} as released by its authors" + (f", {data.title}" if data else ""),
        network=layout.network,
        network_options=dict(getattr(network, "options", {})),
        text_encoder={**encoder.describe(), "file": tower_name},
        image={
            "size": [RELEASE_SIZE, RELEASE_SIZE],
            "convention": "unit",
            "plane": data.plane if data else "picture",
            "orientation": "as in the authors' pictures: the patient's right on the picture's left, anterior up",
            "colour": "bgr",
        },
        modality=data.modality if data else "",
        vocabulary={
            "findings": data.findings if data else _INFECTION,
            "places": ["left", "right", "bilateral", "unilateral", "upper", "middle", "lower"],
            "sentences_seen": None,
        },
        thresholds={"mask": 0.5, "presence": 0.5},
        data={"name": data.title} if data else {},
        run={
            "converted_from": source.name,
            "source": layout.title,
            "dropped": {reason: len(names) for reason, names in dropped.items()},
        },
        licence="see the authors' release",
        intended_use="research, to repeat and compare with the authors' results; not for diagnosis",
        limits=limits,
    )


def _listed(names: list[str]) -> str:
    return f"{'tensor' if len(names) == 1 else 'tensors'} {', '.join(names)}"
