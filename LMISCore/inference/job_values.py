"""Jobs as they come from another program: plain JSON values, checked key by key."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from LMISCore.errors import InputError

_EXPECTED = {
    "str": "text",
    "str | None": "text, or null",
    "bool": "true or false",
    "int": "a whole number",
    "int | None": "a whole number, or null",
    "float": "a number",
    "float | None": "a number, or null",
    "tuple[str, ...]": "a list of texts",
}


class JobFromValues:
    """Base of jobs that come as JSON values: dataclasses whose fields have the types above, written as text."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build a job from JSON values; what they leave out is as the class says.

        Raises:
            InputError: for an unknown key or a value of the wrong kind.
        """
        kinds = {field.name: str(field.type) for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for key, value in values.items():
            if key not in kinds:
                raise InputError(f"The job has the unknown key {key!r}; expected only {', '.join(kinds)}.")
            if not _fits(value, kinds[key]):
                raise InputError(f"The job's {key} is {value!r}; expected {_EXPECTED[kinds[key]]}.")
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _fits(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a kind named above; true and false are no numbers."""
    if kind == "tuple[str, ...]":
        return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
    if value is None:
        return kind.endswith("None")
    kinds = {"str": str, "bool": bool, "int": int, "float": (int, float)}
    return isinstance(value, kinds[kind.split(" ")[0]]) and (kind == "bool" or not isinstance(value, bool))  # type: ignore[arg-type]
