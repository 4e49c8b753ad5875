"""From scores to a list: place by place, the row whose score, less what it costs the list, is largest.

What a list should be beside good (varied, mixed over the interests, not drowned by one source) are wishes with a
cost in deviations of the score; what it must be are constraints. No score changes: only the order does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Wish(Protocol):
    """What a list should be, told by what it costs to place each row next."""

    def cost(self) -> np.ndarray:
        """What it costs to place each row next, in deviations of the score (n,)."""
        ...

    def place(self, row: int) -> None:
        """The row is placed."""
        ...


def arrange(relevance: np.ndarray, limit: int, wishes: Sequence[Wish] = ()) -> list[int]:
    """Rows of the first `limit` places, made greedily. `relevance` (n,) is the score in deviations.

    >>> arrange(np.array([1.0, 3.0, 2.0]), 2)
    [1, 2]
    """
    left = np.ones(len(relevance), bool)
    placed: list[int] = []
    while len(placed) < min(limit, len(relevance)):
        value = relevance - sum(wish.cost() for wish in wishes)
        row = int(np.where(left, value, -np.inf).argmax())
        placed.append(row)
        left[row] = False
        for wish in wishes:
            wish.place(row)
    return placed
