"""What a sentence says of each finding's number, size, severity and course. None of it spreads to other findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from LMISCore.text.language import Kind
from LMISCore.text.line import Line, Mark, Size
from LMISCore.text.mentions import Mention

GRADES = ("minimal", "mild", "moderate", "severe")
_BEFORE_PREVIOUS = 4
_MOST_COUNTED = 99


@dataclass
class Course:
    """count, size_mm, severity and comparison of one finding."""

    count: int | None = None
    size_mm: float | None = None
    severity: str | None = None
    comparison: str | None = None


def courses(line: Line, mentions: Sequence[Mention]) -> list[Course]:
    """Return what is said of each mention."""
    found = [Course() for _ in mentions]
    _sizes(line, mentions, found)
    _comparisons(line, mentions, found)
    graded = any("severity" in mark.values for mark in line.marks)
    for number, mention in enumerate(mentions):
        if mention.kind != "normal":
            found[number].severity = _severity(line, mentions, number) if graded else None
            found[number].count = _count(line, mention)
    return found


def behind(line: Line, mentions: Sequence[Mention], number: int) -> range:
    """The words behind a mention that may be about it: up to the next one's phrase or the end of its statement."""
    end = mentions[number + 1].start if number + 1 < len(mentions) else len(line)
    place = mentions[number].end
    clause = line.clause[mentions[number].first]
    while place < end and line.clause[place] == clause:
        place += 1
    return range(mentions[number].end, place)


def _severity(line: Line, mentions: Sequence[Mention], number: int) -> str | None:
    mention = mentions[number]
    own = [mark for mark in line.marked("severity", mention.start, mention.end) if _grades(line, mark)]
    if not own:
        words = behind(line, mentions, number)
        own = [mark for mark in line.marked("severity", words.start, words.stop) if _stands_alone(line, mark, words)]
    grades = [grade for mark in own for grade in mark.values["severity"]]
    return max(grades, key=GRADES.index, default=None)


def _grades(line: Line, mark: Mark) -> bool:
    """Whether a grade is not that of a change, as in "slightly increased" and "enlarged slightly"."""
    if "not_severity" in mark.values:
        return False
    after = mark.end < len(line) and line.has(mark.end, "comparison") and not line.has(mark.end, "harmless")
    before = mark.first > 0 and line.has(mark.first - 1, "comparison")
    return not (line.kinds[mark.first] & Kind.ADVERB and (after or before))


def _stands_alone(line: Line, mark: Mark, words: range) -> bool:
    """Whether a grade behind a finding is said of it: behind a comma, a verb or a bracket, or straight behind it."""
    if not _grades(line, mark):
        return False
    if mark.first == words.start:
        return True
    before = mark.first - 1
    if line.has(before, "severity"):
        return True
    if line.kinds[before] & Kind.PREPOSITION and before > words.start and line.has(before - 1, "severity"):
        return True
    return line.words[before] in (",", "(", ":") or bool(line.kinds[before] & (Kind.VERB | Kind.COPULA))


def _count(line: Line, mention: Mention) -> int | None:
    for place in range(mention.start, mention.first):
        values = line.values(place)
        if "no_number" in values:
            return None
        if "number" in values:
            return int(next(iter(values["number"])))
        if line.is_number(place) and line.size_at(place) is None and line.words[place].isdecimal():
            labelled = place > 0 and line.kinds[place - 1] & Kind.LABEL
            labelled = labelled or line.text[: line.spans[place].start].endswith("/")
            counted = int(line.words[place])
            if not labelled and 0 < counted <= _MOST_COUNTED:
                return counted
    return None


def _sizes(line: Line, mentions: Sequence[Mention], found: list[Course]) -> None:
    """Give each length to the finding in whose phrase or behind which it stands; the largest current one counts."""
    current: dict[int, list[float]] = {}
    former: dict[int, list[float]] = {}
    for size in line.sizes:
        number = _owner(line, mentions, size)
        if number is None or _is_distance(line, size):
            continue
        where = former if _is_former(line, size) else current
        where.setdefault(number, []).append(size.mm)
    for number, values in current.items():
        found[number].size_mm = max(values)
        if number in former and max(values) != max(former[number]):
            found[number].comparison = "increased" if max(values) > max(former[number]) else "decreased"


def _owner(line: Line, mentions: Sequence[Mention], size: Size) -> int | None:
    before = None
    for number, mention in enumerate(mentions):
        if mention.start <= size.first < mention.end or (mention.kind == "normal" and _said_with(line, mention, size)):
            return number
        if mention.first <= size.first and line.clause[mention.first] == line.clause[size.first]:
            before = number
    if before is not None:
        return before
    after = (n for n, m in enumerate(mentions) if m.first > size.first)
    first = next(after, None)
    same = first is not None and line.clause[mentions[first].first] == line.clause[size.first]
    return first if same else None


