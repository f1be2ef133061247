"""Which findings a sentence affirms, negates or leaves uncertain, with the vocabulary of a card deciding what counts.

Cue words around a finding and words that end their reach follow NegEx (Chapman et al., J Biomed Inform 2001) and
ConText (Harkema et al., J Biomed Inform 2009); the tables lie in ``resources/rules/cues.json``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from LMISCore.errors import InputError
from LMISCore.text.attributes import attributes, count_before
from LMISCore.text.phrases import PhraseTable, rules, stem, tokens
from LMISCore.text.report_types import Finding, Sentence, Span, State

_KINDS = ("negation", "uncertainty")
_SIGNS = frozenset(",;:?()[]-")


@dataclass(frozen=True)
class Vocabulary:
    """The findings that weights know: canonical name -> synonyms. The name itself counts as one.

    Words match whatever their plural, hyphen or ending: "opacity" finds "opacities", "infection" finds "infected",
    "ground-glass" finds "ground glass" and "groundglass".
    """

    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_card(cls, vocabulary: Mapping[str, Any]) -> Vocabulary:
        """Return the vocabulary of a card: ``{"findings": {name: [synonyms]}, ...}``.

        Raises:
            InputError: if it has another form.
        """
        findings = vocabulary.get("findings")
        if not isinstance(findings, Mapping) or not all(
            isinstance(name, str) and isinstance(synonyms, list | tuple) and all(isinstance(s, str) for s in synonyms)
            for name, synonyms in findings.items()
        ):
            raise InputError(
                'The vocabulary of a card must look like {"findings": {"infection": ["opacity", ...]}}; '
                f"got {str(vocabulary)[:80]}."
            )
        return cls({name: tuple(synonyms) for name, synonyms in findings.items()})

    @cached_property
    def table(self) -> PhraseTable[str]:
        """Stemmed phrases -> canonical name."""
        entries: dict[tuple[str, ...], str] = {}
        for name, synonyms in self.findings.items():
            for phrase in (name, *synonyms):
                words = [word for word in tokens(phrase)[0] if word not in _SIGNS]
                entries.setdefault(tuple(map(stem, words)), name)
                if len(words) > 1:
                    entries.setdefault(tuple(map(stem, ("".join(words[:2]), *words[2:]))), name)
        return PhraseTable(entries.items())


def assess(sentence_text: str, vocabulary: Vocabulary, offset: int = 0) -> tuple[Finding, ...]:
    """Return the findings of the vocabulary that a sentence names, in order.

    Spans point into the text in which the sentence begins at ``offset``: by default the sentence itself.
    Mentions of one finding with one status are one Finding that gathers what their clauses say.
    """
    words, found = tokens(sentence_text)
    mentions = vocabulary.table.find([stem(word) for word in words])
    if not mentions:
        return ()
    cues = [_Cue(first, end, kinds) for first, end, kinds in _cue_table().find(words)]
    events = _events(words, cues)
    before, after = _reaching_forward(events, mentions), _reaching_back(events, mentions)
    groups: dict[tuple[str, State], list[int]] = {}
    causes: dict[tuple[str, State], _Cue | None] = {}
    for number, (_, _, name) in enumerate(mentions):
        status, cue = _status(before[number], after[number])
        groups.setdefault((name, status), []).append(number)
        causes.setdefault((name, status), cue)
    cuts = _clauses(words, cues, mentions)
    openings = {cue.first: cue.end for cue in cues if "break" in cue.kinds}
    places = [(match.start() + offset, match.end() + offset) for match in found]

    def span(first: int, end: int) -> Span:
        return Span(places[first][0], places[end - 1][1])

    findings = []
    for (name, status), numbers in groups.items():
        cue = causes[name, status]
        first, end, _ = mentions[numbers[0]]
        clauses = tuple(
            span(_opened(words, cuts[clause], openings), cuts[clause + 1])
            for clause in _about(words, cuts, mentions, numbers)
        )
        said = attributes(" ; ".join(clause.shifted(-offset).of(sentence_text) for clause in clauses))
        if status is State.AFFIRMED and said.comparison == "resolved":
            said = said._replace(comparison=None)  # of something else: "the effusion resolved, infection persists"
        counts = (count_before(words, mentions[number][0]) for number in numbers)
        findings.append(
            Finding(
                words=span(first, end).shifted(-offset).of(sentence_text),
                span=span(first, end),
                status=status,
                name=name,
                count=next((count for count in counts if count is not None), None),
                cue=None if cue is None else span(cue.first, cue.end),
                clauses=clauses,
                **said._asdict(),
            )
        )
    return tuple(findings)


def _opened(words: Sequence[str], first: int, openings: Mapping[int, int]) -> int:
    """Return the first token of a clause past the comma or contrast word that opens it."""
    end = openings.get(first, first)
    while end < len(words) and words[end] == ",":
        end += 1
    return end if end < len(words) else first


def sentence_state(sentence: Sentence, vocabulary: Vocabulary) -> tuple[State, str]:
    """Return what the text alone says of a sentence, and why in one phrase.

    One affirmed finding makes the sentence affirmed, else one uncertain makes it uncertain, else it is negated.
    """
    if sentence.kind != "finding":
        return State.NOT_COVERED, f"the field {sentence.field} does not describe the image"
    findings = assess(sentence.text, vocabulary)
    if not findings:
        known = ", ".join(vocabulary.findings) or "no finding"
        return State.NOT_COVERED, f"names nothing that these weights know ({known})"
    for state in (State.AFFIRMED, State.UNCERTAIN, State.NEGATED):
        for finding in findings:
            if finding.status is state:
                return state, _reason(finding, sentence.text)
    return State.NOT_COVERED, "no finding was understood"


def _reason(finding: Finding, text: str) -> str:
    if finding.cue is None:
        return f"affirms {finding.name}"
    cue = " ".join(finding.cue.of(text).split())
    verb = "negates" if finding.status is State.NEGATED else "leaves uncertain"
    return f'"{cue}" {verb} {finding.name}'


Mention = tuple[int, int, str]
"""First token, past the last token, canonical name."""


class _Cue(NamedTuple):
    first: int
    end: int
    kinds: frozenset[str]


Event = tuple[int, _Cue | None]
"""The token where a cue, or a comma (None), begins."""


@lru_cache(maxsize=1)
def _cue_table() -> PhraseTable[frozenset[str]]:
    kinds: dict[tuple[str, ...], set[str]] = {}
    for kind, phrases in rules("cues").items():
        if kind not in ("about", "normal", "referring"):
            for phrase in phrases:
                kinds.setdefault(tuple(tokens(f" {phrase} ")[0]), set()).add(kind)
    return PhraseTable((phrase, frozenset(found)) for phrase, found in kinds.items())


def _status(before: dict[str, _Cue], after: dict[str, _Cue]) -> tuple[State, _Cue | None]:
    for cues, kind, state in (
        (before, "negation", State.NEGATED),
        (after, "negation", State.NEGATED),
        (before, "uncertainty", State.UNCERTAIN),
        (after, "uncertainty", State.UNCERTAIN),
    ):
        if kind in cues:
            return state, cues[kind]
    return State.AFFIRMED, None


def _events(words: Sequence[str], cues: Sequence[_Cue]) -> list[Event]:
    """Return cues and commas in the order of the tokens where they begin."""
    commas: list[Event] = [(at, None) for at, word in enumerate(words) if word == ","]
    return sorted([*((cue.first, cue) for cue in cues), *commas], key=lambda event: event[0])


def _reaching_forward(events: Sequence[Event], mentions: Sequence[Mention]) -> list[dict[str, _Cue]]:
    """For each mention the cues that reach it from the left, by "negation" and "uncertainty"."""
    active: dict[str, _Cue] = {}
    reached: list[dict[str, _Cue]] = []
    position = 0
    for first, _, _ in mentions:
        while position < len(events) and events[position][0] < first:
            cue = events[position][1]
            position += 1
            if cue is None:
                # "effusion resolved, infection persists": a cue that may stand on either side stops at a comma.
                active = {kind: one for kind, one in active.items() if f"{kind}_after" not in one.kinds}
                continue
            if cue.kinds & {"break", "stop", "wall"}:
                active = {}
            active = active | {kind: cue for kind in _KINDS if f"{kind}_before" in cue.kinds}
        reached.append(active)
    return reached


def _reaching_back(events: Sequence[Event], mentions: Sequence[Mention]) -> list[dict[str, _Cue]]:
    """For each mention the cues that reach it from the right; a comma between them ends that."""
    active: dict[str, _Cue] = {}
    reached: list[dict[str, _Cue]] = []
    left = list(events)
    for _, end, _ in reversed(mentions):
        while left and left[-1][0] >= end:
            cue = left.pop()[1]
            if cue is None or cue.kinds & {"break", "wall"}:
                active = {}
            if cue is not None:
                active = active | {kind: cue for kind in _KINDS if f"{kind}_after" in cue.kinds}
        reached.append(active)
    return reached[::-1]


def _clauses(words: Sequence[str], cues: Sequence[_Cue], mentions: Sequence[Mention]) -> list[int]:
    """Return the first token of each part that speaks of something else, with the number of tokens as the last.

    A contrast ("but", ";") begins one; so does a negation once a finding was named ("infection without effusion"), and
    a piece between commas that calls something normal ("the right lung is clear, infection in the left").
    """
    cuts = {0, len(words)}
    named = [first for first, _, _ in mentions]
    begun = 0
    for cue in cues:
        is_named = bisect_left(named, begun) < bisect_left(named, cue.first)
        if "break" in cue.kinds or ("negation_before" in cue.kinds and "negation_after" not in cue.kinds and is_named):
            begun = cue.first
            cuts.add(begun)
    normal = frozenset(rules("cues")["normal"])
    edges = sorted(cuts | {at for at, word in enumerate(words) if word == ","})
    for first, end in pairwise(edges):
        if bisect_left(named, first) == bisect_left(named, end) and normal & set(words[first:end]):
            cuts |= {first, end}
    return sorted(cuts)


def _about(words: Sequence[str], cuts: Sequence[int], mentions: Sequence[Mention], numbers: Sequence[int]) -> list[int]:
    """Return which clauses hold these mentions or refer back to one that does ("...; it is mainly posterior")."""
    holding = {bisect_right(cuts, first) - 1 for first, _, _ in mentions}
    own = sorted({bisect_right(cuts, mentions[number][0]) - 1 for number in numbers})
    referring = frozenset(rules("cues")["referring"])
    for clause in list(own):
        following = clause + 1
        if following < len(cuts) - 1 and following not in holding:
            first = cuts[following]
            if referring & set(words[first + 1 : min(first + 3, cuts[following + 1])]):
                own.append(following)
    return sorted(own)
