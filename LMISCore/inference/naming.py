"""Names, ids and colours of segments, from what their sentences say."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Collection
from itertools import chain, count

from LMISCore.text.report import Finding, Sentence, State
from LMISCore.text.terminology import Colour, Term, term_for, term_of

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


def free_colour(recommended: Colour | None, used: Collection[Colour]) -> Colour:
    """Return the recommended colour, or the palette's first one that no other segment has.

    Two segments of one finding would share its colour and could not be told apart, so only the first one gets it.
    """
    if recommended is not None and recommended not in used:
        return recommended
    # Behind the palette each colour that was given stands before the place counted from, so none is tried twice.
    places = chain(range(len(_PALETTE)), count(max(len(used), len(_PALETTE))))
    return next(colour for colour in map(segment_colour, places) if colour not in used)


def segment_id(sentence_id: str) -> str:
    """Stable id of a sentence's segment, safe in file headers and scenes.

    >>> segment_id("findings-1")
    'lmis_findings-1'
    """
    return "lmis_" + re.sub(r"[^A-Za-z0-9_.-]+", "_", sentence_id)


def segment_name(sentence: Sentence) -> str:
    """Name of a sentence's segment: the findings it affirms and where, such as "Pulmonary infection, left".

    A finding that the terminology knows has its name there, another one that of the vocabulary. A sentence without a
    known affirmed finding (one that the user forced) is named by its first words.
    """
    affirmed = _shown(sentence)
    if not affirmed:
        return _shorten(sentence.text)
    names = list(dict.fromkeys(term_for(finding.name).name or str(finding.name) for finding in affirmed))
    sides = frozenset[str]().union(*(finding.side for finding in affirmed))
    levels = frozenset[str]().union(*(finding.levels for finding in affirmed))
    zones = frozenset[str]().union(*(finding.zones for finding in affirmed))
    side = "both sides" if len(sides) == 2 else next(iter(sides), "")
    level = " and ".join(word for word in ("upper", "mid", "lower") if word in levels)
    zone = " and ".join(word for word in ("anterior", "middle", "posterior") if word in zones)
    place = " ".join(word for word in (side, level, zone) if word)
    name = " and ".join(names)
    return (name[:1].upper() + name[1:]) + (f", {place}" if place else "")


def segment_term(sentence: Sentence) -> Term:
    """Code, region, side and colour of a sentence's segment; without a name where it shows no single known finding."""
    return term_of(_shown(sentence))


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


def _shown(sentence: Sentence) -> list[Finding]:
    """The findings that the segment shows: those affirmed, else all, as where the user forced a negated sentence."""
    known = [finding for finding in sentence.findings if finding.name]
    return [finding for finding in known if finding.status == State.AFFIRMED] or known


def _shorten(text: str) -> str:
    words = " ".join(text.split()).rstrip(".")
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…"
