"""The bundled weights' stored figures on Test keep to what the documentation promises of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from LMISCore.checkpoints.store import bundled_checkpoint, read_card
from LMISCore.evaluation.conditions import EMPTY, IMAGE_ONLY, OTHER, RIGHT, SWAPPED
from LMISCore.evaluation.robustness import CHANGES

README = Path(__file__).resolve().parents[2] / "README.md"

# Name of the metric, which of its numbers counts, how it must stand to the bound, and the bound.
PROMISES: list[tuple[str, str, Callable[[float, float], bool], float]] = [
    ("mean Dice", "value", operator.ge, 0.63),
    (f"mean Dice, {SWAPPED} minus {RIGHT}", "high", operator.lt, 0.0),
    (f"mean Dice, {EMPTY} minus {RIGHT}", "high", operator.lt, 0.0),
    (f"mean Dice, {OTHER} minus {RIGHT}", "high", operator.lt, 0.0),
    (f"mean Dice, {IMAGE_ONLY} minus {RIGHT}", "value", operator.le, 0.02),
    ("foreground on the named side", "value", operator.ge, 0.95),
    ("side-cut Dice over whole-slice Dice", "value", operator.ge, 0.90),
    ("affected lungs without answer", "value", operator.le, 0.05),
    ("presence AUROC, affected against unaffected lungs", "value", operator.ge, 0.90),
    *((f"mean Dice, {change}, minus unchanged", "value", operator.ge, -0.05) for change in CHANGES),
]


# Promises that the bundled weights do not keep; the README's table of limits must say so with the figure.
OPEN: set[str] = set()


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    """The card's metrics on Test by name; each name must be there once."""
    listed = [metric for metric in read_card(bundled_checkpoint()).metrics if metric.get("split") == "Test"]
    found = {metric["name"]: metric for metric in listed}
    assert len(found) == len(listed), "the card holds figures of several Test sets"
    return found


@pytest.mark.parametrize(
    ("name", "number", "stands", "bound"), PROMISES, ids=[f"{name} {number}" for name, number, _, _ in PROMISES]
)
def test_a_stored_figure_keeps_its_promise(
    figures: dict[str, dict[str, Any]],
    name: str,
    number: str,
    stands: Callable[[float, float], bool],
    bound: float,
) -> None:
    if name in OPEN:
        assert name in README.read_text(encoding="utf-8"), f"{name} is open, but the README does not say so"
        kept = name in figures and stands(
            figures[name]["interval"][1] if number == "high" else figures[name]["value"], bound
        )
        assert not kept, f"{name} is kept now; take it off the list of open promises"
        return
    assert name in figures, f"the card has no figure {name!r}; run lmis evaluate bundled DATA --write-card"
    metric = figures[name]
    value = metric["interval"][1] if number == "high" else metric["value"]
    assert value is not None, f"{name} is undefined"
    assert stands(value, bound), f"{name}: {value:.4f} ({number}), promised {stands.__name__} {bound}"
    assert metric["n"] > 0
