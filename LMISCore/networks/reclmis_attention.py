"""Multi-head attention with its weights at hand: RecLMIS multiplies them and shows them, which fused kernels do not."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from LMISCore.networks.normalised_product import wide

WEIGHT_FLOOR = 1e-10


class Attention(nn.Module):
    """Multi-head attention ``(B, Q, d), (B, K, d) -> (B, Q, d)`` with biases, started as torch's own.

    Args:
        width: d.
        heads: number of heads; it divides d.
        dropout: share of the attention weights that are dropped in training.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.inwards = nn.Linear(width, 3 * width)
        self.outwards = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.inwards.weight)
        nn.init.zeros_(self.inwards.bias)
        nn.init.zeros_(self.outwards.bias)

    def forward(
        self, query: Tensor, keys: Tensor, hidden: Tensor | None = None, key_weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from ``query`` to ``keys``, which are the values too.

        Args:
            query: ``(B, Q, d)``.
            keys: ``(B, K, d)``.
            hidden: bool, broadcast to ``(B, Q, K)``; true where a query may not see a key.
            key_weights: ``(B, K)``; the softmax is multiplied by them (plus 1e-10) and made to sum to 1 again.

        Returns:
            the result and the weights, averaged over the heads, ``(B, Q, K)`` float32.
        """
        width = query.shape[-1]
        weight, bias = self.inwards.weight, self.inwards.bias
        q = self._split(F.linear(query, weight[:width], bias[:width]))
        k, v = (self._split(x) for x in F.linear(keys, weight[width:], bias[width:]).chunk(2, dim=-1))
        scores = wide(q @ k.transpose(-2, -1)) * (width // self.heads) ** -0.5
        if hidden is not None:
            # The lowest finite number: a row that may see nothing gets equal weights instead of NaN.
            scores = scores.masked_fill(hidden.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        if key_weights is not None:
            weights = weights * (wide(key_weights) + WEIGHT_FLOOR)[:, None, None]
            weights = weights / weights.sum(-1, keepdim=True)
        found = self.dropout(weights.to(v.dtype)) @ v
        return self.outwards(found.transpose(1, 2).flatten(2)), weights.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        """``(B, N, d)`` to ``(B, heads, N, d / heads)``."""
        heads: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return heads
