"""Attention tile by tile: no matrix larger than one tile exists, forward or backward.

Parts of one row are merged by their log-sum-exps; the backward pass computes each tile anew from the whole row's
log-sum-exp (Dao et al. 2022, algorithms 1 and 4). Memory is that of query, key, value, output and one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from attention_filter.attention.kernels import accuracy, as_bias, closed, empty_rows, mix, mix_backward, same_width

Index = slice | Tensor  # a slice is a view, a tensor (m,) of distinct positions is a copy


@dataclass(frozen=True)
class Tile:
    """Rows and columns of the matrix; `mask` makes the tile's bool mask, broadcast to (batch, heads, rows, columns).

    With `repeat`, it stands for as many tiles of one mask (rows, columns), each `step` further than the last in rows
    and columns (slices); they run in one call of the kernel, since many short calls wait more than they compute.
    """

    rows: Index
    columns: Index
    mask: Callable[[], Tensor] | None = None
    repeat: int = 1
    step: int = 0


class HasTiles(Protocol):
    """What `masks.Mask` is to this module."""

    def tiles(self, queries: int, keys: int, block: int = ...) -> Iterable[Tile]: ...


def shortened(index: Tensor) -> Index:
    """The slice that a sorted run of positions is, else the positions.

    >>> shortened(torch.tensor([3, 4, 5]))
    slice(3, 6, None)
    """
    first, last = int(index[0]), int(index[-1])
    return slice(first, last + 1) if last - first + 1 == len(index) else index


def attend_masked(
    query: Tensor, key: Tensor, value: Tensor, mask: HasTiles, *, scale: float | None = None, block: int = 128
) -> Tensor:
    """`attend(query, key, value, mask.dense(Q, K))` without the dense mask: (batch, heads, Q, V)."""
    return attend_tiles(query, key, value, [list(mask.tiles(query.size(-2), key.size(-2), block))], scale=scale)


def attend_tiles(
    query: Tensor, key: Tensor, value: Tensor, passes: list[list[Tile]], *, scale: float | None = None
) -> Tensor:
    """Softmax attention over the union of the tiles, (batch, heads, Q, V); they must not overlap.

    The tiles of one pass have different rows; a row that several passes hold is merged.
    """
    scale = query.size(-1) ** -0.5 if scale is None else scale
    width = value.size(-1)
    query, key, value = (t.contiguous() for t in same_width(query, key, value))
    out: Tensor = _Tiled.apply(query, key, value, scale, passes)  # type: ignore[no-untyped-call]
    return out[..., :width]


def forward_tiles(
    query: Tensor, key: Tensor, value: Tensor, scale: float, passes: list[list[Tile]]
) -> tuple[Tensor, Tensor]:
    """The output (batch, heads, Q, V) and the rows' log-sum-exp (batch, heads, Q)."""
    kind = accuracy(query) if len(passes) > 1 else query.dtype
    out = value.new_zeros(*query.shape[:-1], value.size(-1), dtype=kind)
    log_sum = query.new_full((*query.shape[:-1], 1), float("-inf"), dtype=accuracy(query))
    biases = _Biases(query)
    for number, tiles in enumerate(passes):
        for tile in tiles:
            bias, empty = biases(tile)
            q, k, v = _take(query, tile.rows, tile), _take(key, tile.columns, tile), _take(value, tile.columns, tile)
            part, part_sum = mix(q, k, v, bias, scale, empty)
            if number:
                known_sum = _take(log_sum, tile.rows, tile).squeeze(-1)
                part, part_sum = merge(_take(out, tile.rows, tile), known_sum, part, part_sum)
            _put(out, tile, part)
            _put(log_sum, tile, part_sum.unsqueeze(-1))
    return out.to(query.dtype), log_sum.squeeze(-1)


