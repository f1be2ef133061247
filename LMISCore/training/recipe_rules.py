"""What a recipe's numbers must be so that a run can work, checked before any data is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from LMISCore.data.manifest import SPLITS
from LMISCore.training.pairs import KINDS
from LMISCore.volumes.intensity import CONVENTIONS

if TYPE_CHECKING:
    from LMISCore.training.recipe import Recipe

SMALLEST_SIDE, LARGEST_SIDE = 16, 4096


@dataclass(frozen=True)
class Rule:
    """One demand: the key it is about, whether it holds, what was got and what was expected."""

    key: str
    holds: bool
    got: str
    expected: str


def rules_of(recipe: Recipe) -> Iterator[Rule]:
    """All demands on a recipe's values; their types are right already."""
    image, pairs = recipe.image, recipe.pairs
    yield _rule(
        "image.size",
        image.size,
        len(image.size) == 2 and SMALLEST_SIDE <= min(image.size) <= max(image.size) <= LARGEST_SIDE,
        f"two sides of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels",
    )
    yield _rule("image.convention", image.convention, image.convention in CONVENTIONS, " or ".join(CONVENTIONS))
    yield _rule("image.variants", image.variants, image.variants >= 1, "at least 1")
    yield _rule("image.context", image.context, image.context in (0, 1), "0 or 1, as a picture has three channels")
    yield _rule("image.memory", image.memory, image.memory >= 0, "0 or more MB")
    problem = _pattern_problem(recipe.data.case_pattern)
    yield _rule("data.case_pattern", recipe.data.case_pattern, not problem, f"a regular expression ({problem})")
    counts = recipe.data.pairs
    yield Rule("data.pairs", set(counts) <= set(SPLITS), f"data.pairs has {', '.join(counts)}", ", ".join(SPLITS))
    yield from _training(recipe)
    shares = pairs.shares
    yield Rule("pairs.shares", set(shares) <= set(KINDS), f"pairs.shares has {', '.join(shares)}", ", ".join(KINDS))
    yield Rule("pairs.shares", all(s >= 0 for s in shares.values()), "a share in pairs.shares is negative", "0 or more")
    yield Rule("pairs.shares", sum(shares.values()) > 0, "the shares in pairs.shares add up to 0", "one above 0")
    yield _rule("pairs.sentences", pairs.sentences, pairs.sentences >= 1, "at least 1")
    yield Rule("pairs.names", len(pairs.names) > 0, "pairs.names is empty", "at least one name of the finding")
    for name, weight in recipe.loss.items():
        yield _rule(f"loss.{name}", weight, weight >= 0, "0 or more")
    yield from _augment(recipe)


def _training(recipe: Recipe) -> Iterator[Rule]:
    training = recipe.training
    for key in ("steps", "batch", "accumulate", "period", "validate_every", "patience"):
        value = getattr(training, key)
        yield _rule(f"training.{key}", value, value >= 1, "at least 1")
    yield _rule("training.learning_rate", training.learning_rate, training.learning_rate > 0, "above 0")
    for key in ("final_rate", "warmup", "weight_decay", "clip_norm", "save_every", "save_seconds"):
        value = getattr(training, key)
        yield _rule(f"training.{key}", value, value >= 0, "0 or more")
    yield _rule("training.decay", training.decay, 0 < training.decay <= 1, "above 0 and at most 1")
    yield _rule("training.ema", training.ema, 0 <= training.ema < 1, "from 0 up to, but not, 1")
    both = training.compile == training.recompute == "always"
    yield _rule("training.recompute", training.recompute, not both, "auto or never beside training.compile=always")
    # What both NumPy's and torch's generators take.
    yield _rule("training.seed", training.seed, 0 <= training.seed < 2**63, "0 or more, below 2 to the 63rd")


def _augment(recipe: Recipe) -> Iterator[Rule]:
    augment = recipe.augment
    for key, highest in (
        ("mirror", 1),
        ("blur", 1),
        ("exchange", 1),
        ("strength", 1),
        ("shift", 1),
        ("warp", 1),
        ("rotate", 180),
    ):
        value = getattr(augment, key)
        yield _rule(f"augment.{key}", value, 0 <= value <= highest, f"from 0 to {highest}")
    for key in ("scale", "gamma", "contrast", "noise"):
        value = getattr(augment, key)
        yield _rule(f"augment.{key}", value, value >= 0, "0 or more")


def _rule(key: str, value: Any, holds: bool, expected: str) -> Rule:
    return Rule(key, holds, f"{key} is {value}", expected)


def _pattern_problem(pattern: str) -> str:
    """Why a case pattern cannot be used; empty when it can."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return ""
