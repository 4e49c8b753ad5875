"""Sparse Transformer attention, strided and fixed (Child et al. 2019, sections 4.2 and 5.2, one merged head).

With stride l, and j ≤ i always:

    strided: i − j ≤ l, or (i − j) mod l = 0
    fixed:   ⌊j/l⌋ = ⌊i/l⌋, or j mod l ≥ l − c: the last c positions of each block speak for it

Cost O(n · (l + n/l)), least at l = √n; exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from attention_filter.attention.blockwise import Tile, attend_masked, attend_tiles
from attention_filter.attention.masks import Mask, band, causal, padding

BLOCK = 128  # rows of one tile


def strided(
    query: Tensor, key: Tensor, value: Tensor, *, stride: int, keep: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """The last `stride` keys, the token itself, and every `stride`-th key before: (batch, heads, n, V).

    >>> zeros, values = torch.zeros(1, 1, 5, 2), torch.tensor([9.0, 6.0, 0.0, 0.0, 0.0]).view(1, 1, 5, 1)
    >>> strided(zeros, zeros, values, stride=2).flatten().tolist()
    [9.0, 7.5, 5.0, 2.0, 2.25]
    """
    n = query.size(-2)
    near = band(stride) if keep is None else band(stride) & padding(keep, rows_too=True)
    far = list(_far_tiles(n, stride, keep))
    return attend_tiles(query, key, value, [list(near.tiles(n, n, BLOCK)), far], scale=scale)


def fixed(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    stride: int,
    summary: int = 1,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """A query's own block of `stride` keys, and the last `summary` of every block, all up to itself.

    >>> zeros, values = torch.zeros(1, 1, 4, 2), torch.tensor([9.0, 3.0, 0.0, 0.0]).view(1, 1, 4, 1)
    >>> fixed(zeros, zeros, values, stride=2).flatten().tolist()
    [9.0, 6.0, 1.5, 1.0]
    """
    block = stride * max(1, BLOCK // stride)
    return attend_masked(query, key, value, fixed_mask(stride, summary=summary, keep=keep), scale=scale, block=block)


def strided_mask(stride: int, *, keep: Tensor | None = None) -> Mask:
    """The pairs that `strided` allows."""
    regular = Mask(lambda rows, columns: (rows - columns) % stride == 0, lambda *_: None)
    mask = band(stride) | (regular & causal())
    return mask if keep is None else mask & padding(keep, rows_too=True)


def fixed_mask(stride: int, *, summary: int = 1, keep: Tensor | None = None) -> Mask:
    """The pairs that `fixed` allows."""

    def columns(first: int, last: int, keys: int) -> Tensor:
        start = first // stride * stride
        ends = torch.arange(0, start).view(-1, stride)[:, max(0, stride - summary) :].flatten()
        return torch.cat([ends, torch.arange(start, min(last, keys))])

    def allows(rows: Tensor, columns: Tensor) -> Tensor:
        return (rows // stride == columns // stride) | (columns % stride >= stride - summary)

    mask = Mask(allows, columns) & causal()
    return mask if keep is None else mask & padding(keep, rows_too=True)


def _far_tiles(n: int, stride: int, keep: Tensor | None) -> Iterator[Tile]:
    """The far pairs of each class of positions rest, rest + stride, …: two strides apart or more.

    Classes of one length are alike: one repeated tile does them, unless padding makes them differ.
    """
    longer = n % stride  # classes that have one position more
    for start, alike in ((0, longer), (longer, stride - longer)):
        count = len(range(start, n, stride))
        for first in range(2, count, BLOCK):
            last = min(first + BLOCK, count)
            for rest in range(start, start + alike) if keep is not None else [start] if alike else []:
                rows = slice(rest + first * stride, rest + (last - 1) * stride + 1, stride)
                columns = slice(rest, rest + (last - 3) * stride + 1, stride)
                mask = _far(first, last, rows, columns, keep)
                yield Tile(rows, columns, mask, repeat=1 if keep is not None else alike, step=1)


def _far(first: int, last: int, rows: slice, columns: slice, keep: Tensor | None) -> Callable[[], Tensor]:
    """The mask of rows first … last − 1 of a class and the columns up to last − 3, in strides."""

    def mask() -> Tensor:
        apart = torch.arange(first, last).unsqueeze(1) - torch.arange(last - 2) >= 2
        if keep is None:
            return apart
        i, j = (torch.arange(s.start, s.stop, s.step) for s in (rows, columns))
        return apart & padding(keep, rows_too=True).allows(i.unsqueeze(1), j.unsqueeze(0))

    return mask
