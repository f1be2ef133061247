"""Checks of a network's options: each says in a clause what was given and what was expected.

Options come from recipes and cards, where a number may be written as text or a switch as a word; what Python would take
for true, or only stumble over deep inside, is refused when the network is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any


def check_counts(**given: Any) -> None:
    """Each must be a whole number of at least 1.

    Raises:
        ValueError: naming the option.
    """
    for name, value in given.items():
        if not _is_count(value):
            raise ValueError(f"{name} is {value!r}, expected a whole number of at least 1")


def check_switches(**given: Any) -> None:
    """Each must be true or false.

    Raises:
        ValueError: naming the option.
    """
    for name, value in given.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, expected true or false")


def check_shares(**given: Any) -> None:
    """Each must be a number from 0 to 1.

    Raises:
        ValueError: naming the option.
    """
    for name, value in given.items():
        if not _is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} is {value!r}, expected a share from 0 to 1")


def check_positive(**given: Any) -> None:
    """Each must be a finite number above 0.

    Raises:
        ValueError: naming the option.
    """
    for name, value in given.items():
        if not _is_number(value) or value <= 0:
            raise ValueError(f"{name} is {value!r}, expected a number above 0")


def check_choice(name: str, value: Any, *allowed: str) -> None:
    """The option must be one of the words ``allowed``.

    Raises:
        ValueError: naming the option.
    """
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(map(repr, allowed))}")


def check_depths(depths: Any, levels: int) -> None:
    """Blocks of each level: a list of ``levels`` whole numbers of at least 1.

    Raises:
        ValueError: if it is not.
    """
    listed = isinstance(depths, Sequence) and not isinstance(depths, str)
    if not listed or len(depths) != levels or not all(map(_is_count, depths)):
        raise ValueError(f"depths is {depths!r}, expected a list of {levels} whole numbers of at least 1")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
