"""Which slices of a set lie next to each other.

The slices of a case are numbered by what its table or the pictures' names say (``Pair.order``). The smallest step
between two numbers of a case is its step: a set may hold every slice of a scan, or every second one. The neighbours of
a slice are those one step before and after it in its case; where there is none (the scan's first and last slice, a gap
in the set, a picture that is a case of its own) the slice stands in for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from LMISCore.data.pair import Pair
from LMISCore.data.slices import by_case


def neighbours(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Row numbers of the slices before and after each row's; its own number where there is none.

    Args:
        pairs: those of a case together. Several rows about one slice (several sentences) have the same neighbours.
    """
    found: list[tuple[int, int]] = []
    for _, rows in by_case(pairs):
        first: dict[int, int] = {}
        for row in rows:
            first.setdefault(pairs[row].order, row)
        step = _step(sorted(first))
        for row in rows:
            order = pairs[row].order
            found.append((first.get(order - step, row), first.get(order + step, row)))
    return found


def _step(orders: Sequence[int]) -> int:
    """The smallest difference between two of a case's numbers, sorted and distinct; 1 where there is only one."""
    return min((after - before for before, after in pairwise(orders)), default=1)
