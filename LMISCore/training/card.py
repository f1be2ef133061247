"""The card of a training run's checkpoint: everything known about the weights but their figures.

Figures are added by ``lmis evaluate`` alone.
"""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch

import LMISCore
from LMISCore.checkpoints.card import FIRST_FORMAT, FORMAT_VERSION, Card
from LMISCore.metrics.platt import Platt
from LMISCore.metrics.thresholds import DEFAULT_PRESENCE, PresenceThreshold
from LMISCore.networks import NETWORKS
from LMISCore.training.recipe import Recipe

# On the network's own probability; calibration moves it.
MASK = 0.5
SINGLE_SLICES = (
    "The presence threshold was chosen on slices, each scored with its neighbours; on a volume the highest of its "
    "slices counts, so fewer sentences come out absent."
)
ALONE = "One slice at a time; the network does not know the slices above and below."
WITH_NEIGHBOURS = (
    "Each slice is seen with the one before and the one after; how far apart they are is what it was in the training "
    "set."
)


def shared_recipe(recipe: Recipe) -> dict[str, Any]:
    """The recipe without the paths of the machine it ran on: a card is passed around, folders' names are private."""
    plain = recipe.as_dict()
    plain["data"]["source"] = Path(recipe.data.source).name
    plain["text"]["encoder"] = Path(recipe.text.encoder).name
    plain["network"]["initial"] = Path(recipe.network.initial).name
    return plain


def build_card(
    recipe: Recipe,
    network_options: dict[str, Any],
    encoder: dict[str, Any],
    colour: Literal["grey", "rgb"],
    data: dict[str, Any],
    run: dict[str, Any],
    sentences_seen: int,
    presence: PresenceThreshold | None,
    stopped: str | None,
    calibration: dict[str, Any],
) -> Card:
    """Build the card.

    Args:
        recipe: as it was used.
        network_options: that rebuild the network.
        encoder: the text encoder's description.
        colour: of the training set.
        data: numbers of pairs, cases and hashes by split.
        run: steps, best step, seconds, device and precision so far.
        sentences_seen: number of distinct training sentences.
        presence: the threshold at the end of the run; None before it.
        stopped: why the run ended; None before it.
        calibration: of the probabilities, fitted at the end of the run; empty before it.
    """
    final: dict[str, Any] = {}
    platt = Platt.from_card(calibration)
    note = getattr(NETWORKS[recipe.network.name], "NOTE", "")
    limits = [note] * bool(note) + list(recipe.card.limits)
    if recipe.image.context:
        limits.append(WITH_NEIGHBOURS)
    elif recipe.image.plane != "picture":
        limits.append(ALONE)
    if presence is not None:
        final["presence"] = presence.as_dict()
        if presence.sensitivity is not None:
            limits.append(SINGLE_SLICES)
    if stopped is not None:
        final["stopped"] = stopped
    return Card(
        name=recipe.name,
        network=recipe.network.name,
        network_options=network_options,
        text_encoder=encoder,
        image={
            "size": list(recipe.image.size),
            "convention": recipe.image.convention,
            "plane": recipe.image.plane,
            "orientation": recipe.card.orientation,
            "colour": colour,
            **({"context": recipe.image.context} if recipe.image.context else {}),
        },
        modality=recipe.card.modality,
        vocabulary={
            "findings": recipe.card.findings or {recipe.pairs.names[0]: list(recipe.pairs.names)},
            "places": list(recipe.card.places),
            "sentences_seen": sentences_seen,
        },
        thresholds={
            "mask": MASK if platt is None else platt.threshold(MASK),
            "presence": DEFAULT_PRESENCE if presence is None else presence.threshold,
        },
        calibration=calibration,
        data={
            "name": recipe.data.name,
            "licence": recipe.data.licence,
            **data,
            "text_rewriting": recipe.text.rewrite,
        },
        recipe=shared_recipe(recipe),
        run={
            "seed": recipe.training.seed,
            **run,
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "versions": versions(),
            **final,
        },
        licence=recipe.card.licence,
        intended_use=recipe.card.intended_use,
        limits=limits,
        format_version=FORMAT_VERSION if recipe.image.context else FIRST_FORMAT,
    )


def versions() -> dict[str, str]:
    """Versions of what the weights depend on."""
    import numpy
    import SimpleITK
    import transformers

    return {
        "LMISCore": LMISCore.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "numpy": numpy.__version__,
        "SimpleITK": SimpleITK.Version_VersionString(),
    }
