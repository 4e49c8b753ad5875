"""Local attention: each query looks at a window around itself. Cost O(n · window), exact.

    H_ij ∝ exp(q_i·k_j / √d)  for |i − j| ≤ w,  0 elsewhere          (Beltagy et al. 2020, "Longformer", section 3.1)

`causal` keeps the half with j ≤ i.
"""

from __future__ import annotations

from torch import Tensor

from attention_filter.attention.blockwise import attend_masked
from attention_filter.attention.masks import Mask, band, padding


def local(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    window: int,
    causal: bool = False,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention to the `window` keys on each side, and to the token itself: (batch, heads, n, V).

    `keep` (batch, n) is False at padding. Equals `attend` with `local_mask(...).dense(n, n)` and never holds n × n.

    >>> import torch
    >>> values = torch.tensor([1.0, 2.0, 4.0]).view(1, 1, 3, 1)
    >>> local(torch.zeros(1, 1, 3, 2), torch.zeros(1, 1, 3, 2), values, window=1).flatten()[[0, 2]].tolist()
    [1.5, 3.0]
    """
    mask, block = local_mask(window, causal=causal, keep=keep), max(128, min(window // 2, 256))
    return attend_masked(query, key, value, mask, scale=scale, block=block)


def local_mask(window: int, *, causal: bool = False, keep: Tensor | None = None) -> Mask:
    """The pairs that `local` allows."""
    mask = band(window, 0 if causal else window)
    return mask if keep is None else mask & padding(keep, rows_too=True)
