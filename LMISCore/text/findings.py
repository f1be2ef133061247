"""Which findings a sentence affirms, negates or leaves uncertain, with the vocabulary of a card deciding what counts.

The sentence is read as ``LMISCore.text.reader`` reads any; here its findings are held against what given weights know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

from LMISCore.errors import InputError
from LMISCore.text.attributes import thirds
from LMISCore.text.clauses import about, clause_starts, opened
from LMISCore.text.language import language
from LMISCore.text.phrases import PhraseTable, stem, tokens
from LMISCore.text.reader import LEVELS, Reading, forget_read, in_english, pieces, read_sentence
from LMISCore.text.report_types import Finding, Sentence, Span, State

_SIGNS = frozenset(",;:?()[]-")
_ORDER = (State.AFFIRMED, State.UNCERTAIN, State.NEGATED, State.HISTORICAL)


@dataclass(frozen=True)
class Vocabulary:
    """The findings that weights know: canonical name -> synonyms. The name itself counts as one.

    Words match whatever their plural, hyphen or ending: "opacity" finds "opacities", "infection" finds "infected",
    "ground-glass" finds "ground glass" and "groundglass".
    """

    findings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: tuple[str, ...] = ()
    """Words of place that the weights were trained with, such as "left" and "lung"."""

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
        places = vocabulary.get("places") or ()
        words = tuple(word for word in places if isinstance(word, str)) if isinstance(places, list | tuple) else ()
        return cls({name: tuple(synonyms) for name, synonyms in findings.items()}, words)

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

    def __hash__(self) -> int:
        return hash((tuple(self.findings.items()), self.places))

    def name_of(self, english: str) -> str | None:
        """Return the canonical name of a finding's English words, None if these weights do not know it."""
        found = self.table.find([stem(word) for word in tokens(english)[0]])
        return found[-1][2] if found else None


def assess(sentence_text: str, vocabulary: Vocabulary, offset: int = 0, code: str = "en") -> tuple[Finding, ...]:
    """Return the findings of the vocabulary that a sentence names, in order.

    Spans point into the text in which the sentence begins at ``offset``: by default the sentence itself.
    Mentions of one finding with one status are one Finding that gathers what is said of each.

    Args:
        sentence_text: one sentence.
        vocabulary: what counts.
        offset: place of the sentence in its report.
        code: of its language; in another one than English a finding counts if its English word does.
    """
    if not vocabulary.findings:
        return ()
    found = _assessed(sentence_text, vocabulary, code)
    return tuple(_moved(finding, offset) for finding in found) if offset else found


@lru_cache(maxsize=16384)
def _assessed(text: str, vocabulary: Vocabulary, code: str) -> tuple[Finding, ...]:
    groups: dict[tuple[str, State], Finding] = {}
    for start, piece in pieces(text):
        words = [stem(word) for word in tokens(piece)[0]]
        known = tuple(vocabulary.table.find(words))
        if not known and code == "en":
            continue
        reading = read_sentence(piece, code, known)
        for finding in _known(reading, vocabulary, code):
            finding = _moved(finding, start)
            key = (str(finding.name), finding.status)
            groups[key] = _joined(groups[key], finding) if key in groups else finding
    return tuple(groups.values())


def forget() -> None:
    """Drop what is remembered of sentences: the same text is then read anew."""
    _assessed.cache_clear()
    forget_read()


