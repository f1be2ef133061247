"""How sure the network is that what a sentence names can be seen at all, in [0, 1].

The mean over a small fixed share of the brightest pixels asks "is it anywhere?" without asking "how large is it?",
which a mean over the picture would; one pixel alone would follow noise.

In a volume a slice is judged together with its direct neighbours, as far as they were asked the same: a finding that
is there mostly goes on in the next slice, and what noise makes of one slice mostly does not. The volume is as sure as
its surest slice. The card's threshold is chosen on the scores of single slices, where each slice is a case of its own,
and chance alone makes the highest of many higher than one: at the same threshold a finding is called absent more rarely
on a volume than on the slices the threshold was chosen on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

TOP_SHARE = 0.0005


def slice_presence(probability: Tensor) -> Tensor:
    """Mean of the k highest probabilities of each picture, ``k = max(1, round(0.0005 h w))``.

    Args:
        probability: ``(..., h, w)`` at network resolution, in [0, 1].

    Returns:
        ``(...)`` float32.
    """
    pixels = probability.float().flatten(-2)
    count = max(1, round(TOP_SHARE * pixels.shape[-1]))
    return pixels.topk(count, dim=-1).values.mean(-1)


def with_neighbours(own: float, beside: Iterable[float | None]) -> float:
    """Mean of a slice's own score and those of its neighbours; None stands for one that was not asked.

    >>> with_neighbours(0.5, (None, 1.0))
    0.75
    """
    known = [own, *(score for score in beside if score is not None)]
    return sum(known) / len(known)


def volume_presence(scores: Mapping[int, float]) -> float:
    """The highest of the slices' scores, each taken with its neighbours.

    Args:
        scores: of single slices by their number; slices beside each other have numbers one apart.

    Raises:
        ValueError: without any score.
    """
    if not scores:
        raise ValueError("presence of no slice was asked; give at least one slice score")
    return max(with_neighbours(own, (scores.get(n - 1), scores.get(n + 1))) for n, own in scores.items())
