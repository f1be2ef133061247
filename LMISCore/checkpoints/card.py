"""The card of a checkpoint: everything about its weights that a program or a person must know, as JSON.

No torch is imported by this module, so that a user interface can show a card without loading a network.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from LMISCore.checkpoints import card_text
from LMISCore.errors import InputError

FIRST_FORMAT, FORMAT_VERSION = 1, 2  # what older releases can read stays in the first format
PLANES = ("axial", "coronal", "sagittal", "picture")
COLOURS = ("grey", "rgb", "bgr")

_Check = Callable[[str, Any], None]


@dataclass
class Card:
    """What a checkpoint says about itself.

    It is checked when it is built, read and written. Dictionaries may hold further JSON values beside the keys named
    below; they are kept.

    Attributes:
        name: a short name for people.
        network: name of the network, as in ``LMISCore.networks.NETWORKS``.
        network_options: options that rebuild the network.
        text_encoder: ``name``, ``hash`` (of weights and token convention), ``width`` D and ``length`` L in tokens;
            ``file`` names a companion file that lies beside the weights, where there is one.
        image: ``size`` [height, width] in pixels, intensity ``convention``, ``plane`` (one of ``PLANES``),
            ``orientation`` in words, ``colour`` (one of ``COLOURS``: the order in which colour channels are fed);
            ``context`` 1, with grey pictures from format 2 on, where the channels are the slice before, the slice
            itself and the slice after.
        modality: such as "CT".
        vocabulary: ``findings`` {canonical name: [synonyms]}, ``places`` [words], ``sentences_seen`` (number of
            distinct ones, None where it is unknown).
        thresholds: ``mask`` on a pixel's probability, ``presence`` on a sentence's presence score; both 0 to 1, and
            both on calibrated probabilities where there is a ``calibration``.
        calibration: ``kind`` "platt" with ``scale`` and ``offset`` of the logits, and what they were fitted on; empty
            where probabilities are as the network gives them.
        data: names, counts and hashes of what the weights were trained on.
        metrics: each with at least ``name``, ``value`` (None when undefined) and ``n``; ``data``, ``split``,
            ``policy`` (what was done with empty truths) and ``interval`` [low, high] are shown where given.
        recipe: the training recipe as it was used.
        run: seed, versions, steps, date.
        licence: of the weights, in a sentence.
        intended_use: in a sentence.
        limits: one sentence each.
        test_runs_before: how often the test split had been looked at before these figures.
        format_version: of this layout.
        weights_hash: sha256 of the weights this card belongs to; set on saving and checked on loading.
    """

    name: str
    network: str
    network_options: dict[str, Any]
    text_encoder: dict[str, Any]
    image: dict[str, Any]
    modality: str = ""
    vocabulary: dict[str, Any] = field(default_factory=lambda: {"findings": {}, "places": [], "sentences_seen": 0})
    thresholds: dict[str, Any] = field(default_factory=lambda: {"mask": 0.5, "presence": 0.5})
    calibration: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    intended_use: str = ""
    limits: list[str] = field(default_factory=list)
    test_runs_before: int = 0
    format_version: int = FIRST_FORMAT
    weights_hash: str = ""

    def __post_init__(self) -> None:
        self.validate()

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) in pixels of the picture the network takes."""
        height, width = self.image["size"]
        return int(height), int(width)

    @property
    def context(self) -> int:
        """1 where the network sees the slices before and after each slice, else 0."""
        return int(self.image.get("context", 0))

    def validate(self) -> None:
        """Check every key.

        Raises:
            InputError: naming the first key that is not as expected.
        """
        for key, check in _CHECKS.items():
            check(key, getattr(self, key))
            _plain_json(key, getattr(self, key))
        if self.context > 1 or (self.context and (self.format_version < 2 or self.image["colour"] != "grey")):
            raise _fail("image.context", self.context, "0, or 1 with grey pictures and format_version 2")

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON values, ``format_version`` first."""
        self.validate()
        names = ["format_version", *(f.name for f in fields(self) if f.name != "format_version")]
        values = {name: getattr(self, name) for name in names}
        if not self.calibration:
            # Cards without it stay what they were, readable by releases that do not know it.
            del values["calibration"]
        return values

    def to_json(self) -> str:
        """Return the card as indented JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, values: Any) -> Card:
        """Build a card from plain JSON values, as ``to_dict`` gives them.

        Raises:
            InputError: if a key is missing, unknown or wrong, or the card was written in a later format.
        """
        if not isinstance(values, dict):
            raise InputError(f"The card is {_show(values)}; expected a JSON object with the card's keys.")
        version = values.get("format_version")
        if type(version) is int and version > FORMAT_VERSION:
            raise InputError(
                f"The card has format {version} and this LMISCore reads formats up to {FORMAT_VERSION}; "
                "update LMISCore to use this checkpoint."
            )
        known = {f.name for f in fields(cls)}
        for key in values:
            if key not in known:
                raise InputError(f"The card has the unknown key {key!r}; expected only {', '.join(sorted(known))}.")
        for key in ("format_version", *_REQUIRED):
            if key not in values:
                raise InputError(f"The card lacks the key {key!r}; expected {', '.join(_REQUIRED)} at least.")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card from JSON text.

        Raises:
            InputError: if the text is not JSON or not a card.
        """
        try:
            return cls.from_dict(json.loads(text))
        except ValueError as error:
            raise InputError(f"The card is not JSON ({error}); expected the card of a checkpoint.") from error
        except RecursionError as error:
            raise InputError("The card is nested too deeply; expected the card of a checkpoint.") from error

    def summary(self) -> str:
        """Return two lines for people: what it is, and what it reaches and may be used for."""
        return card_text.summary(self)

    def to_markdown(self) -> str:
        """Return the whole card as a Markdown page."""
        return card_text.markdown(self)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fail(key: str, value: Any, expected: str) -> InputError:
    return InputError(f"The card's {key} is {_show(value)}; expected {expected}.")


def _plain_json(key: str, value: Any) -> None:
    """Refuse what JSON cannot hold or would change: NaN, infinity, tuples, arrays, keys that are not text."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise _fail(f"{key} key", name, "text")
            _writable_text(f"{key} key", name)
            _plain_json(f"{key}.{name}", item)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _plain_json(f"{key}[{number}]", item)
    elif isinstance(value, str):
        _writable_text(key, value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise _fail(key, value, "a finite number, or null where it is undefined")
    elif value is not None and type(value) not in (bool, int, float, str):
        raise _fail(key, value, "plain JSON values: text, numbers, true, false, null, lists and objects")


def _writable_text(key: str, value: str) -> None:
    """Refuse half a surrogate pair, which JSON can spell and UTF-8 cannot."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _fail(key, value, "text without lone surrogates") from error


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _fail(key, value, "text")


def _name(key: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise _fail(key, value, "text that is not empty")


def _file_name(key: str, value: Any) -> None:
    # A card may come from anywhere: it must not point outside its own folder.
    if not isinstance(value, str) or not value or value in (".", "..") or any(c in value for c in "/\\:\0"):
        raise _fail(key, value, "the bare name of a file beside the weights")


def _integer(lowest: int, or_none: bool = False) -> _Check:
    def check(key: str, value: Any) -> None:
        if value is None and or_none:
            return
        if type(value) is not int or value < lowest:
            unknown = ", or null where it is unknown" if or_none else ""
            raise _fail(key, value, f"a whole number of at least {lowest}{unknown}")

    return check


def _fraction(key: str, value: Any) -> None:
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise _fail(key, value, "a number from 0 to 1")


def _number_or_none(key: str, value: Any) -> None:
    if value is not None and type(value) not in (int, float):
        raise _fail(key, value, "a number, or null where it is undefined")


def _one_of(choices: tuple[str, ...]) -> _Check:
    def check(key: str, value: Any) -> None:
        if value not in choices:
            raise _fail(key, value, f"one of {', '.join(choices)}")

    return check


def _list(item_check: _Check, length: int | None = None, expected: str = "a list") -> _Check:
    def check(key: str, value: Any) -> None:
        if not isinstance(value, list) or (length is not None and len(value) != length):
            raise _fail(key, value, expected)
        for number, item in enumerate(value):
            item_check(f"{key}[{number}]", item)

    return check


def _object(required: dict[str, _Check], optional: dict[str, _Check] | None = None) -> _Check:
    def check(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _fail(key, value, "an object")
        for name, item_check in required.items():
            if name not in value:
                raise InputError(f"The card's {key} lacks {name!r}; expected {', '.join(required)}.")
            item_check(f"{key}.{name}", value[name])
        for name, item_check in (optional or {}).items():
            if name in value:
                item_check(f"{key}.{name}", value[name])

    return check


def _mapping(item_check: _Check) -> _Check:
    def check(key: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _fail(key, value, "an object")
        for name, item in value.items():
            item_check(f"{key}.{name}", item)

    return check


def _calibration(key: str, value: Any) -> None:
    if value == {}:
        return
    _object({"kind": _one_of(("platt",)), "scale": _number, "offset": _number})(key, value)
    if value["scale"] <= 0:
        raise _fail(f"{key}.scale", value["scale"], "a number above 0")


def _number(key: str, value: Any) -> None:
    if type(value) not in (int, float):
        raise _fail(key, value, "a number")


def _version(key: str, value: Any) -> None:
    if type(value) is not int or not 1 <= value <= FORMAT_VERSION:
        raise _fail(key, value, f"a whole number from 1 to {FORMAT_VERSION}")


def _hash_or_empty(key: str, value: Any) -> None:
    if not isinstance(value, str) or (value and (len(value) != 64 or set(value) - set("0123456789abcdef"))):
        raise _fail(key, value, "a sha256 as 64 hexadecimal digits, or nothing before saving")


_TWO_SIZES = "two whole numbers, [height, width] in pixels"
_CHECKS: dict[str, _Check] = {
    "format_version": _version,
    "name": _name,
    "network": _name,
    "network_options": _object({}),
    "text_encoder": _object(
        {"name": _name, "hash": _name, "width": _integer(1), "length": _integer(1)}, {"file": _file_name}
    ),
    "image": _object(
        {
            "size": _list(_integer(1), 2, _TWO_SIZES),
            "convention": _name,
            "plane": _one_of(PLANES),
            "orientation": _text,
            "colour": _one_of(COLOURS),
        },
        {"context": _integer(0)},
    ),
    "modality": _text,
    "vocabulary": _object(
        {"findings": _mapping(_list(_name)), "places": _list(_name), "sentences_seen": _integer(0, or_none=True)}
    ),
    "thresholds": _object({"mask": _fraction, "presence": _fraction}),
    "calibration": _calibration,
    "data": _object({}),
    "metrics": _list(
        _object(
            {"name": _name, "value": _number_or_none, "n": _integer(0)},
            {"interval": _list(_number_or_none, 2, "two numbers, [low, high]")},
        )
    ),
    "recipe": _object({}),
    "run": _object({}),
    "licence": _text,
    "intended_use": _text,
    "limits": _list(_name),
    "test_runs_before": _integer(0),
    "weights_hash": _hash_or_empty,
}
_REQUIRED = ("name", "network", "network_options", "text_encoder", "image")
