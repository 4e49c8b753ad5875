"""Masks as objects: combine them with `&` and `|`, look at them as a matrix, or run them without ever building it.

A mask speaks of positions. Key j sits at position j; the queries are the last ones, so query i sits at
K − Q + i: for Q = K that is i, and for a decoder with a cache the newest step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from attention_filter.attention.blockwise import Tile, shortened

Allows = Callable[[Tensor, Tensor], Tensor]  # positions of rows (Q, 1), of columns (1, K) -> True where allowed
Columns = Callable[[int, int, int], Tensor | None]  # first row, one past the last, K -> positions they may look at
REPEATS = 8  # tiles in one call: enough to keep the cores busy, few enough for their gradients to stay in the cache


@dataclass(frozen=True)
class Mask:
    """`allows` decides every pair; `columns` bounds what a run of rows may look at (None: anything).

    `relative` says that only the distance between the two matters, so that tiles in a row share one mask.
    """

    allows: Allows
    columns: Columns
    relative: bool = False

    def __and__(self, other: Mask) -> Mask:
        def columns(first: int, last: int, keys: int) -> Tensor | None:
            mine, theirs = self.columns(first, last, keys), other.columns(first, last, keys)
            if mine is None or theirs is None:
                return theirs if mine is None else mine
            return mine[torch.isin(mine, theirs)]

        def allows(rows: Tensor, columns: Tensor) -> Tensor:
            return self.allows(rows, columns) & other.allows(rows, columns)

        return Mask(allows, columns, self.relative and other.relative)

    def __or__(self, other: Mask) -> Mask:
        def columns(first: int, last: int, keys: int) -> Tensor | None:
            mine, theirs = self.columns(first, last, keys), other.columns(first, last, keys)
            return None if mine is None or theirs is None else _distinct(torch.cat([mine, theirs]))

        def allows(rows: Tensor, columns: Tensor) -> Tensor:
            return self.allows(rows, columns) | other.allows(rows, columns)

        return Mask(allows, columns, self.relative and other.relative)

    def dense(self, queries: int, keys: int) -> Tensor:
        """The whole matrix, bool (…, Q, K): what the mask means.

        >>> causal().dense(2, 3).int().tolist()
        [[1, 1, 0], [1, 1, 1]]
        """
        rows = torch.arange(keys - queries, keys).unsqueeze(1)
        allowed = self.allows(rows, torch.arange(keys).unsqueeze(0))
        return allowed.expand(*allowed.shape[:-2], queries, keys)

    def tiles(self, queries: int, keys: int, block: int = 128) -> Iterator[Tile]:
        """The parts of the matrix that can hold an allowed pair, `block` rows at a time."""
        if self.relative:
            yield from self._repeated_tiles(queries, keys, block)
            return
        for rows, columns in self._parts(queries, keys, block):
            positions = torch.arange(keys - queries + rows.start, keys - queries + rows.stop)
            yield Tile(rows, shortened(columns), self._tile_mask(positions, columns))

    def _parts(self, queries: int, keys: int, block: int) -> Iterator[tuple[slice, Tensor]]:
        """Runs of rows with the columns that they may look at."""
        shift = keys - queries
        for first in range(0, queries, block):
            last = min(first + block, queries)
            columns = self.columns(first + shift, last + shift, keys)
            if columns is None or len(columns):
                yield slice(first, last), torch.arange(keys) if columns is None else columns

    def _repeated_tiles(self, queries: int, keys: int, block: int) -> Iterator[Tile]:
        """Neighbours of one shape, at one distance from the diagonal, as one repeated tile."""
        run: Tile | None = None
        shape: tuple[int, ...] = ()
        for rows, columns in self._parts(queries, keys, block):
            here = shortened(columns)
            new_shape = (rows.start - int(columns[0]), rows.stop - rows.start, len(columns))
            if run is not None and shape == new_shape and isinstance(here, slice) and run.repeat < REPEATS:
                run = replace(run, repeat=run.repeat + 1, step=block)
                continue
            if run is not None:
                yield run
            positions = torch.arange(keys - queries + rows.start, keys - queries + rows.stop)
            run, shape = Tile(rows, here, self._tile_mask(positions, columns)), new_shape
        if run is not None:
            yield run

    def _tile_mask(self, rows: Tensor, columns: Tensor) -> Callable[[], Tensor]:
        return lambda: self.allows(rows.unsqueeze(1), columns.unsqueeze(0))


def _span(first: int, last: int, keys: int) -> Tensor:
    return torch.arange(max(0, first), max(0, first, min(last, keys)))


def _distinct(positions: Tensor) -> Tensor:
    return torch.unique(positions)  # type: ignore[no-any-return]


def everything() -> Mask:
    """Every query sees every key."""
    return Mask(lambda rows, columns: torch.ones_like(rows + columns, dtype=torch.bool), lambda *_: None)


def causal() -> Mask:
    """A query sees itself and what came before: j ≤ i."""
    return Mask(lambda rows, columns: columns <= rows, lambda first, last, keys: _span(0, last, keys), relative=True)


def band(before: int, after: int = 0) -> Mask:
    """A query sees `before` keys before it, itself, and `after` keys after it: i − before ≤ j ≤ i + after.

    >>> band(1).dense(3, 3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 1]]
    """
    if before < 0 or after < 0:
        raise ValueError(f"band: before and after are counts of keys, not {before} and {after}")
    return Mask(
        lambda rows, columns: (columns >= rows - before) & (columns <= rows + after),
        lambda first, last, keys: _span(first - before, last + after, keys),
        relative=True,
    )


def padding(keep: Tensor, *, rows_too: bool = False) -> Mask:
    """True in `keep` (batch, K) is a real key, False is padding. `rows_too`: padded positions do not ask either.

    >>> padding(torch.tensor([[True, False]])).dense(1, 2).tolist()
    [[[[True, False]]]]
    """
    own = keep[:, None, None, :]  # (batch, 1, 1, K)

    def allows(rows: Tensor, columns: Tensor) -> Tensor:
        seen = own[..., columns.flatten()]
        return seen & own[..., rows.flatten()].mT if rows_too else seen.expand(-1, -1, len(rows), -1)

    return Mask(allows, lambda *_: None)


def global_tokens(positions: Tensor) -> Mask:
    """`positions` (m,) see everything and are seen by everything (Beltagy et al. 2020, section 3.1).

    >>> global_tokens(torch.tensor([1])).dense(3, 3).int().tolist()
    [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    """
    positions = _distinct(positions)

    def columns(first: int, last: int, keys: int) -> Tensor | None:
        if bool(((positions >= first) & (positions < last)).any()):
            return None
        return positions[positions < keys]

    return Mask(lambda rows, columns: torch.isin(rows, positions) | torch.isin(columns, positions), columns)


def block_sparse(layout: Tensor, block: int) -> Mask:
    """Whole blocks of `block` × `block` pairs: `layout` (rows of blocks, columns of blocks) is True where they see.

    >>> block_sparse(torch.tensor([[True, False], [True, True]]), 1).dense(2, 2).int().tolist()
    [[1, 0], [1, 1]]
    """

    def columns(first: int, last: int, keys: int) -> Tensor:
        seen = layout[first // block : (last - 1) // block + 1].any(0).nonzero().flatten()
        inside = (seen.unsqueeze(1) * block + torch.arange(block)).flatten()
        return inside[inside < keys]

    return Mask(lambda rows, columns: layout[rows // block, columns // block], columns)
