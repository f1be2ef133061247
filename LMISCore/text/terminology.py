"""What findings are called and coded as: SNOMED CT codes, regions, sides and colours for segments.

All of it lies in ``resources/terminology/codes.json``, each code with the public sources that give it. A type is what a
segment shows (category, type), a region where; the side belongs to the region, as in DICOM's anatomic region modifier.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from LMISCore.resources import resource
from LMISCore.text.phrases import PhraseTable, stem, tokens
from LMISCore.text.report_types import Finding

Colour = tuple[float, float, float]

# Slicer's terminology entries separate their parts with these.
_PARTS, _FIELDS = "~", "^"
_NOTHING = ["", "", ""]


@dataclass(frozen=True)
class Code:
    """A coded concept: scheme such as "SCT" for SNOMED CT, value, and meaning in words."""

    scheme: str
    value: str
    meaning: str

    def triple(self) -> list[str]:
        """[scheme, value, meaning]."""
        return [self.scheme, self.value, self.meaning]


@dataclass(frozen=True)
class Term:
    """What a segment is called and coded as.

    Attributes:
        name: of the finding in lower case, "" where none is known.
        type: what the segment shows.
        region: where; None where no finding is known.
        side: of the region; None where it was not named or the region has no sides.
        colour: recommended, red, green, blue from 0 to 1.
        note: why the code is a more general one; "" where it is the finding's own.
    """

    name: str
    type: Code
    region: Code | None
    side: Code | None
    colour: Colour
    note: str = ""

    def entry(self) -> dict[str, Any]:
        """The term as ``SegmentData.terminology`` has it, with [scheme, value, meaning] for each code."""
        found: dict[str, Any] = {
            "contextName": context_name(),
            "category": category().triple(),
            "type": self.type.triple(),
        }
        if self.region is not None:
            found["anatomicContextName"] = region_context_name()
            found["anatomicRegion"] = self.region.triple()
        if self.side is not None:
            found["anatomicRegionModifier"] = self.side.triple()
        return found

    def serialised(self) -> str:
        """The term as the text that Slicer keeps in a segment's tag."""
        return serialise(self.entry())


def serialise(entry: Mapping[str, Any]) -> str:
    """Return a terminology entry as Slicer writes it into a segment's tag.

    Source: vtkSlicerTerminologiesModuleLogic::SerializeTerminologyEntry (3D Slicer 5.12).

    Args:
        entry: as :meth:`Term.entry` gives it.
    """
    codes = {
        key: _FIELDS.join(entry.get(key) or _NOTHING)
        for key in ("category", "type", "typeModifier", "anatomicRegion", "anatomicRegionModifier")
    }
    return _PARTS.join(
        [
            entry.get("contextName", ""),
            codes["category"],
            codes["type"],
            codes["typeModifier"],
            entry.get("anatomicContextName", ""),
            codes["anatomicRegion"],
            codes["anatomicRegionModifier"],
        ]
    )


def term_for(name: str | None, side: Collection[str] = ()) -> Term:
    """Return how a finding is coded; one that is not known is a lesion somewhere, without a name.

    Args:
        name: of a finding or a synonym, see :func:`find_name`.
        side: of "left" and "right".
    """
    known = None if name is None else find_name(name)
    return _term(known, frozenset(side))


def term_of(findings: Iterable[Finding]) -> Term:
    """Return how the findings that one segment shows are coded.

    Findings of several types get the general type, a lesion, and the region that they share, else the thorax; their
    sides are joined. One that is not known makes the whole unknown.
    """
    findings = list(findings)
    side = frozenset[str]().union(*(finding.side for finding in findings))
    names = {find_name(finding.name) if finding.name else None for finding in findings}
    known = sorted(name for name in names if name is not None)
    if len(names) <= 1 or len(known) < len(names):
        return _term(known[0] if len(names) == 1 and known else None, side)
    table = _table()
    shared = {}
    for part in ("type", "region"):
        found = {table["findings"][name][part] for name in known}
        shared[part] = found.pop() if len(found) == 1 else table["several"][part]
    return _built("", {**shared, "note": "stands for several findings"}, side)


def find_name(text: str) -> str | None:
    """Return the finding whose name or synonym a text is, None if it is none; words of place in the lung may stand by.

    >>> find_name("Ground-glass opacities"), find_name("left lower lobe infiltrates"), find_name("liver lesion")
    ('ground-glass opacity', 'infiltrate', None)
    """
    words = [stem(word) for word in tokens(text)[0]]
    found = _phrases().find(words)
    if len(found) != 1:
        return None
    first, end, name = found[0]
    places = {stem(word) for word in _table()["places"]}
    return name if places.issuperset(words[:first] + words[end:]) else None


def finding_names() -> tuple[str, ...]:
    """Return the names of all findings that have a term."""
    return tuple(_table()["findings"])


def category() -> Code:
    """Return the category of every term."""
    return _code(_table()["category"])


def sides() -> dict[str, Code]:
    """Return the codes of "right", "left" and "both"."""
    return {name: _code(found) for name, found in _table()["sides"].items()}


def context_name() -> str:
    """Return the name of the terminology context that holds the types."""
    return str(_table()["context"])


def region_context_name() -> str:
    """Return the name of the context that holds the regions."""
    return str(_table()["regionContext"])


def _term(name: str | None, side: frozenset[str]) -> Term:
    table = _table()
    return _built(name or "", table["findings"][name] if name else table["unknown"], side)


def _built(name: str, entry: Mapping[str, Any], side: frozenset[str]) -> Term:
    table = _table()
    kind, region = table["types"][entry["type"]], table["regions"].get(entry["region"])
    red, green, blue = (channel / 255 for channel in kind["colour"])
    return Term(
        name=name,
        type=_code(kind),
        region=None if region is None else _code(region),
        side=_side(side) if region is not None and region["paired"] else None,
        colour=(red, green, blue),
        note=entry.get("note", ""),
    )


def _side(side: frozenset[str]) -> Code | None:
    if not side:
        return None
    return sides()["both" if len(side) > 1 else next(iter(side))]


def _code(found: Mapping[str, Any]) -> Code:
    return Code(found["scheme"], found["value"], found["meaning"])


@cache
def _table() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resource("terminology", "codes.json").read_text(encoding="utf-8"))
    return loaded


@cache
def _phrases() -> PhraseTable[str]:
    """Stemmed words -> name of the finding."""
    entries: dict[Sequence[str], str] = {}
    for name, entry in _table()["findings"].items():
        for phrase in (name, *entry["synonyms"]):
            words = [stem(word) for word in tokens(phrase)[0]]
            entries.setdefault(tuple(words), name)
            if len(words) > 1:
                entries.setdefault(("".join(words[:2]), *words[2:]), name)
    return PhraseTable(entries.items())
