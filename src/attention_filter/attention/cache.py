"""The keys and values of past steps, so that a decoder computes each of them once."""

from __future__ import annotations

from torch import Tensor


class Cache:
    """Keys and values (batch, heads, length, dim) that grow at the end; room doubles, so n steps copy O(n) rows.

    For decoding: what is stored carries no gradient.

    >>> import torch
    >>> cache = Cache()
    >>> keys, values = cache.append(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 3))
    >>> keys, values = cache.append(torch.ones(1, 1, 1, 4), torch.ones(1, 1, 1, 3))
    >>> len(cache), keys.shape[2], values.shape[3]
    (3, 3, 3)
    """

    def __init__(self) -> None:
        self._length = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def __len__(self) -> int:
        return self._length

    @property
    def content(self) -> tuple[Tensor, Tensor]:
        """The keys and values so far; ValueError while there are none."""
        if self._keys is None or self._values is None:
            raise ValueError("Cache: nothing in it yet")
        return self._keys[:, :, : self._length], self._values[:, :, : self._length]

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest keys and values; returns all of them, as views that hold until the next call."""
        self._keys = self._with_room(self._keys, key)
        self._values = self._with_room(self._values, value)
        end = self._length + key.size(2)
        self._keys[:, :, self._length : end] = key.detach()
        self._values[:, :, self._length : end] = value.detach()
        self._length = end
        return self.content

    def select(self, rows: Tensor) -> None:
        """Keep these rows (m,) of the batch, in this order: a beam search goes on from its best beams."""
        if self._keys is not None and self._values is not None:
            self._keys, self._values = self._keys[rows], self._values[rows]

    def _with_room(self, store: Tensor | None, new: Tensor) -> Tensor:
        if store is not None and store.size(2) >= self._length + new.size(2):
            return store
        batch, heads, length, dim = new.shape
        larger = new.new_empty(batch, heads, max(16, 2 * (self._length + length)), dim)
        if store is not None:
            larger[:, :, : self._length] = store[:, :, : self._length]
        return larger
