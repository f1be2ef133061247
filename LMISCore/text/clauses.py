"""The parts of a sentence that are about given findings: what is sent to a network, and what is left out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from LMISCore.text.language import Language
from LMISCore.text.line import Line


def clause_starts(line: Line, mentions: Sequence[tuple[int, int]]) -> list[int]:
    """Return the first word of each part that speaks of something else, with the number of words as the last.

    A contrast ("but", ";") begins one; so does a negation once a finding was named ("infection without effusion"), and
    a piece between commas that calls something normal ("the right lung is clear, infection in the left").

    Args:
        line: the sentence.
        mentions: words of the findings, first and past the last, in order.
    """
    count = len(line)
    cuts = {0, count} | {at for at in range(1, count) if line.clause[at] != line.clause[at - 1]}
    named = [first for first, _ in mentions]
    begun = 0
    for mark in line.marks:
        if mark.first in cuts:
            begun = mark.first
        negates = "negation>" in mark.values and "harmless" not in mark.values
        if negates and bisect_left(named, begun) < bisect_left(named, mark.first):
            begun = mark.first
            cuts.add(begun)
    edges = sorted(cuts | {at for at, word in enumerate(line.words) if word == ","})
    for first, end in pairwise(edges):
        if bisect_left(named, first) == bisect_left(named, end) and line.marked("normal", first, end):
            cuts |= {first, end}
    return sorted(cuts)


def about(
    line: Line, cuts: Sequence[int], everything: Sequence[tuple[int, int]], own: Sequence[int], tables: Language
) -> list[int]:
    """Return which parts hold findings or refer back to one that does ("...; it is mainly posterior").

    Args:
        line: the sentence.
        cuts: of :func:`clause_starts`.
        everything: words of all findings.
        own: first words of those asked about.
        tables: the sentence's language.
    """
    holding = {bisect_right(cuts, first) - 1 for first, _ in everything}
    chosen = sorted({bisect_right(cuts, first) - 1 for first in own})
    referring = tables.words("referring")
    for clause in list(chosen):
        following = clause + 1
        if following < len(cuts) - 1 and following not in holding:
            first = cuts[following]
            if referring & set(line.words[first + 1 : min(first + 3, cuts[following + 1])]):
                chosen.append(following)
    return sorted(chosen)


def opened(line: Line, first: int) -> int:
    """Return the first word of a part past the comma or contrast that opens it."""
    mark = line.mark_at[first]
    end = first
    if mark is not None and mark.first == first and "break" in mark.values:
        end = mark.end
    while end < len(line) and line.words[end] in (",", ";"):
        end += 1
    return end if end < len(line) else first
