"""Put an evaluation's figures into the card of the checkpoint they were measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from LMISCore.checkpoints.store import read_card, update_card
from LMISCore.errors import InputError
from LMISCore.evaluation.tables import card_metrics


def store_figures(checkpoint: str | Path, result: dict[str, Any]) -> None:
    """Replace the card's figures of this data set and split; its weights and their hash stay as they are.

    The card also gets the number of runs on the Test split that came before the one measured.

    Args:
        checkpoint: folder or ``.safetensors`` file.
        result: of ``evaluate`` on exactly these weights.

    Raises:
        InputError: if the result was measured on other weights, or on some cases of the split only.
    """
    card = read_card(checkpoint)
    measured = result["checkpoint"]["hash"]
    if card.weights_hash != measured:
        raise InputError(
            f"The figures were measured on weights with sha256 {measured[:12]}, but {checkpoint} has "
            f"{card.weights_hash[:12]}; evaluate this checkpoint itself."
        )
    if result["data"]["cases_pattern"] != ["*"]:
        raise InputError("A card takes figures of a whole split only; run the evaluation again without --cases.")
    data, split = result["data"]["name"], result["data"]["split"]
    kept = [m for m in card.metrics if (m.get("data"), m.get("split")) != (data, split)]
    looks = result["earlier_test_runs"] if split == "Test" else card.test_runs_before
    update_card(checkpoint, replace(card, metrics=card_metrics(result) + kept, test_runs_before=looks))
