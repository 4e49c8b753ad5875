"""Additive attention pooling: one learned query summarises a sequence (Wu et al. 2019, "NAML", eqs. 3–5).

    a_i = qᵀ tanh(V h_i + v),    α = softmax(a),    r = Σ_i α_i h_i

The cost is O(n); the query is a parameter, so there are no n × n weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdditivePooling(nn.Module):
    """Sums a sequence (..., n, dim) up in one vector (..., dim)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.query = nn.Parameter(torch.randn(hidden) * hidden**-0.5)

    def forward(self, inputs: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The summary (..., dim) and its weights (..., n). `keep` (..., n) is False at padding; all False gives 0."""
        logits = torch.tanh(self.project(inputs)) @ self.query
        if keep is None:
            weights = logits.softmax(-1)
        else:
            floor = torch.finfo(logits.dtype).min
            weights = logits.masked_fill(~keep, floor).softmax(-1).masked_fill(~keep, 0.0)
        return (weights.unsqueeze(-2) @ inputs).squeeze(-2), weights