def backward_tiles(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    log_sum: Tensor,
    scale: float,
    passes: list[list[Tile]],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients to query, key and value; `out` and the `closed` `log_sum` are those of whole rows."""
    kind = accuracy(query)
    d_query, d_key, d_value = (
        torch.zeros_like(t, dtype=kind, memory_format=torch.contiguous_format) for t in (query, key, value)
    )
    biases = _Biases(query)
    for tile in (tile for tiles in passes for tile in tiles):
        bias, _ = biases(tile)
        g, q, o, s = (_take(t, tile.rows, tile) for t in (grad, query, out, log_sum.unsqueeze(-1)))
        k, v = _take(key, tile.columns, tile), _take(value, tile.columns, tile)
        parts = mix_backward(g, q, k, v, o, s.squeeze(-1), bias, scale)
        for total, index, part in zip((d_query, d_key, d_value), (tile.rows, *[tile.columns] * 2), parts, strict=True):
            _add(total, index, tile, part)
    return d_query.to(query.dtype), d_key.to(key.dtype), d_value.to(value.dtype)


def merge(out: Tensor, log_sum: Tensor, more: Tensor, more_sum: Tensor) -> tuple[Tensor, Tensor]:
    """Two parts of the same rows as one: each weighs as its share of the exponentials.

    >>> out, total = merge(torch.ones(1, 1), torch.zeros(1), torch.zeros(1, 1), torch.zeros(1))
    >>> out.tolist(), total.exp().tolist()
    ([[0.5]], [2.0])
    """
    total = torch.logaddexp(log_sum, more_sum)
    share, more_share = ((part - closed(total)).exp().unsqueeze(-1) for part in (log_sum, more_sum))
    return out * share + more * more_share, total


class _Biases:
    """The tiles' masks as biases; neighbours that share one mask tensor share the bias."""

    def __init__(self, query: Tensor) -> None:
        self._query = query
        self._mask: Tensor | None = None
        self._bias: tuple[Tensor | None, Tensor | None] = (None, None)

    def __call__(self, tile: Tile) -> tuple[Tensor | None, Tensor | None]:
        """The bias and its empty rows."""
        mask = tile.mask() if tile.mask else None
        if mask is not self._mask:
            bias = as_bias(mask, None, self._query)
            self._mask, self._bias = mask, (bias, empty_rows(bias))
        return self._bias


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, query, key, value, scale, passes):  # type: ignore[no-untyped-def]
        out, log_sum = forward_tiles(query, key, value, scale, passes)
        ctx.save_for_backward(query, key, value, out, closed(log_sum))
        ctx.scale, ctx.passes = scale, passes
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        query, key, value, out, log_sum = ctx.saved_tensors
        gradients = backward_tiles(grad.contiguous(), query, key, value, out, log_sum, ctx.scale, ctx.passes)
        return *gradients, None, None


def _take(tensor: Tensor, index: Index, tile: Tile) -> Tensor:
    """The tile's part of a contiguous (batch, heads, n, dim); repeated: (batch · heads, repeat, length, dim)."""
    if isinstance(index, Tensor):
        return tensor.index_select(-2, index)
    if tile.repeat == 1:
        return tensor[..., index, :]
    batch, heads, n, dim = tensor.shape
    length, stride = len(range(n)[index]), index.step or 1
    return tensor.as_strided(
        (batch * heads, tile.repeat, length, dim),
        (n * dim, tile.step * dim, stride * dim, 1),
        tensor.storage_offset() + index.start * dim,
    )


def _put(tensor: Tensor, tile: Tile, part: Tensor) -> None:
    if isinstance(tile.rows, Tensor):
        tensor.index_copy_(-2, tile.rows, part.to(tensor.dtype))
    else:
        _take(tensor, tile.rows, tile).copy_(part)


def _add(tensor: Tensor, index: Index, tile: Tile, part: Tensor) -> None:
    if isinstance(index, Tensor):
        tensor.index_add_(-2, index, part.to(tensor.dtype))
    elif tile.repeat == 1 or index.step:
        _take(tensor, index, tile).add_(part)
    else:  # windows overlap: add them a step at a time, so that no place is written twice at once
        for start in range(0, part.size(-2), tile.step):
            stop = min(start + tile.step, part.size(-2))
            inside = slice(index.start + start, index.start + stop)
            _take(tensor, inside, tile).add_(part[..., start:stop, :])
