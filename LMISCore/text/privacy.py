"""Hides what may tell who a report is about: dates, names behind titles and labels, phone and accession numbers.

A help, not a proof of anonymity: it knows forms, not people, and a name that no title or label announces stays. Each
hidden place becomes ``[date]``, ``[name]``, ``[phone]``, ``[number]`` or ``[email]``; measurements, levels of the spine
and numbers of series are not touched. The words it goes by are in ``resources/rules/privacy.json``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from LMISCore.text.phrases import rules
from LMISCore.text.report_types import Span

MASKS = ("[date]", "[name]", "[phone]", "[number]", "[email]")


@dataclass(frozen=True)
class Hidden:
    """A place that was hidden, in the original text, and what kind of thing stood there: "date", "name", ..."""

    span: Span
    kind: str


def scrub(text: str) -> str:
    """Return the text with everything of the kinds above replaced; scrubbing twice changes nothing more.

    >>> scrub("Seen by Dr. Jane Miller on 3/14/2021, tel. 030 1234567. Nodule of 3.5 x 2.1 cm.")
    'Seen by Dr. [name] on [date], tel. [phone]. Nodule of 3.5 x 2.1 cm.'
    """
    parts, position = [], 0
    for found in hidden_places(text):
        parts += [text[position : found.span.start], f"[{found.kind}]"]
        position = found.span.end
    return "".join([*parts, text[position:]])


def scrub_values(values: Any, keys: Iterable[str]) -> Any:
    """Return plain JSON values with every text under one of the keys scrubbed, at any depth; the rest as it is."""
    wanted = frozenset(keys)

    def walk(value: Any, inside: bool) -> Any:
        if isinstance(value, str):
            return scrub(value) if inside else value
        if isinstance(value, Mapping):
            return {key: walk(part, inside or key in wanted) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [walk(part, inside) for part in value]
        return value

    return walk(values, False)


def hidden_places(text: str) -> list[Hidden]:
    """Return what :func:`scrub` hides, in order, none overlapping another."""
    found: list[Hidden] = []
    for kind, pattern in _patterns():
        for match in pattern.finditer(text):
            start, end = match.span("hide")
            if start < end and text[start:end] not in MASKS and "[" not in text[start:end]:
                found.append(Hidden(Span(start, end), kind))
    found.sort(key=lambda place: (place.span.start, -place.span.end))
    kept: list[Hidden] = []
    for place in found:
        if not kept or place.span.start >= kept[-1].span.end:
            kept.append(place)
    return kept


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    table = rules("privacy")
    months = _any(table["months"])
    titles, particles = _any(table["titles"]), _any(table["name_particles"])
    labels, numbers = _any(table["labels"]), _any(table["numbers"])
    no_name = rf"(?!(?i:{_any([*table['not_names'], *table['name_particles'], *table['titles']])})\b)"
    name = rf"{no_name}(?:[A-ZÄÖÜ]\.|[A-ZÄÖÜ][\w'’-]*\w)"  # noqa: RUF001
    names = rf"{name}(?:,?[ \t]+(?:(?i:{particles})[ \t]+)*{name}){{0,3}}"
    no_length = r"(?!\s?(?:mm|cm))"
    day, year = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:19|20)\d{2}"
    flag = re.IGNORECASE
    return (
        ("email", re.compile(r"(?P<hide>[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,24}){1,4})")),
        ("date", re.compile(rf"(?<![\w.])(?P<hide>{day}[./-]{day}[./-](?:{year}|\d\d))(?![\w/]){no_length}")),
        ("date", re.compile(rf"(?<![\w./])(?P<hide>(?:0?[1-9]|1[0-2])[/.]{year})(?![\w/])")),
        ("date", re.compile(rf"(?<![\w.])(?P<hide>{year}[-/.](?:0?[1-9]|1[0-2])[-/.]{day})(?!\w)")),
        ("date", re.compile(rf"\b(?P<hide>{day}(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?:{months})\.?,?\s+{year})\b", flag)),
        ("date", re.compile(rf"\b(?P<hide>(?:{months})\.?\s+{day}(?:st|nd|rd|th)?,?\s+{year})\b", flag)),
        ("date", re.compile(rf"\b(?P<hide>(?:{months})\.?,?\s+{year})\b", flag)),
        ("date", re.compile(rf"\b(?P<hide>(?:{months})\.?\s+{day}(?:st|nd|rd|th)?)\b(?!\s?(?:mm|cm))", 0)),
        ("phone", re.compile(r"(?<![\w.,/-])(?P<hide>\+\d{1,3}[\s./-]?\(?\d{1,5}\)?(?:[\s./-]?\d{2,}){1,5})(?!\w)")),
        ("phone", re.compile(r"(?<![\w.,-])(?P<hide>\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4})(?!\w)")),
        ("phone", re.compile(r"(?<![\w.,])(?P<hide>0\d{2,5}[\s/-]{1,3}\d{3,}(?:[\s-]\d{2,}){0,3})(?!\w)")),
        (
            "phone",
            re.compile(
                r"\b(?:phone|tel|telephone|telefon|fax|pager|ext)\b\.?:?\s*(?P<hide>\d[\d\s()./-]{2,}\d)", re.IGNORECASE
            ),
        ),
        (
            "number",
            re.compile(
                rf"\b(?:{numbers})\b\s*(?:number|no\.?|nr\.?|#)?\s*[:#]?\s*(?P<hide>[A-Z]{{0,4}}-?\d[\w-]{{3,}})", flag
            ),
        ),
        ("number", re.compile(r"(?<![\w.,])(?P<hide>\d{3}-\d{2}-\d{4})(?!\w)")),
        ("name", re.compile(rf"(?m)^[ \t]*(?i:{labels})[ \t]*:[ \t]*(?P<hide>[^\r\n:;]{{2,60}}?)[ \t]*\r?$")),
        ("name", re.compile(rf"(?i:\b(?:{labels}))[ \t]*:[ \t]*(?P<hide>{names})")),
        (
            "name",
            re.compile(rf"(?i:(?<!\w)(?:{titles}))\b\.?[ \t]+(?:(?i:{particles})\.?[ \t]+){{0,3}}(?P<hide>{names})"),
        ),
    )


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
