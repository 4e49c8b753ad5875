"""Adaptive attention span: each head learns how far back it looks (Sukhbaatar et al. 2019). Exact, O(n · span).

    m_z(x) = clamp((R + z − x) / R, 0, 1)                                     (eq. 3, x = i − j, R the ramp)
    H_ij = m_z(i − j) exp(s_ij) / Σ_{r ≤ i} m_z(i − r) exp(s_ir)              (eq. 4)

The loss gets `penalty()`, the mean span (the paper's λ/M Σ z). Keys beyond the largest z + R are never touched.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AdaptiveSpan(nn.Module):
    """Causal attention whose span z (heads,), in tokens, is a parameter between 0 and `longest`."""

    def __init__(self, heads: int, longest: int, *, ramp: float = 32.0, start: float = 0.0) -> None:
        super().__init__()
        self.longest, self.ramp = longest, ramp
        self.span = nn.Parameter(torch.full((heads,), float(start)))

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, *, keep: Tensor | None = None, scale: float | None = None
    ) -> Tensor:
        """Mixed values (batch, heads, n, V); `keep` (batch, n) is False at padding."""
        return span_attention(query, key, value, span=self.lengths(), ramp=self.ramp, keep=keep, scale=scale)

    def lengths(self) -> Tensor:
        """Each head's z, kept within its bounds."""
        return self.span.clamp(0, self.longest)

    def penalty(self) -> Tensor:
        """The mean span in tokens, for the loss."""
        return self.lengths().mean()


def span_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    span: Tensor,
    ramp: float,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Causal attention with head h's weights fading out between `span[h]` and `span[h] + ramp` tokens back.

    >>> values = torch.tensor([8.0, 4.0, 0.0]).view(1, 1, 3, 1)
    >>> zeros = torch.zeros(1, 1, 3, 2)
    >>> span_attention(zeros, zeros, values, span=torch.tensor([1.0]), ramp=1.0).flatten().tolist()
    [8.0, 6.0, 2.0]
    """
    if not value.numel():
        return value
    n, scale = query.size(-2), query.size(-1) ** -0.5 if scale is None else scale
    reach = min(n - 1, reach_of(span, ramp))
    block = max(1, min(n, max(64, reach)))  # rows done together; at least half of what they compute is used
    kept = query.new_ones(1, n, dtype=torch.bool) if keep is None else keep
    query, kept_rows = F.pad(query, (0, 0, 0, -n % block)), F.pad(kept, (0, -n % block))
    edge = (reach, -n % block)  # keys before the first and after the last
    key, value = F.pad(key, (0, 0, *edge)), F.pad(value, (0, 0, *edge))
    seen = F.pad(kept, edge).unfold(1, reach + block, block)[:, None, :, None, :]  # (b, 1, blocks, 1, reach + block)
    rows = query.view(*query.shape[:2], -1, block, query.size(-1))
    near_keys, near_values = (t.unfold(2, reach + block, block).mT for t in (key, value))
    logits = rows @ near_keys.mT * scale
    distance = torch.arange(block).unsqueeze(1) + reach - torch.arange(reach + block)  # i − j
    soft = ((ramp + span.view(-1, 1, 1, 1) - distance) / ramp).clamp(0, 1) * (distance >= 0)
    soft = (soft * seen * kept_rows.view(len(kept_rows), 1, -1, block, 1)).to(logits.dtype)
    top = logits.masked_fill(soft == 0, torch.finfo(logits.dtype).min).amax(-1, keepdim=True).detach()
    strengths = soft * (logits - top).clamp(max=0).exp()
    weights = strengths / strengths.sum(-1, keepdim=True).clamp_min(torch.finfo(logits.dtype).tiny)
    mixed: Tensor = (weights @ near_values).flatten(2, 3)
    return mixed[..., :n, :]


def reach_of(span: Tensor, ramp: float) -> int:
    """How many keys back any head looks: the rest is trimmed.

    >>> reach_of(torch.tensor([0.0, 2.5]), 1.0)
    3
    """
    return max(0, math.ceil(float(span.detach().max()) + ramp) - 1)
