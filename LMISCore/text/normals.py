"""Statements that an organ is normal: "the liver and spleen are unremarkable", "normal heart size", "Pleura: clear"."""

from __future__ import annotations

from LMISCore.text.language import Kind, Language
from LMISCore.text.line import Line, Mark
from LMISCore.text.mentions import Mention

Chain = tuple[int, int]
_INSIDE = Kind.ANATOMY | Kind.ORGAN | Kind.PROPERTY
_FUNCTION = Kind.DETERMINER | Kind.PREPOSITION | Kind.COMPANION | Kind.VERB | Kind.CONJUNCTION


def add_normals(line: Line, language: Language, mentions: list[Mention]) -> list[Mention]:
    """Return the mentions with the normal statements among them, in order.

    A lymph node or another name that is called normal is no finding any more.
    """
    marks = [mark for mark in line.marks if "normal" in mark.values]
    if not marks:
        return mentions
    findings = [mention for mention in mentions if not _is_plain_node(line, mention, language)]
    nodes = [mention for mention in mentions if mention not in findings]
    chains = _chains(line, language, findings)
    normals: list[Mention] = []
    done = 0
    for mark in marks:
        for first, end in _subjects(line, mark, chains, findings, done):
            if not any(other.first < end and first < other.end for other in normals):
                normals.append(Mention(first, end, "normal", start=first, cue=mark.first, cue_end=mark.end))
        done = mark.end
    kept = [node for node in nodes if not any(n.first < node.end and node.first < n.end for n in normals)]
    return sorted([*findings, *kept, *normals], key=lambda mention: mention.first)


def _is_plain_node(line: Line, mention: Mention, language: Language) -> bool:
    """Whether a mention is nothing but an organ's name, such as "lymph nodes", so that it may be normal."""
    organs = language.organ_phrases.find(line.words[mention.first : mention.end])
    return (
        mention.kind == "finding"
        and not mention.names
        and any(end == mention.end - mention.first for _, end, _ in organs)
    )


def _chains(line: Line, language: Language, findings: list[Mention]) -> list[Chain]:
    """Return the runs of words that name an organ or a property, the left or right before them included."""
    taken = [False] * len(line)
    for mention in findings:
        taken[mention.first : mention.end] = [True] * (mention.end - mention.first)
    named = [False] * len(line)
    for first, end, _ in language.organ_phrases.find(line.words):
        named[first:end] = [True] * (end - first)
    chains: list[Chain] = []
    place = 0
    while place < len(line):
        end = place
        holds = False
        while end < len(line) and not taken[end] and _belongs(line, end, named[end]):
            holds = holds or named[end] or bool(line.kinds[end] & (Kind.ORGAN | Kind.PROPERTY))
            end += 1
        if holds:
            first = place
            while first > 0 and not taken[first - 1] and line.has(first - 1, "side"):
                first -= 1
            chains.append((first, end))
        place = max(end, place + 1)
    return chains


def _belongs(line: Line, place: int, named: bool) -> bool:
    if named:
        return True
    kind, values = line.kinds[place], line.values(place)
    if values.keys() & {"normal", "break", "comparison", "severity", "negation>", "affirm>"}:
        return False
    if values.keys() & {"side", "zone"}:
        # Inside a name: "lower lobes", "anterior horn"; never as its last word alone.
        return place + 1 < len(line) and bool(line.kinds[place + 1] & _INSIDE) and "zone" in values
    return bool(kind & _INSIDE) and not kind & _FUNCTION


def _subjects(line: Line, mark: Mark, chains: list[Chain], findings: list[Mention], done: int) -> list[Chain]:
    """Return what a word such as "normal" is said of."""
    if (
        mark.first > 0
        and line.has(mark.first - 1, "negation>")
        and line.clause[mark.first - 1] == line.clause[mark.first]
    ):
        return []
    weak = "weak_normal" in mark.values
    behind = next((chain for chain in chains if chain[0] == mark.end), None)
    before = _before(line, mark, chains, findings, done)
    if behind is not None and not weak:
        if _names_organ(line, behind):
            return [behind, *_coordinated(line, behind, chains)] if not _is_copula(line, mark.first - 1) else before
        organs = [chain for chain in before if _names_organ(line, chain)]
        if organs:
            return organs
        if done and any(line.clause[at] == line.clause[mark.first] for at in range(done)):
            return []
        of = [chain for chain in chains if chain[0] > behind[1] and _opens_of(line, behind[1])]
        return [behind] if not of else of[:1]
    if weak and not before:
        return []
    if weak and not _predicated(line, before[-1][1], mark.first):
        return []
    if before:
        return before
    free = not any(mention.first < line.label for mention in findings)
    if free and done <= line.label < mark.first and line.clause[mark.first] == line.clause[line.label] and line.label:
        return [(0, line.label)]
    return []


def _opens_of(line: Line, place: int) -> bool:
    return place < len(line) and bool(line.kinds[place] & (Kind.OF | Kind.DETERMINER))


def _is_copula(line: Line, place: int) -> bool:
    return place >= 0 and bool(line.kinds[place] & Kind.COPULA)


def _predicated(line: Line, first: int, end: int) -> bool:
    words = range(first, end)
    return first == end or any(line.kinds[at] & (Kind.COPULA | Kind.VERB) or line.words[at] == ":" for at in words)


def _names_organ(line: Line, chain: Chain) -> bool:
    return any(line.kinds[at] & Kind.ORGAN and not line.kinds[at] & Kind.PROPERTY for at in range(*chain)) or any(
        line.kinds[at] & Kind.ANATOMY for at in range(*chain)
    )


def _before(line: Line, mark: Mark, chains: list[Chain], findings: list[Mention], done: int) -> list[Chain]:
    """Return the coordinated subjects in front of the mark, since the statement or the last finding began."""
    clause = line.clause[mark.first]
    stop = max([done, *(mention.end for mention in findings if mention.end <= mark.first)])
    found = []
    for first, end in chains:
        inside = stop <= first and end <= mark.first
        if inside and (line.clause[first] == clause or end <= line.label) and not _in_phrase(line, first):
            found.append((first, end))
    behind_label = [chain for chain in found if chain[0] > line.label]
    return behind_label if line.label and behind_label else found


def _in_phrase(line: Line, first: int) -> bool:
    """Whether a chain hangs on a preposition, as "in the mediastinum" does."""
    place = first - 1
    while place >= 0 and (line.kinds[place] & Kind.DETERMINER or line.has(place, "side") or line.has(place, "zone")):
        place -= 1
    return place >= 0 and bool(line.kinds[place] & (Kind.PREPOSITION | Kind.COMPANION))


def _coordinated(line: Line, chain: Chain, chains: list[Chain]) -> list[Chain]:
    """Return the chains joined to one by "and" or a comma: "normal heart and mediastinum"."""
    found, end = [], chain[1]
    for first, last in chains:
        if first < end:
            continue
        between = range(end, first)
        joined = between and all(
            line.kinds[at] & (Kind.CONJUNCTION | Kind.DETERMINER) or line.words[at] == "," for at in between
        )
        if not joined or line.clause[first] != line.clause[chain[0]]:
            break
        found.append((first, last))
        end = last
    return found
