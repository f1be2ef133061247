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
            mixed = self.convolution(words.transpose(1, 2)).transpose(1, 2)
            self._require_two(mixed[..., 0].numel())
            return torch.relu(self.norm(mixed.flatten(0, 1))).view(mixed.shape)
        kept = mask.unsqueeze(-1)
        mixed = self.convolution(words.masked_fill(~kept, 0).transpose(1, 2)).transpose(1, 2)
        if mask.device.type == "cpu":
            # Elsewhere one would have to wait for the number; a single token then comes out as the shift alone.
            self._require_two(int(mask.sum()))
        return torch.relu(self._normed(mixed, mask)).masked_fill(~kept, 0)

    def _require_two(self, tokens: int) -> None:
        if self.training and tokens < 2:
            raise InputError(
                f"The batch's sentences have {tokens} token{'s' * (tokens != 1)} altogether, and training "
                "normalises words by their batch, which takes two; give longer sentences or a larger training.batch."
            )

    def _normed(self, mixed: Tensor, mask: Tensor) -> Tensor:
        """Normalise ``(B, L, d)``; in training by the tokens where ``mask (B, L)`` is true alone."""
        norm: nn.Module = self.norm
        if not norm.training:
            found: Tensor = norm(mixed.flatten(0, 1)).view(mixed.shape)
            return found
        if type(norm) is nn.BatchNorm1d and mask.device.type != "cpu":
            return _normed_by_real(norm, mixed, mask)
        # To pick rows, one has to wait for their number, which costs nothing on a processor. Over several processes the
        # normalisation is another class, which takes rows and waits itself.
        return torch.zeros_like(mixed).index_put((mask,), norm(mixed[mask]).to(mixed.dtype))


def _normed_by_real(norm: nn.BatchNorm1d, mixed: Tensor, mask: Tensor) -> Tensor:
    """Batch normalisation of ``(B, L, d)`` by the statistics of the real tokens, whose number need not be known."""
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    assert norm.momentum is not None
    values = wide(mixed)
    counted = mask.unsqueeze(-1).to(values.dtype)
    number = counted.sum().clamp_min(1)
    mean = (values * counted).sum((0, 1)) / number
    variance = ((values - mean).square() * counted).sum((0, 1)) / number
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
        unbiased = variance * number / (number - 1).clamp_min(1)
        norm.running_var.lerp_(unbiased.to(norm.running_var.dtype), norm.momentum)
    return ((values - mean) * (variance + norm.eps).rsqrt() * norm.weight + norm.bias).to(mixed.dtype)


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
