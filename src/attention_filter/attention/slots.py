"""Slot attention: a few slots compete for the inputs, again and again (Locatello et al. 2020, algorithm 1).

    A   = softmax over slots (k(inputs) · q(slots)ᵀ / √D)        eq. 1: our A, normalised over the queries
    W   = A / Σ_inputs A                                          eq. 2: a weighted mean for each slot
    U   = W · v(inputs);   slots ← GRU(U, slots);   slots ← slots + MLP(LayerNorm(slots))

Order of the inputs does not matter; slots permute with their starting values. Cost O(slots · n · iterations).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from attention_filter.attention.core import attend


class SlotAttention(nn.Module):
    """Turns inputs (batch, n, dim) into slots (batch, slots, dim)."""

    def __init__(self, dim: int, *, iterations: int = 3, hidden: int | None = None, epsilon: float = 1e-8) -> None:
        super().__init__()
        hidden = hidden or 2 * dim
        self.iterations, self.epsilon = iterations, epsilon
        self.norm_inputs, self.norm_slots, self.norm_hidden = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_query = nn.Linear(dim, dim, bias=False)
        self.to_key = nn.Linear(dim, dim, bias=False)
        self.to_value = nn.Linear(dim, dim, bias=False)
        self.update = nn.GRUCell(dim, dim)
        self.hidden = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.mean = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.log_deviation = nn.Parameter(torch.zeros(dim))

    def start(self, batch: int, slots: int, generator: torch.Generator | None = None) -> Tensor:
        """Starting slots (batch, slots, dim), drawn from a learned normal distribution."""
        noise = torch.randn(batch, slots, len(self.mean), generator=generator)
        return self.mean + self.log_deviation.exp() * noise

    def forward(self, slots: Tensor, inputs: Tensor, keep: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The slots after the last iteration, and the last A (batch, slots, n): which slot claims which input.

        `keep` (batch, n) is False at padding, which no slot claims.
        """
        inputs = self.norm_inputs(inputs)
        key, value = self.to_key(inputs), self.to_value(inputs)
        mask = None if keep is None else keep.unsqueeze(1)
        claims = key.new_zeros(key.size(0), slots.size(1), key.size(1))
        for _ in range(self.iterations):
            query = self.to_query(self.norm_slots(slots))
            _, claims = attend(query, key, value, mask, normalize="queries", return_weights=True)
            updates = weighted_mean(claims, value, self.epsilon)
            slots = self.update(updates.flatten(0, 1), slots.flatten(0, 1)).view_as(slots)
            slots = slots + self.hidden(self.norm_hidden(slots))
        return slots, claims


def weighted_mean(claims: Tensor, value: Tensor, epsilon: float = 1e-8) -> Tensor:
    """Each slot's mean of the values, weighed by its claims (batch, slots, n).

    >>> weighted_mean(torch.tensor([[[0.5, 0.0]]]), torch.tensor([[[3.0], [5.0]]])).tolist()
    [[[3.0]]]
    """
    return claims @ value / (claims.sum(-1, keepdim=True) + epsilon)
