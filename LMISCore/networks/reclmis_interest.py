"""Words and patches of interest: how much each token matters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LMISCore.errors import InputError
from LMISCore.networks.normalised_product import wide


class TokenMixer(nn.Module):
    """3-wide convolution over the words, batch normalisation, ReLU: T' to T''."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, words: Tensor, mask: Tensor | None = None) -> Tensor:
        """``(B, L, d)`` to the same shape.

        Args:
            words: T'.
            mask: ``(B, L)``, true on real tokens: they alone enter the convolution and the batch's statistics, and
                padding comes out as 0. None lets padding take part.

        Raises:
            InputError: in training, if the batch has fewer than two tokens, of which there are no statistics.
        """
        if mask is None:
            mask = torch.ones(words.shape[:2], dtype=torch.bool, device=words.device)
        words = words.masked_fill(~mask.unsqueeze(-1), 0)
        mixed = self.convolution(words.transpose(1, 2)).transpose(1, 2)
        real = mixed[mask]
        if self.training and len(real) < 2:
            raise InputError(
                f"The batch's sentences have {len(real)} token{'s' * (len(real) != 1)} altogether, and training "
                "normalises words by their batch, which takes two; give longer sentences or a larger training.batch."
            )
        normed = torch.relu(self.norm(real))
        return normed.new_zeros(mixed.shape).index_put((mask,), normed)


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
        """Log weights ``(B, N)``, at least float32, of tokens ``(B, N, d)``; very low where ``mask`` is false."""
        score = wide(self.score(torch.relu(self.inner(self.dropout(tokens)))).squeeze(-1))
        if mask is not None:
            score = score.masked_fill(~mask, torch.finfo(score.dtype).min)
        return score.log_softmax(-1)
