"""Names, ids and colours of segments, from what their sentences say."""

from __future__ import annotations

import colorsys
import re

from LMISCore.text.report import Sentence, State

Colour = tuple[float, float, float]

# Okabe and Ito's colours for colour-blind readers, without black and with the yellow last: it is the least visible
# over bright lung windows.
_PALETTE = ("E69F00", "56B4E9", "009E73", "CC79A7", "D55E00", "0072B2", "F0E442")
_GOLDEN_RATIO = 0.618033988749895
_LONGEST_NAME = 48


def segment_colour(number: int) -> Colour:
    """Colour of the segment at place ``number`` (from 0), each channel in [0, 1]; no two places share one."""
    if number < len(_PALETTE):
        code = _PALETTE[number]
        red, green, blue = (int(code[at : at + 2], 16) / 255 for at in (0, 2, 4))
        return red, green, blue
    # Steps of the golden ratio never come back to an earlier hue.
    return colorsys.hsv_to_rgb((number * _GOLDEN_RATIO) % 1, 0.75, 0.95)


def segment_id(sentence_id: str) -> str:
    """Stable id of a sentence's segment, safe in file headers and scenes.

    >>> segment_id("findings-1")
    'lmis_findings-1'
    """
    return "lmis_" + re.sub(r"[^A-Za-z0-9_.-]+", "_", sentence_id)


def segment_name(sentence: Sentence) -> str:
    """Name of a sentence's segment: the findings it affirms and where, such as "Pulmonary infection, left".

    A sentence without a known affirmed finding (one that the user forced) is named by its first words.
    """
    known = [finding for finding in sentence.findings if finding.name]
    affirmed = [finding for finding in known if finding.status == State.AFFIRMED] or known
    if not affirmed:
        return _shorten(sentence.text)
    names = list(dict.fromkeys(str(finding.name) for finding in affirmed))
    sides = frozenset[str]().union(*(finding.side for finding in affirmed))
    levels = frozenset[str]().union(*(finding.levels for finding in affirmed))
    zones = frozenset[str]().union(*(finding.zones for finding in affirmed))
    side = "both sides" if len(sides) == 2 else next(iter(sides), "")
    level = " and ".join(word for word in ("upper", "mid", "lower") if word in levels)
    zone = " and ".join(word for word in ("anterior", "middle", "posterior") if word in zones)
    place = " ".join(word for word in (side, level, zone) if word)
    name = " and ".join(names)
    return (name[:1].upper() + name[1:]) + (f", {place}" if place else "")


def distinct_names(names: list[str]) -> list[str]:
    """Number repeated names, so that a list of segments can be read without their colours.

    >>> distinct_names(["Effusion", "Infection", "Effusion"])
    ['Effusion', 'Infection', 'Effusion (2)']
    """
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _shorten(text: str) -> str:
    words = " ".join(text.split()).rstrip(".")
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…"
