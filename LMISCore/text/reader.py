"""All that a sentence names: findings, devices, past operations, normal organs, each with status, place and course.

No network is asked and no vocabulary of weights is needed; see ``LMISCore.text.findings`` for what given weights cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from LMISCore.text.course import Course, behind, courses
from LMISCore.text.language import Language, detect_language, language
from LMISCore.text.line import Line, Mark, read_line
from LMISCore.text.mentions import Mention, find_findings
from LMISCore.text.normals import add_normals
from LMISCore.text.report_types import Finding, Sentence, Span, State
from LMISCore.text.scope import HISTORY, NEGATION, RECEDING, RESOLVED, UNCERTAINTY, Reached, reach
from LMISCore.text.sites import ZONES, Site, sites
from LMISCore.text.terminology import find_name

LEVELS = frozenset(("upper", "mid", "lower"))
_PIECE = 1500
"""Longer "sentences" are no prose: they are read in pieces, so that time stays in proportion to length."""


@dataclass(frozen=True)
class Reading:
    """A sentence read: its words and what it names."""

    line: Line
    mentions: tuple[Mention, ...]
    statuses: tuple[State, ...]
    cues: tuple[Mark | None, ...]
    sites: tuple[Site, ...]
    courses: tuple[Course, ...]


def read_sentence(text: str, code: str = "en", known: tuple[tuple[int, int, str], ...] = ()) -> Reading:
    """Return all that a sentence names.

    Args:
        text: the sentence.
        code: its language.
        known: words that count as findings whatever the language's lists say: first, past the last, name.
    """
    tables = language(code)
    line = read_line(text, tables)
    mentions = add_normals(line, tables, find_findings(line, tables, known))
    if not mentions:
        return Reading(line, (), (), (), (), ())
    reached = reach(line, mentions)
    kept = [n for n, mention in enumerate(mentions) if not mention.needs_cue or _cue_of(reached[n])]
    mentions = [mentions[n] for n in kept]
    reached = [reached[n] for n in kept]
    judged = [judge(line, mention, found) for mention, found in zip(mentions, reached, strict=True)]
    statuses = [status for status, _ in judged]

    def receives(number: int) -> bool:
        cue = judged[number][1]
        return statuses[number] in (State.AFFIRMED, State.UNCERTAIN) or (
            cue is not None and "instead" in cue.values and statuses[number] is State.NEGATED
        )

    found_courses = courses(line, mentions)
    for number, (course, found) in enumerate(zip(found_courses, reached, strict=True)):
        gone = RESOLVED in found.before or RESOLVED in found.back or _no_more(line, mentions, number)
        if statuses[number] is State.NEGATED and gone:
            course.comparison = "resolved"
        elif RECEDING in found.before or RECEDING in found.back:
            course.comparison = "decreased"
    return Reading(
        line,
        tuple(mentions),
        tuple(statuses),
        tuple(cue for _, cue in judged),
        tuple(sites(line, mentions, tables, receives)),
        tuple(found_courses),
    )


def _no_more(line: Line, mentions: Sequence[Mention], number: int) -> bool:
    """Whether a word that turns "no" into "no more" stands behind the finding: German "kein Infiltrat mehr"."""
    words = behind(line, mentions, number)
    return bool(line.marked("resolved_after", words.start, words.stop))


def judge(line: Line, mention: Mention, found: Reached) -> tuple[State, Mark | None]:
    """Return the status of a mention and the cue that gives it."""
    if mention.kind == "normal":
        return State.NORMAL, None
    for cues in (found.before, found.back):
        if RESOLVED in cues:
            return State.NEGATED, cues[RESOLVED]
    excluded = found.back.get(UNCERTAINTY)
    if excluded is not None and "keeps_open" in excluded.values:
        return State.UNCERTAIN, excluded
    for what, state in ((NEGATION, State.NEGATED), (UNCERTAINTY, State.UNCERTAIN), (HISTORY, State.HISTORICAL)):
        for cues in (found.before, found.back):
            if what in cues:
                return state, cues[what]
    if mention.kind == "procedure":
        return State.HISTORICAL, None
    return State.AFFIRMED, None


def _cue_of(found: Reached) -> bool:
    return HISTORY in found.before


def read_findings(text: str, code: str | None = None, offset: int = 0) -> tuple[Finding, ...]:
    """Return all findings that a sentence names, known to any weights or not, in order.

    ``name`` is the one of the terminology, None where it has none. ``zones`` are of "anterior", "posterior", "central",
    "peripheral", ``levels`` of "upper", "mid", "lower". Spans begin to count at ``offset``.

    Args:
        text: one sentence; text of any kind is accepted.
        code: of its language; None to tell it by its words.
        offset: place of the sentence in its report.
    """
    found = _read(text, code or detect_language(text))
    return tuple(_shifted(finding, offset) for finding in found) if offset else found


def named_in(sentence: Sentence) -> tuple[Finding, ...]:
    """Return all that a sentence of a report names, known to any weights or not; spans count the report's text."""
    return read_findings(sentence.text, sentence.language, sentence.span.start)


