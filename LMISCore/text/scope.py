"""Which findings a sentence's cues negate, leave uncertain or put in the past.

A cue reaches over the findings behind it or before it until its statement ends, after NegEx (Chapman et al., J Biomed
Inform 2001) and ConText (Harkema et al., J Biomed Inform 2009); lists ("no A, B or C") are followed to their end.
The cues are in the language's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from LMISCore.text.language import Kind
from LMISCore.text.line import Line, Mark
from LMISCore.text.mentions import Mention

NEGATION, UNCERTAINTY, HISTORY, RESOLVED, RECEDING = "negation", "uncertain", "historical", "resolved", "receding"
_FORWARD = {"negation>": NEGATION, "uncertain>": UNCERTAINTY, "historical>": HISTORY}
_BACK = {"<negation": NEGATION, "<uncertain": UNCERTAINTY}
_EITHER = {"<negation>": NEGATION, "<uncertain>": UNCERTAINTY, "resolved": RESOLVED}
_BEFORE_ANSWER = (":", "?", "-", "\u2013", "\u2014")
_NEW_STATEMENT = ("severity", "number", "comparison", "side")


@dataclass
class Reached:
    """The cues that reach one mention, by what they say; "back" holds those that stand behind it."""

    before: dict[str, Mark] = field(default_factory=dict)
    back: dict[str, Mark] = field(default_factory=dict)


def reach(line: Line, mentions: Sequence[Mention]) -> list[Reached]:
    """Return for each mention the cues that reach it."""
    reached = [Reached() for _ in mentions]
    forward: dict[int, str] = {}
    for number, mark in enumerate(line.marks):
        if "harmless" in mark.values:
            continue
        if _answers(line, mark, mentions, reached):
            continue
        for kind, what in _BACK.items():
            if kind in mark.values:
                _reach_back(line, mentions, mark, what, reached)
        for kind, what in _FORWARD.items():
            if kind in mark.values:
                forward[number] = what
        if "versus" in mark.values:
            _reach_back(line, mentions, mark, UNCERTAINTY, reached, nearest=True)
            forward[number] = UNCERTAINTY
        for kind, what in _EITHER.items():
            if kind not in mark.values:
                continue
            what = RECEDING if what == RESOLVED and _nearly(line, mark) else what
            if _stands_before(line, mentions, mark) or not _reach_back(line, mentions, mark, what, reached):
                forward[number] = what
    _reach_forward(line, mentions, forward, reached)
    _own_past(line, mentions, reached)
    _question(line, mentions, reached)
    return reached


def _answers(line: Line, mark: Mark, mentions: Sequence[Mention], reached: list[Reached]) -> bool:
    """Whether a cue is the answer behind a finding, as in "Effusion: no" and "Effusion no, ..."; it then reaches back.

    It follows a colon, dash or question mark, or a bare "no" the finding itself, and nothing follows it; more may
    follow words such as "not seen", which always reach back.
    """
    if not mark.first or "harmless" in mark.values:
        return False
    sign = line.words[mark.first - 1] in _BEFORE_ANSWER
    if not line.answer_at(mark.first) and not (sign and mark.values.keys() & _BACK.keys()):
        return False
    bare = mark.end - mark.first == 1 and "negation>" in mark.values
    if not sign and not (bare and any(mention.end == mark.first for mention in mentions)):
        return False
    what = next(what for kind, what in {**_EITHER, **_BACK, **_FORWARD}.items() if kind in mark.values)
    return _reach_back(line, mentions, Mark(mark.first - sign, mark.end, mark.values), what, reached)


def _nearly(line: Line, mark: Mark) -> bool:
    """Whether a finding is said to be gone but for a rest: "almost completely resolved"."""
    return any(line.has(place, "nearly") for place in range(max(0, mark.first - 2), mark.first))


def _stands_before(line: Line, mentions: Sequence[Mention], mark: Mark) -> bool:
    """Whether a cue that may stand on either side belongs to the finding behind it, with no comma or verb between."""
    for place in range(mark.end, len(line)):
        if any(mention.first <= place < mention.end for mention in mentions):
            return True
        word, kind = line.words[place], line.kinds[place]
        if word in (",", ":", "(", ")") or line.clause[place] != line.clause[mark.first]:
            return False
        if kind & Kind.COMPANION or (kind & Kind.VERB and place > mark.end and not kind & Kind.COPULA):
            return False
        if kind & Kind.PREPOSITION and not kind & Kind.OF:
            return False
    return False


def _reach_forward(line: Line, mentions: Sequence[Mention], cues: dict[int, str], reached: list[Reached]) -> None:
    if not cues:
        return
    active: dict[str, Mark] = {}
    depth_of: dict[str, int] = {}
    last_named: dict[str, bool] = {}
    marks = {mark.first: (number, mark) for number, mark in enumerate(line.marks)}
    begins = {mention.first: number for number, mention in enumerate(mentions)}
    clause, skip_to = 0, 0

    def drop(*whats: str) -> None:
        for what in whats or tuple(active):
            active.pop(what, None)

    for place in range(len(line)):
        word, kind = line.words[place], line.kinds[place]
        if line.clause[place] != clause:
            clause = line.clause[place]
            drop()
        for what in [what for what in active if depth_of[what] > line.depth[place]]:
            drop(what)
        number, mark = marks.get(place, (-1, None))
        if mark is not None:
            begun = cues.get(number)
            if begun is not None:
                if begun == UNCERTAINTY and HISTORY in active:
                    drop(HISTORY)
                if begun == NEGATION:
                    drop(UNCERTAINTY, RESOLVED)
                active[begun], depth_of[begun], last_named[begun] = mark, line.depth[place], False
            elif "affirm>" in mark.values:
                drop(UNCERTAINTY, HISTORY, *([NEGATION] if last_named.get(NEGATION) else []))
            skip_to = max(skip_to, mark.end)
        if place in begins:
            mention = mentions[begins[place]]
            reached[begins[place]].before = dict(active)
            if mention.kind != "normal":
                last_named = {what: True for what in active}
            skip_to = max(skip_to, mention.end)
            continue
        if place < skip_to:
            continue
        named = [what for what in active if last_named.get(what)]
        if kind & Kind.COMPANION and not kind & Kind.DETERMINER:
            drop(*named) if named else None
        elif kind & Kind.VERB and named:
            drop(*[what for what in named if what != HISTORY or kind & Kind.COPULA])
        elif word == ",":
            for what in named:
                if not _heads_list(line, active[what]) and not _list_goes_on(line, place, mentions, what):
                    drop(what)
        elif kind & Kind.CONJUNCTION and not kind & Kind.OR:
            for what in named:
                if what != RESOLVED and _begins_anew(line, place + 1, mentions):
                    drop(what)


def _begins_anew(line: Line, first: int, mentions: Sequence[Mention]) -> bool:
    """Whether what follows "and" is a statement of its own: it has its own article, number, grade or side."""
    for mention in mentions:
        if mention.first < first:
            continue
        for place in range(first, mention.first):
            if line.kinds[place] & Kind.DETERMINER or line.values(place).keys() & set(_NEW_STATEMENT):
                return True
        return False
    return True


def _heads_list(line: Line, mark: Mark) -> bool:
    """Whether a cue is the label of all that follows: "Absent: effusion, pneumothorax"."""
    return mark.end < len(line) and line.words[mark.end] == ":"


def _list_goes_on(line: Line, comma: int, mentions: Sequence[Mention], what: str) -> bool:
    """Whether the list that a cue governs goes on behind a comma: an "or" or "and" closes it further on."""
    clause = line.clause[comma]
    following = next((mention for mention in mentions if mention.first > comma), None)
    if following is None or line.clause[following.first] != clause:
        return False
    place = comma + 1
    closes = bool(line.kinds[place] & Kind.OR) if place < len(line) else False
    own = False
    while place < len(line) and line.clause[place] == clause:
        kind, values = line.kinds[place], line.values(place)
        if place < following.first:
            own = own or bool(kind & Kind.DETERMINER) or bool(values.keys() & set(_NEW_STATEMENT))
            if kind & (Kind.COMPANION | Kind.PREPOSITION):
                return False
        if values.keys() & {"negation>", "uncertain>", "<uncertain>", "affirm>"} and "harmless" not in values:
            break
        if kind & Kind.OR:
            return True
        if kind & Kind.CONJUNCTION:
            closes = True
        if kind & Kind.COMPANION:
            break
        place += 1
    return closes and not own


def _reach_back(
    line: Line, mentions: Sequence[Mention], mark: Mark, what: str, reached: list[Reached], nearest: bool = False
) -> bool:
    """Give a cue to the finding before it and to those joined to that one; False if there is none."""
    stop = _past_aside(line, mentions, mark.first)
    got = False
    for number in range(len(mentions) - 1, -1, -1):
        mention = mentions[number]
        if mention.end > stop:
            continue
        if mention.kind == "normal" or line.clause[mention.first] != line.clause[mark.first]:
            break
        if line.depth[mention.first] < line.depth[mark.first]:
            break
        between = range(mention.end, stop)
        if not _leads_back(line, between, joined=got, at_cue=not got):
            break
        reached[number].back.setdefault(what, mark)
        if nearest:
            return True
        got, stop = True, mention.start
        while stop > 0 and line.kinds[stop - 1] & Kind.DETERMINER:
            stop -= 1
    return got


def _past_aside(line: Line, mentions: Sequence[Mention], stop: int) -> int:
    """Return where an aside between commas before a cue begins: "the nodule, which was small, has resolved"."""
    place = stop - 2
    while stop and line.words[stop - 1] == "," and place > 0 and line.clause[place] == line.clause[stop]:
        if any(mention.first <= place < mention.end for mention in mentions):
            break
        if line.words[place] == ",":
            opens = line.kinds[place + 1] & Kind.RELATIVE or line.has(place + 1, "previous")
            return place if opens else stop
        place -= 1
    return stop


def _leads_back(line: Line, between: range, joined: bool, at_cue: bool) -> bool:
    conjunction = False
    for place in between:
        kind, word, values = line.kinds[place], line.words[place], line.values(place)
        if word in (";", ":") or (word == "," and at_cue and place != between[-1] and not joined):
            return False
        if joined and (kind & (Kind.VERB | Kind.COMPANION) or word in ("(", ")")):
            return False
        if values.keys() & {"negation>", "uncertain>", "affirm>"}:
            return False
        conjunction = conjunction or bool(kind & Kind.CONJUNCTION) or word == ","
    return not joined or conjunction


def _own_past(line: Line, mentions: Sequence[Mention], reached: list[Reached]) -> None:
    """Let words such as "prior" put in the past only the finding in whose own phrase they stand."""
    for mention, found in zip(mentions, reached, strict=True):
        if mention.kind == "normal":
            continue
        for mark in line.marked("historical_np>", mention.start, mention.first):
            if "harmless" not in mark.values:
                found.before.setdefault(HISTORY, mark)


def _question(line: Line, mentions: Sequence[Mention], reached: list[Reached]) -> None:
    """A question mark behind the last finding leaves all of its statement uncertain."""
    for place, word in enumerate(line.words):
        if word != "?" or place + 1 < len(line):
            continue
        for mention, found in zip(mentions, reached, strict=True):
            if line.clause[mention.first] == line.clause[place] and mention.kind != "normal":
                found.back.setdefault(UNCERTAINTY, Mark(place, place + 1, {}))