def _said_with(line: Line, mention: Mention, size: Size) -> bool:
    """Whether a length stands between an organ and the word that calls it normal."""
    return mention.end <= size.first < mention.cue and line.clause[mention.first] == line.clause[size.first]


def _is_distance(line: Line, size: Size) -> bool:
    return size.end < len(line) and line.has(size.end, "distance")


def _is_former(line: Line, size: Size) -> bool:
    """Whether a length is that of an earlier examination: "previously 8 mm", "from 9 mm to 6 mm"."""
    behind_it = size.end < len(line) and line.has(size.end, "previous")
    if behind_it and not line.kinds[size.end] & Kind.VERB and not _goes_on(line, size.end):
        return True
    for place in range(size.first - 1, max(-1, size.first - 1 - _BEFORE_PREVIOUS), -1):
        word = line.words[place]
        if line.size_at(place) is not None:
            return False
        if line.has(place, "previous") or (line.has(place, "from_size") and _leads_from(line, place, size)):
            return True
        if word in (";",) or line.has(place, "current"):
            return False
    return False


def _leads_from(line: Line, place: int, size: Size) -> bool:
    """Whether "from" tells of a change: "decreased from 9 mm", "from 9 mm to 6 mm", not German "ein Herd von 9 mm"."""
    if place and line.has(place - 1, "comparison"):
        return True
    following = next((other for other in line.sizes if other.first >= size.end), None)
    between = range(size.end, following.first) if following is not None else range(0)
    return any(line.kinds[at] & Kind.PREPOSITION or line.has(at, "current") for at in between)


def _goes_on(line: Line, place: int) -> bool:
    """Whether a former length follows: in "12 mm, previously 15 mm" the word belongs to the second."""
    return any(size.first > place for size in line.sizes)


def _comparisons(line: Line, mentions: Sequence[Mention], found: list[Course]) -> None:
    """Give each word of change to the finding it is said of, and to those joined to that one; a word beats sizes."""
    said: set[int] = set()
    for mark in line.marks:
        values = mark.values.get("comparison")
        if values is None or any(mention.first <= mark.first < mention.end for mention in mentions):
            continue
        if mark.end < len(line) and line.kinds[mark.end] & Kind.SYMPTOM:
            continue
        for number in _changed(line, mentions, mark):
            if mentions[number].kind != "normal" and number not in said:
                said.add(number)
                found[number].comparison = next(iter(values))


def _changed(line: Line, mentions: Sequence[Mention], mark: Mark) -> list[int]:
    clause = line.clause[mark.first]
    here = [number for number, mention in enumerate(mentions) if line.clause[mention.first] == clause]
    for number in here:
        if mentions[number].start <= mark.first < mentions[number].first:
            return [number]
    after = [number for number in here if mentions[number].first >= mark.end]
    before = [number for number in here if mentions[number].end <= mark.first and mentions[number].kind != "normal"]
    if after and (not before or _governs(line, mark, mentions[after[0]].start)):
        return _joined_behind(line, mentions, after)
    if before:
        return _joined_before(line, mentions, before, mark)
    return []


def _governs(line: Line, mark: Mark, start: int) -> bool:
    """Whether "of" or "in" leads from a word of change to the phrase at ``start``: "resolution of the effusion"."""
    words = range(mark.end, start)
    links = [place for place in words if line.kinds[place] & Kind.PREPOSITION]
    others = [
        place
        for place in words
        if not line.kinds[place] & (Kind.PREPOSITION | Kind.DETERMINER) and not line.kinds[place] & Kind.PROPERTY
    ]
    ends_in_preposition = bool(line.kinds[mark.end - 1] & Kind.PREPOSITION)
    return (bool(links) or ends_in_preposition or not words) and not others


def _joined_behind(line: Line, mentions: Sequence[Mention], after: list[int]) -> list[int]:
    chosen = [after[0]]
    for number in after[1:]:
        between = range(mentions[chosen[-1]].end, mentions[number].start)
        if not any(line.kinds[place] & Kind.CONJUNCTION for place in between) or _parted(line, between):
            break
        chosen.append(number)
    return chosen


def _joined_before(line: Line, mentions: Sequence[Mention], before: list[int], mark: Mark) -> list[int]:
    chosen = [before[-1]]
    verb = any(line.kinds[place] & (Kind.VERB | Kind.COPULA) for place in range(mentions[before[-1]].end, mark.end))
    for number in reversed(before[:-1]):
        between = range(mentions[number].end, mentions[chosen[-1]].start)
        joined = any(line.kinds[place] & Kind.CONJUNCTION or line.words[place] == "," for place in between)
        if not verb or not joined or _parted(line, between):
            break
        chosen.append(number)
    return chosen


def _parted(line: Line, words: range) -> bool:
    return any(
        line.kinds[place] & (Kind.VERB | Kind.COMPANION)
        or line.values(place).keys() & {"affirm>", "uncertain>", "<uncertain>", "negation>", "comparison"}
        for place in words
    )
