"""Words and patches of interest: how much each token matters, and a random choice of tokens to hide by it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Interest(nn.Module):
    """Importance of tokens: softmax of a two-layer perceptron over the real ones.

    Args:
        width: d.
        dropout: share of the input's values that are dropped in training.
        bias: whether the score has a bias; it cancels in the softmax, so only the released layout has one.
    """

    def __init__(self, width: int, dropout: float, bias: bool) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.inner = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=bias)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Log weights ``(B, N)`` float32 of tokens ``(B, N, d)``, very low where ``mask`` ``(B, N)`` is false."""
        score: Tensor = self.score(torch.relu(self.inner(self.dropout(tokens)))).squeeze(-1).float()
        if mask is not None:
            score = score.masked_fill(~mask, torch.finfo(score.dtype).min)
        return score.log_softmax(-1)


def draw_hidden(
    log_weights: Tensor, rate: float, mask: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Choose tokens to hide without replacement, the important ones more often: ``(B, N)`` bool.

    Of each row's n real tokens ``max(1, int(rate n))`` are drawn one after the other with probability proportional to
    their weight. Adding Gumbel noise to the log weights and taking the largest is the same draw (Kool et al.,
    arXiv 1903.06059), for all rows at once and on their device.

    Args:
        log_weights: ``(B, N)``.
        rate: share of the real tokens.
        mask: ``(B, N)``, true on real tokens; None when all are.
        generator: of any device; None for the global one.
    """
    where = log_weights.device if generator is None else generator.device
    uniform = torch.rand(log_weights.shape, generator=generator, device=where).to(log_weights.device)
    tiny = torch.finfo(uniform.dtype).tiny
    noise = -(-uniform.clamp_min(tiny).log()).clamp_min(tiny).log()
    score = log_weights.detach().float() + noise
    if mask is None:
        real = torch.full((len(score),), score.shape[1], device=score.device)
    else:
        score = score.masked_fill(~mask, -torch.inf)
        real = mask.sum(1)
    count = (real * rate).long().clamp_min(1)
    rank = score.argsort(dim=1, descending=True).argsort(dim=1)
    hidden = rank < count[:, None]
    return hidden if mask is None else hidden & mask