def _known(reading: Reading, vocabulary: Vocabulary, code: str) -> list[Finding]:
    """Return the findings of the vocabulary in a sentence that was read, those of one name and status joined."""
    line, tables = reading.line, language(code)
    named: dict[tuple[str, State], list[tuple[int, int, int]]] = {}
    for number, mention in enumerate(reading.mentions):
        names = list(mention.names)
        if not names and tables.english and mention.kind == "finding":
            english = in_english(line.span(mention.first, mention.end).of(line.text), tables)
            name = None if english is None else vocabulary.name_of(english)
            names = [] if name is None else [(mention.first, mention.end, name)]
        for first, end, name in names:
            named.setdefault((name, reading.statuses[number]), []).append((first, end, number))
    if not named:
        return []
    everything = [(first, end) for group in named.values() for first, end, _ in group]
    cuts = clause_starts(line, sorted(everything))
    findings = []
    for (name, status), group in named.items():
        clauses = tuple(
            line.span(opened(line, cuts[clause]), cuts[clause + 1])
            for clause in about(line, cuts, everything, [first for first, _, _ in group], tables)
        )
        findings.append(_finding(reading, name, status, group, clauses))
    return findings


def _finding(
    reading: Reading, name: str, status: State, group: Sequence[tuple[int, int, int]], clauses: tuple[Span, ...]
) -> Finding:
    line, numbers = reading.line, [number for _, _, number in group]
    first, end, one = group[0]
    said = thirds(" ; ".join(clause.of(line.text) for clause in clauses))
    zones = frozenset[str]().union(*(reading.sites[number].zone for number in numbers)) or said
    if "middle" in said and zones & LEVELS == {"mid"}:
        zones = zones - LEVELS | {"middle"}  # of the picture, front to back: "middle posterior left lung"
    courses = [reading.courses[number] for number in numbers]
    cue = reading.cues[one]
    return Finding(
        words=line.span(first, end).of(line.text),
        span=line.span(first, end),
        status=status,
        name=name,
        side=frozenset[str]().union(*(reading.sites[number].side for number in numbers)),
        zones=zones - LEVELS,
        levels=zones & LEVELS,
        count=next((course.count for course in courses if course.count is not None), None),
        size_mm=max((course.size_mm for course in courses if course.size_mm is not None), default=None),
        severity=next((course.severity for course in courses if course.severity), None),
        comparison=next((course.comparison for course in courses if course.comparison), None),
        cue=None if cue is None else line.span(cue.first, cue.end),
        clauses=clauses,
    )


def _joined(first: Finding, second: Finding) -> Finding:
    """One finding of two mentions in different pieces of a very long sentence."""
    return replace(
        first,
        side=first.side | second.side,
        zones=first.zones | second.zones,
        levels=first.levels | second.levels,
        count=first.count if first.count is not None else second.count,
        size_mm=max((size for size in (first.size_mm, second.size_mm) if size is not None), default=None),
        severity=first.severity or second.severity,
        comparison=first.comparison or second.comparison,
        clauses=(*first.clauses, *second.clauses),
    )


def _moved(finding: Finding, by: int) -> Finding:
    cue = None if finding.cue is None else finding.cue.shifted(by)
    clauses = tuple(clause.shifted(by) for clause in finding.clauses)
    return replace(finding, span=finding.span.shifted(by), cue=cue, clauses=clauses)


def sentence_state(sentence: Sentence, vocabulary: Vocabulary) -> tuple[State, str]:
    """Return what the text alone says of a sentence, and why in one phrase.

    One affirmed finding makes the sentence affirmed, else one uncertain makes it uncertain, one negated negated, and
    one of the past historical.
    """
    if sentence.kind != "finding":
        return State.NOT_COVERED, f"the field {sentence.field} does not describe the image"
    findings = assess(sentence.text, vocabulary, code=sentence.language)
    for state in _ORDER:
        for finding in findings:
            if finding.status is state:
                return state, _reason(finding, sentence.text)
    known = ", ".join(vocabulary.findings) or "no finding"
    return State.NOT_COVERED, f"names nothing that these weights know ({known})"


_VERBS = {
    State.NEGATED: "negates",
    State.UNCERTAIN: "leaves uncertain",
    State.HISTORICAL: "puts in the past",
}


def _reason(finding: Finding, text: str) -> str:
    if finding.cue is None or finding.status not in _VERBS:
        return f"affirms {finding.name}"
    cue = " ".join(finding.cue.of(text).split())
    return f'"{cue}" {_VERBS[finding.status]} {finding.name}'
