"""Where a sentence names findings: nouns, names of several words, and adjectives that call an organ abnormal.

A noun is known from the language's list or by how it is built ("-itis", "-ectomy", German "-erguss"). Neighbouring
names are one ("disc bulge"). An adjective counts before an organ ("enlarged lymph node") or said of one ("is dilated").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from LMISCore.text.language import Kind, Language
from LMISCore.text.line import Line

_REACH = 5
_NOT_IN_NAME = frozenset(
    (
        "negation>",
        "<negation>",
        "<negation",
        "uncertain>",
        "<uncertain",
        "<uncertain>",
        "historical>",
        "historical_np>",
        "affirm>",
        "resolved",
        "side",
        "zone",
        "severity",
        "comparison",
        "number",
        "break",
        "normal",
        "tip",
        "distance",
    )
)
_FUNCTION = Kind.DETERMINER | Kind.PREPOSITION | Kind.COMPANION | Kind.VERB | Kind.COPULA | Kind.CONJUNCTION
_WALK_ENDS = Kind.DETERMINER | Kind.PREPOSITION | Kind.COMPANION | Kind.VERB | Kind.CONJUNCTION
_ENDS_PHRASE = {"break", "uncertain>", "<uncertain>", "<uncertain", "negation>", "<negation>", "affirm>"}
_SIGNS = frozenset(",;:?()[]-\u2013\u2014")


@dataclass
class Mention:
    """Words ``first`` to ``end`` that name something; ``start`` is where the phrase around them begins.

    Attributes:
        kind: "finding", "device", "procedure", "adjective" or "normal".
        start: first word of what stands before and belongs to it ("a small left"), without the article.
        cue: for "normal": words of the statement, from ``cue`` to ``cue_end``.
        names: what the caller's vocabulary calls it, with the words of each.
    """

    first: int
    end: int
    kind: str
    start: int = 0
    cue: int = -1
    cue_end: int = -1
    needs_cue: bool = False
    names: tuple[tuple[int, int, str], ...] = ()


def find_findings(line: Line, language: Language, known: Sequence[tuple[int, int, str]] = ()) -> list[Mention]:
    """Return the findings, devices and procedures that a sentence names, in order.

    Args:
        line: the sentence.
        language: its tables.
        known: names of the caller's own vocabulary: first word, past the last, name. They count in any case.
    """
    mentions = _merged(line, _named(line, language, known))
    taken = [False] * (len(line) + 1)
    for mention in mentions:
        mention.first = _first_of_name(line, mention.first, _is_organ(line, mention))
        taken[mention.first : mention.end] = [True] * (mention.end - mention.first)
    mentions += _adjectives(line, taken)
    mentions.sort(key=lambda mention: mention.first)
    previous = 0
    for mention in mentions:
        mention.first = max(mention.first, previous)
        mention.start = phrase_start(line, mention.first, previous)
        previous = mention.end
    return [mention for mention in mentions if mention.first < mention.end]


def phrase_start(line: Line, first: int, stop: int) -> int:
    """Return where the phrase that ends before word ``first`` begins: adjectives, side, number, size, severity."""
    place = first
    while place > stop:
        word, kind, before = line.words[place - 1], line.kinds[place - 1], place - 1
        values = line.values(before)
        if kind & Kind.OF and before > stop and _measures(line, before - 1):
            place = before
            continue
        if kind & Kind.PREPOSITION and _in_range(line, before, stop):
            place = before
            continue
        size = line.size_at(before)
        if size is not None:
            place = max(size.first, stop)
            continue
        if word == "," and before > stop and _describes(line, before - 1, stop):
            place = before
            continue
        if word in _SIGNS or (kind & _WALK_ENDS and not values.keys() & {"side", "zone", "severity", "number"}):
            break
        if values.keys() & _ENDS_PHRASE and "comparison" not in values:
            break
        place = before
    return place


def _measures(line: Line, place: int) -> bool:
    return bool(line.kinds[place] & Kind.MEASURE) or line.size_at(place) is not None


def _in_range(line: Line, place: int, stop: int) -> bool:
    """Whether "to" stands between two grades of severity: "mild to moderate"."""
    return (
        place > stop and place + 1 < len(line) and line.has(place - 1, "severity") and line.has(place + 1, "severity")
    )


def _describes(line: Line, place: int, stop: int) -> bool:
    """Whether all words up to ``place`` since the sentence began are grades or a size, as in "small, ..."."""
    while place >= stop:
        describes = line.values(place).keys() & {"severity", "comparison"} or line.size_at(place) is not None
        if not describes:
            return False
        if place == stop:
            return stop == 0
        place -= 1
    return False


def _named(line: Line, language: Language, known: Sequence[tuple[int, int, str]]) -> list[Mention]:
    found: list[Mention] = []
    blocked = [False] * len(line)
    for first, end, kind in language.names.find(line.words):
        blocked[first:end] = [True] * (end - first)
        if kind:
            found.append(Mention(first, end, _kind(kind), needs_cue=bool(kind & Kind.CUED)))
    own = [False] * len(line)
    for first, end, name in known:
        own[first:end] = [True] * (end - first)
        found.append(Mention(first, end, "finding", names=((first, end, name),)))
    for place, kind in enumerate(line.kinds):
        if blocked[place] or own[place] or not kind & (Kind.HEAD | Kind.DEVICE | Kind.PROCEDURE):
            continue
        if kind & Kind.ABNORMAL_AFTER or line.has(place, "not_finding"):
            continue
        if line.has(place, "comparison") or line.has(place, "break"):
            continue
        found.append(Mention(place, place + 1, _kind(kind), needs_cue=bool(kind & Kind.CUED)))
    found.sort(key=lambda mention: (mention.first, -mention.end))
    return found


def _kind(kind: int) -> str:
    if kind & Kind.PROCEDURE:
        return "procedure"
    return "device" if kind & Kind.DEVICE else "finding"


def _merged(line: Line, mentions: list[Mention]) -> list[Mention]:
    """Join names that touch or overlap; the last one says of what kind the whole is."""
    joined: list[Mention] = []
    for mention in mentions:
        last = joined[-1] if joined else None
        if (
            last is not None
            and mention.first <= last.end
            and not (mention.first == last.end and _marks(line, last.end))
        ):
            if mention.end > last.end:
                last.end, last.kind, last.needs_cue = mention.end, mention.kind, mention.needs_cue
            last.names += mention.names
        else:
            joined.append(mention)
    return joined


def _marks(line: Line, place: int) -> bool:
    return bool(line.values(place).keys() & _NOT_IN_NAME)


def _is_organ(line: Line, mention: Mention) -> bool:
    """Whether a mention's last word is an organ's, as in "lymph node": its adjective then belongs to the name."""
    return bool(line.kinds[mention.end - 1] & Kind.ORGAN) and mention.kind == "finding"


def _first_of_name(line: Line, first: int, organ: bool) -> int:
    """Return the first word of a name, with the adjectives and organs that belong to it."""
    named = Kind.ANATOMY | Kind.NAME | Kind.ORGAN | Kind.PROPERTY
    named |= Kind.ABNORMAL_BEFORE if organ else 0
    place = first
    while place > 0 and first - place < _REACH:
        before = place - 1
        kind = line.kinds[before]
        if not kind & named or kind & (_FUNCTION & ~Kind.COPULA) or _marks(line, before) or line.size_at(before):
            break
        if line.words[before] in _SIGNS:
            break
        place = before
    return place


def _adjectives(line: Line, taken: list[bool]) -> list[Mention]:
    """Return what adjectives call abnormal: with the organ behind them, or alone where they are said of one before."""
    found: list[Mention] = []
    place = 0
    while place < len(line):
        end = 0
        if not taken[place]:
            kind = line.kinds[place]
            if kind & Kind.QUALITY:
                end = _chain_end(line, taken, place + 1, Kind.PROPERTY)
            if not end and kind & Kind.ABNORMAL_BEFORE:
                end = _chain_end(line, taken, place + 1, Kind.ORGAN | Kind.PROPERTY)
            if end and not _follows_copula(line, place):
                found.append(Mention(place, end, "finding"))
            elif kind & Kind.ABNORMAL_AFTER and not end and _said_of_organ(line, taken, place, found):
                end = place + 1
                found.append(Mention(place, end, "adjective"))
            else:
                end = 0
        for at in range(place, end):
            taken[at] = True
        place = max(place + 1, end)
    return found


def _follows_copula(line: Line, place: int) -> bool:
    return place > 0 and bool(line.kinds[place - 1] & Kind.COPULA) and line.has(place, "comparison")


def _chain_end(line: Line, taken: list[bool], first: int, wanted: int) -> int:
    """Return the end of the chain of anatomy words from ``first`` that ends in a wanted noun; 0 if there is none."""
    place, end = first, 0
    inside = Kind.ANATOMY | Kind.ORGAN | Kind.PROPERTY | Kind.NAME
    while place < len(line) and place - first < _REACH:
        kind = line.kinds[place]
        if taken[place]:
            return 0
        if line.values(place).keys() & {"side", "zone"}:
            place += 1
            continue
        if not kind & inside or (kind & _FUNCTION and not kind & (Kind.ORGAN | Kind.PROPERTY)):
            break
        place += 1
        end = place if kind & wanted else end
    return end


def _said_of_organ(line: Line, taken: list[bool], place: int, found: list[Mention]) -> bool:
    """Whether the adjective at ``place`` is said of an organ before it: "the bile duct is mildly dilated"."""
    if place + 1 < len(line) and taken[place + 1] and line.clause[place + 1] == line.clause[place]:
        return False
    clause, joined, verb = line.clause[place], False, False
    before = place - 1
    while before >= 0 and (line.clause[before] == clause or line.words[before] == ":"):
        kind, word = line.kinds[before], line.words[before]
        if taken[before]:
            # "dilated and thickened": the second one is said of the same organ.
            return joined and bool(found) and found[-1].end == before + 1 and found[-1].kind == "adjective"
        if kind & (Kind.ORGAN | Kind.PROPERTY | Kind.ANATOMY) and not kind & (Kind.COPULA | Kind.VERB):
            hangs = _preposition_before(line, taken, before)
            if hangs < 0:
                return not (joined and not verb)
            before = hangs - 1
            verb = False
            continue
        if kind & Kind.CONJUNCTION or word == ",":
            joined = True
        elif kind & (Kind.COPULA | Kind.VERB) or word == ":":
            verb = True
        elif word in _SIGNS or kind & Kind.COMPANION or (kind & Kind.PREPOSITION and not line.has(before, "severity")):
            return False
        before -= 1
    return False


def _preposition_before(line: Line, taken: list[bool], place: int) -> int:
    """Return the place of the preposition that the organ at ``place`` hangs on, -1 if it hangs on none."""
    inside = Kind.ORGAN | Kind.ANATOMY | Kind.PROPERTY | Kind.NAME | Kind.DETERMINER
    while place >= 0 and not taken[place]:
        kind = line.kinds[place]
        if kind & Kind.PREPOSITION:
            return place
        if not kind & inside and not line.values(place).keys() & {"side", "zone", "normal", "severity"}:
            return -1
        place -= 1
    return -1
