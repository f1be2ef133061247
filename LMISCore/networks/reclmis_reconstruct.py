"""RecLMIS's conditioned reconstructors: the hidden tokens of one modality are rebuilt from the other one's tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LMISCore.networks.reclmis_attention import Attention

HEADS = 4
DROPOUT = 0.1


class Layer(nn.Module):
    """Self-attention, cross-attention where there is a source, feed-forward; each added, dropped out and normalised.

    Args:
        width: d; the feed-forward part has 2 d inner units.
        crossed: whether the layer looks at a source.
    """

    def __init__(self, width: int, crossed: bool) -> None:
        super().__init__()
        self.own = Attention(width, HEADS)
        self.own_norm = nn.LayerNorm(width)
        self.cross = Attention(width, HEADS) if crossed else None
        self.cross_norm = nn.LayerNorm(width) if crossed else None
        self.widen = nn.Linear(width, 2 * width)
        self.narrow = nn.Linear(2 * width, width)
        self.last_norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(
        self,
        x: Tensor,
        hidden: Tensor | None,
        weights: Tensor | None,
        source: Tensor | None = None,
        source_hidden: Tensor | None = None,
    ) -> Tensor:
        """Change tokens ``(B, N, d)``.

        Args:
            x: tokens.
            hidden: broadcast to ``(B, N, N)``, see ``Attention``.
            weights: of the source's tokens: without a source of ``x``'s own ``(B, N)``, else of the source's.
            source: ``(B, M, d)``.
            source_hidden: broadcast to ``(B, N, M)``.
        """
        crossed = source is not None
        found, _ = self.own(x, x, hidden, None if crossed else weights)
        x = self.own_norm(x + self.dropout(found))
        if source is not None:
            assert self.cross is not None and self.cross_norm is not None
            found, _ = self.cross(x, source, source_hidden, weights)
            x = self.cross_norm(x + self.dropout(found))
        inner = self.narrow(torch.relu(self.widen(x)))
        out: Tensor = self.last_norm(x + self.dropout(inner))
        return out


class Reconstructor(nn.Module):
    """Rebuild one modality's tokens from the other's, which count by their importance.

    The source's tokens look at each other, then the queries look at themselves and at the source; the attention to
    source tokens is multiplied by the tokens' weights in both.

    Args:
        width: d.
        layers: number of layers on each side.
        causal: hide later tokens from earlier ones in both self-attentions.
    """

    def __init__(self, width: int, layers: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.source = nn.ModuleList(Layer(width, crossed=False) for _ in range(layers))
        self.target = nn.ModuleList(Layer(width, crossed=True) for _ in range(layers))

    def forward(
        self,
        source: Tensor,
        weights: Tensor,
        queries: Tensor,
        source_mask: Tensor | None = None,
        query_mask: Tensor | None = None,
    ) -> Tensor:
        """Rebuild the queries.

        Args:
            source: ``(B, M, d)``.
            weights: of the source's tokens, ``(B, M)``.
            queries: tokens with some of them zero, ``(B, N, d)``.
            source_mask: ``(B, M)``, true on real tokens; None lets padding take part.
            query_mask: ``(B, N)``, likewise.

        Returns:
            ``(B, N, d)``.
        """
        hidden = self._hidden(source, source_mask)
        for layer in self.source:
            source = layer(source, hidden, weights)
        hidden = self._hidden(queries, query_mask)
        source_hidden = None if source_mask is None else ~source_mask[:, None]
        for layer in self.target:
            queries = layer(queries, hidden, weights, source, source_hidden)
        return queries

    def _hidden(self, tokens: Tensor, mask: Tensor | None) -> Tensor | None:
        """What a token may not see of its own kind, broadcast to ``(B, N, N)``."""
        hidden = None if mask is None else ~mask[:, None]
        if self.causal:
            count = tokens.shape[1]
            later = torch.ones(count, count, dtype=torch.bool, device=tokens.device).triu(1)[None]
            hidden = later if hidden is None else hidden | later
        return hidden
