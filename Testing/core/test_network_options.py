"""Options that cannot be, which a recipe or card may hold, are refused in one sentence when a network is built."""

from __future__ import annotations

from typing import Any

import pytest

from LMISCore.errors import InputError
from LMISCore.networks import create_network

COUNT = "expected a whole number of at least 1"
SWITCH = "expected true or false"
WRONG: list[tuple[str, str, Any, str]] = [
    ("tirnet", "width", 2.5, COUNT),
    ("tirnet", "width", 0, COUNT),
    ("tirnet", "text_width", "12", COUNT),
    ("tirnet", "pool", "all", "expected 'tokens' or 'release'"),
    ("tirnet", "gate_scale", "half", "expected 'sqrt' or 'none'"),
    ("tirnet", "text_scale", "often", "expected 'fitted' or 'none'"),
    ("tirnet", "position", "no", SWITCH),
    ("reclmis", "width", True, COUNT),
    ("reclmis", "layers", 0, COUNT),
    ("reclmis", "layers", -1, COUNT),
    ("reclmis", "grid", 0, COUNT),
    ("reclmis", "auxiliary", "no", SWITCH),
    ("reclmis", "hide_words", 1.5, "expected a share from 0 to 1"),
    ("reclmis", "hide_patches", "half", "expected a share from 0 to 1"),
    ("reclmis", "interest_dropout", -0.1, "expected a share from 0 to 1"),
    ("reclmis", "contrast_scale", 100, "expected 'constant' or 'learned'"),
    ("tmca", "width", 2.5, COUNT),
    ("tmca", "embedding", 0, COUNT),
    ("tmca", "alignment", "false", SWITCH),
    ("tmca", "enhancement", 1, SWITCH),
    ("tmca", "semantic_distance", None, SWITCH),
    ("tmca", "position", "yes", SWITCH),
    ("tmca", "depths", [1, 1], "expected a list of 4 whole numbers"),
    ("tmca", "depths", [1, 1, 1, 0], "expected a list of 4 whole numbers"),
    ("tmca", "depths", [1.0, 1, 1, 1], "expected a list of 4 whole numbers"),
    ("tmca", "depths", "3393", "expected a list of 4 whole numbers"),
    ("tmca", "layer_scale", 0, "expected a number above 0"),
    ("tmca", "text_scale", "often", "expected 'fitted' or 'none'"),
    ("tmca", "started_from", 3, "expected words"),
]


@pytest.mark.parametrize(("name", "option", "value", "expected"), WRONG)
def test_an_option_that_cannot_be_is_refused_with_what_was_expected(
    name: str, option: str, value: Any, expected: str
) -> None:
    with pytest.raises(InputError) as told:
        create_network(name, **{"width": 8, "text_width": 12, option: value})
    message = str(told.value)
    assert message.startswith(f"Network '{name}' cannot be built from") and message.endswith(".")
    assert f"{option} is {value!r}, {expected}" in message and "\n" not in message