@lru_cache(maxsize=16384)
def _read(text: str, code: str) -> tuple[Finding, ...]:
    tables = language(code)
    findings: list[Finding] = []
    for start, piece in pieces(text):
        reading = read_sentence(piece, code)
        found = (_finding(reading, number, tables) for number in range(len(reading.mentions)))
        findings += [_shifted(finding, start) for finding in found]
    return tuple(findings)


def forget_read() -> None:
    """Drop what is remembered of sentences read: reports repeat themselves, so it speeds reading up."""
    _read.cache_clear()


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield a sentence, or the pieces that a very long one is read in, each with its place."""
    start = 0
    while len(text) - start > _PIECE:
        end = text.rfind(" ", start, start + _PIECE) + 1 or start + _PIECE
        end = end if end > start else start + _PIECE
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _finding(reading: Reading, number: int, tables: Language) -> Finding:
    mention, line = reading.mentions[number], reading.line
    span = line.span(mention.first, mention.end)
    words, site, course, cue = span.of(line.text), reading.sites[number], reading.courses[number], reading.cues[number]
    normal = reading.statuses[number] is State.NORMAL
    return Finding(
        words=words,
        span=span,
        status=reading.statuses[number],
        name=None if normal else canonical_name(words, tables),
        side=site.side,
        zones=frozenset(zone for zone in ZONES if zone in site.zone) - LEVELS,
        levels=site.zone & LEVELS,
        count=course.count,
        size_mm=course.size_mm,
        severity=course.severity,
        comparison=course.comparison,
        cue=line.span(mention.cue, mention.cue_end)
        if normal
        else None
        if cue is None
        else line.span(cue.first, cue.end),
    )


@lru_cache(maxsize=16384)
def canonical_name(words: str, tables: Language) -> str | None:
    """Return the name that the terminology has for a finding's words, by way of English."""
    return find_name(words) if not tables.english else find_name(in_english(words, tables) or "")


def in_english(words: str, tables: Language) -> str | None:
    """Return the English word for a finding of another language, None if its file has none.

    The longest end of the word that the file knows decides: "Lungeninfarkt" is found under "infarkt" if not by itself.
    """
    folded = tables.fold_all(words)
    for place in range(len(folded)):
        for end in range(len(folded), place, -1):
            found = tables.english.get(" ".join(folded[place:end]))
            if found is not None:
                return found
    for word in reversed(folded):
        for start in range(1, len(word) - 3):
            found = tables.english.get(word[start:])
            if found is not None:
                return found
    return None


def _shifted(finding: Finding, by: int) -> Finding:
    if not by:
        return finding
    cue = None if finding.cue is None else finding.cue.shifted(by)
    clauses: Sequence[Span] = [clause.shifted(by) for clause in finding.clauses]
    return replace(finding, span=finding.span.shifted(by), cue=cue, clauses=tuple(clauses))
