"""Global and local attention: a window for all, and a few tokens that see and are seen by everything.

    H_ij ∝ exp(q_i·k_j / √d)  for |i − j| ≤ w or i ∈ G or j ∈ G          (Beltagy et al. 2020, section 3.1)

Cost O(n · (window + |G|)), exact. Longformer gives the global tokens projections of their own; here they share.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attention_filter.attention.blockwise import Tile, attend_tiles
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
    chosen = positions[positions < n].sort().values
    whole = global_local_mask(window, chosen, keep=keep)
    # Rows of global tokens are emptied in the first pass and done in the second.
    hidden = torch.zeros(n, dtype=torch.bool).index_fill(0, chosen, True)
    first = Mask(lambda rows, columns: whole.allows(rows, columns) & ~hidden[rows], _columns(window, chosen))
    second = [Tile(rows, slice(0, n), _rows(whole, rows, n)) for rows in torch.split(chosen, 128) if len(rows)]
    return attend_tiles(query, key, value, [list(first.tiles(n, n)), second], scale=scale)


def global_local_mask(window: int, positions: Tensor, *, keep: Tensor | None = None) -> Mask:
    """The pairs that `global_local` allows."""
    mask = band(window, window) | global_tokens(positions)
    return mask if keep is None else mask & padding(keep, rows_too=True)


def _columns(window: int, positions: Tensor) -> Callable[[int, int, int], Tensor]:
    def columns(first: int, last: int, keys: int) -> Tensor:
        near = torch.arange(max(0, first - window), min(keys, last + window))
        far = positions[(positions < near[0]) | (positions > near[-1])]
        return torch.cat([far[far < near[0]], near, far[far > near[-1]]])

    return columns


def _rows(mask: Mask, rows: Tensor, keys: int) -> Callable[[], Tensor]:
    return lambda: mask.allows(rows.unsqueeze(1), torch.arange(keys).unsqueeze(0))
