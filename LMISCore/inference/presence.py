"""How sure the network is that what a sentence names can be seen at all, in [0, 1].

The mean over a small fixed share of the brightest pixels asks "is it anywhere?" without asking "how large is it?",
which a mean over the picture would; one pixel alone would follow noise.

The card's threshold is chosen on the scores of single slices, where each slice is a case of its own. A volume's score
is the mean of its three highest slices among all that were asked, which chance alone makes higher than one slice's: at
the same threshold a finding is called absent more rarely on a volume than on the slices the threshold was chosen on.
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

TOP_SHARE = 0.0005
TOP_SLICES = 3


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


def volume_presence(scores: Iterable[float]) -> float:
    """Mean over the three highest slice scores (or fewer, if fewer slices were asked).

    Raises:
        ValueError: without any score.
    """
    highest = sorted(scores, reverse=True)[:TOP_SLICES]
    if not highest:
        raise ValueError("presence of no slice was asked; give at least one slice score")
    return sum(highest) / len(highest)
