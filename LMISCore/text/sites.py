"""Where a sentence says each finding is: its side and its zones, and how a place spreads to findings that name none.

A place spreads from an observation to its interpretation, cause or companion in the same statement ("opacity at the
left base, concerning for pneumonia"), from a leading label or phrase to all that follows, and from a trailing phrase to
the findings joined before it. What a finding says itself goes before; sides and zones spread separately.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from LMISCore.text.course import behind
from LMISCore.text.language import Kind, Language
from LMISCore.text.line import Line
from LMISCore.text.mentions import Mention

ZONES = ("upper", "mid", "lower", "anterior", "posterior", "central", "peripheral")
_FEATURES = ("side", "zone")


@dataclass
class Site:
    """Side ("left", "right") and zones of one finding."""

    side: frozenset[str] = frozenset()
    zone: frozenset[str] = frozenset()


def sites(line: Line, mentions: Sequence[Mention], language: Language, receives: Callable[[int], bool]) -> list[Site]:
    """Return where each mention is.

    Args:
        line: the sentence.
        mentions: in order.
        language: its tables.
        receives: whether a mention, by its number, takes the place of another one in its statement: it is affirmed or
            uncertain, or the rejected half of a "rather than".
    """
    found = [Site() for _ in mentions]
    sideless = [_has_no_side(line, mention, language) for mention in mentions]
    for feature in _FEATURES:
        if not any(feature in mark.values for mark in line.marks) and not language.place_stems:
            continue
        own = [
            _own(line, mentions, number, feature) or _compound(line, mention, language, feature)
            for number, mention in enumerate(mentions)
        ]
        _trail(line, mentions, feature, own, sideless)
        leads = [_leading(line, mentions, number, feature) for number in range(len(mentions))]
        for number, mention in enumerate(mentions):
            values = own[number] or leads[number]
            if not values and receives(number) and mention.kind != "normal":
                values = _spread(line, mentions, number, own, leads, receives)
            if feature == "side":
                found[number].side = own[number] if sideless[number] else values
            else:
                found[number].zone = values
    return found


def _values(line: Line, words: range, feature: str, tips: bool = True) -> frozenset[str]:
    """Return what the marks in these words say, up to the tip of a device or a distance."""
    gathered = frozenset[str]()
    for place in words:
        values = line.values(place)
        if tips and place >= words.start and "negation>" in values and "harmless" not in values:
            break
        if tips and ("tip" in values or ("distance" in values and line.size_at(place - 1) is not None)):
            break
        if "no_place" not in values and line.clause[place] == line.clause[words.start]:
            gathered |= values.get(feature, frozenset())
    return gathered


def _trailing(line: Line, mentions: Sequence[Mention], number: int) -> range:
    """The words behind a finding up to a side that is itself called normal: "infection on the left, right clear"."""
    words = behind(line, mentions, number)
    for mark in line.marked("side", words.start, words.stop):
        if mark.end < len(line) and line.has(mark.end, "normal"):
            return range(words.start, mark.first)
    return words


def _own(line: Line, mentions: Sequence[Mention], number: int, feature: str) -> frozenset[str]:
    mention = mentions[number]
    if mention.kind == "normal":
        start = mention.start
        while start > 0 and line.has(start - 1, "side") and not line.has(start - 1, "no_place"):
            start -= 1
        said = _values(line, range(start, mention.end), feature)
        following = behind(line, mentions, number)
        return said or (_values(line, following, feature) if feature == "side" else frozenset())
    said = _values(line, range(mention.start, mention.end), feature)
    trailing = _values(line, _trailing(line, mentions, number), feature)
    return said | trailing if feature == "zone" and said else said or trailing


def _compound(line: Line, mention: Mention, language: Language, feature: str) -> frozenset[str]:
    """Return the place in a compound name, as in German "Unterlappenpneumonie"."""
    for word in line.words[mention.first : mention.end]:
        for stem in language.place_stems:
            if word.startswith(stem):
                found = language.marks.find([language.fold(stem)])
                return found[0][2].get(feature, frozenset()) if found else frozenset()
    return frozenset()


def _trail(
    line: Line, mentions: Sequence[Mention], feature: str, own: list[frozenset[str]], sideless: Sequence[bool]
) -> None:
    """Give a trailing phrase ("in the left lung") to the findings joined directly before the one it stands behind."""
    for number in range(len(mentions) - 1, 0, -1):
        following = _values(line, _trailing(line, mentions, number), feature)
        previous = number - 1
        closed = False
        while following and previous >= 0 and _joined(line, mentions, previous, closed):
            closed = True
            if own[previous] or (sideless[previous] and feature == "side"):
                break
            own[previous] = following
            previous -= 1


def _joined(line: Line, mentions: Sequence[Mention], number: int, closed: bool) -> bool:
    """Whether only "and", "or" and adjectives stand between two mentions; in a closed list a comma counts too."""
    first, second = mentions[number], mentions[number + 1]
    if "normal" in (first.kind, second.kind) or line.clause[first.first] != line.clause[second.first]:
        return False
    conjunction = False
    for place in range(first.end, second.first):
        kind, values = line.kinds[place], line.values(place)
        if kind & (Kind.VERB | Kind.PREPOSITION | Kind.COMPANION) and not values.keys() & {"severity"}:
            return False
        if values.keys() & {"negation>", "uncertain>", "<uncertain>", "affirm>"}:
            return False
        conjunction = conjunction or bool(kind & Kind.CONJUNCTION) or (closed and line.words[place] == ",")
    return conjunction


def _leading(line: Line, mentions: Sequence[Mention], number: int, feature: str) -> frozenset[str]:
    """Return the place that the sentence's label or the beginning of the statement names for all that follows."""
    clause = line.clause[mentions[number].first]
    end = number
    while end > 0 and line.clause[mentions[end - 1].first] == clause:
        end -= 1
    begin = line.clause.index(clause)
    if mentions[end].kind == "normal":
        phrase: frozenset[str] = frozenset()
    else:
        phrase = _values(line, range(begin, max(begin, mentions[end].start)), feature, tips=False)
    if phrase or not line.label:
        return phrase
    return _values(line, range(0, line.label), feature, tips=False)


def _spread(
    line: Line,
    mentions: Sequence[Mention],
    number: int,
    own: Sequence[frozenset[str]],
    leads: Sequence[frozenset[str]],
    receives: Callable[[int], bool],
) -> frozenset[str]:
    """Return the place of the nearest finding before in the same statement that has one."""
    clause = line.clause[mentions[number].first]
    for previous in range(number - 1, -1, -1):
        mention = mentions[previous]
        if line.clause[mention.first] != clause:
            if not _continues(line, mentions[number]):
                break
            clause = line.clause[mention.first]
        if mention.kind != "normal" and receives(previous) and (own[previous] or leads[previous]):
            return own[previous] or leads[previous]
    return frozenset()


def _continues(line: Line, mention: Mention) -> bool:
    """Whether a statement goes on about the one before: it opens with a contrast, not with a semicolon or a subject."""
    first = line.clause.index(line.clause[mention.first])
    return "continues" in line.values(first)


def _has_no_side(line: Line, mention: Mention, language: Language) -> bool:
    phrases, words = language.without_side
    inside = line.words[mention.first : mention.end]
    return inside[-1] in words or bool(phrases.find(inside))
