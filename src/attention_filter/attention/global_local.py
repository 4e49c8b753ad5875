"""Global and local attention: a window for all, and a few tokens that see and are seen by everything.

    H_ij ∝ exp(q_i·k_j / √d)  for |i − j| ≤ w or i ∈ G or j ∈ G          (Beltagy et al. 2020, section 3.1)

Cost O(n · (window + |G|)), exact: the windows, then what lies outside them, merged by
log-sum-exp. Longformer gives the global tokens projections of their own; here they share.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attention_filter.attention.blockwise import Tile, attend_tiles, shortened
from attention_filter.attention.local import local_mask
from attention_filter.attention.masks import Mask, band, global_tokens, padding


def global_local(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    window: int,
    positions: Tensor,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention in a window of `window` on each side, with global tokens at `positions` (m,): (batch, heads, n, V).

    `keep` (batch, n) is False at padding.

    >>> values = torch.tensor([0.0, 0.0, 0.0, 1.0]).view(1, 1, 4, 1)
    >>> zeros = torch.zeros(1, 1, 4, 2)
    >>> global_local(zeros, zeros, values, window=0, positions=torch.tensor([3])).flatten().tolist()
    [0.5, 0.5, 0.5, 0.25]
    """
    n = query.size(-2)
    chosen = torch.unique(positions[positions < n])
    passes = [list(local_mask(window, keep=keep).tiles(n, n, max(128, min(window // 2, 256))))]
    if len(chosen):
        ordinary = torch.ones(n, dtype=torch.bool).index_fill(0, chosen, False)
        far = Mask(lambda rows, columns: (rows - columns).abs() > window, lambda *_: None)
        seen = far & Mask(lambda rows, columns: ordinary[rows] & (columns >= 0), lambda *_: None)
        everyone = torch.arange(n)
        passes.append([_tile(everyone, chosen, seen, keep)])  # what all others see of the global tokens
        passes.append([_tile(rows, everyone, far, keep) for rows in torch.split(chosen, 128)])  # what these see
    return attend_tiles(query, key, value, passes, scale=scale)


def global_local_mask(window: int, positions: Tensor, *, keep: Tensor | None = None) -> Mask:
    """The pairs that `global_local` allows."""
    mask = band(window, window) | global_tokens(positions)
    return mask if keep is None else mask & padding(keep, rows_too=True)


def _tile(rows: Tensor, columns: Tensor, mask: Mask, keep: Tensor | None) -> Tile:
    whole = mask if keep is None else mask & padding(keep, rows_too=True)
    return Tile(shortened(rows), shortened(columns), lambda: whole.allows(rows.unsqueeze(1), columns.unsqueeze(0)))
