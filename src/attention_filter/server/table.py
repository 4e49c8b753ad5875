"""A standing as one reader sees it now, without what was done with, and the selections of it that pages ask for.

One page asks for a dozen: two lanes, six facets, the list itself. Each is kept until the standing or the acts change,
so that turning a page of 50,000 items costs no pass over them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np

from attention_filter.standing import Column, Standing, View, done, order_of, wanted_in

KEPT = 24  # selections of one table that are kept

T = TypeVar("T")


class Table:
    """The rows of `standing`, less the `acted` items and their copies where a view wants the unread.

    What a rule blocked is in none.
    """

    def __init__(self, standing: Standing, acted: Collection[int]) -> None:
        self.standing = standing
        self._acted = done(standing, acted)
        self._kept: OrderedDict[Any, Any] = OrderedDict()

    def ids(self, view: View) -> np.ndarray:
        """The ids of the view's items in its order, as small as they can be held."""
        return self._once(("ids", view), lambda: self._ids(view))

    def count(self, view: View) -> int:
        """How many items the view has."""
        return self._once(("count", view), lambda: int(self._wanted(view).sum()))

    def counts(self, view: View, column: Column) -> list[tuple[Any, int]]:
        """(value, items of the view that have it), the most frequent value first."""
        return self._once((column, view), lambda: self._counts(view, column))

    def _ids(self, view: View) -> np.ndarray:
        order, ids = order_of(self.standing, view), self.standing.ids
        found = ids[order[self._wanted(view)[order]]]
        return np.asarray(found, np.min_scalar_type(int(ids.max(initial=0))))

    def _counts(self, view: View, column: Column) -> list[tuple[Any, int]]:
        values, codes = self.standing.coded(column)
        found = np.bincount(codes[self._wanted(view)], minlength=len(values))
        order = np.argsort(-found, kind="stable")
        return [(values[code], int(found[code])) for code in order[: np.count_nonzero(found)].tolist()]

    def _wanted(self, view: View) -> np.ndarray:
        return self._once(view, lambda: self._mask(view))

    def _mask(self, view: View) -> np.ndarray:
        wanted = wanted_in(self.standing, view)
        wanted &= ~self.standing.blocked
        if view.unread:
            wanted[self._acted] = False
        return wanted

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        # Two threads may make the same at once; that costs time and harms nothing.
        found = self._kept.get(key)
        if found is None:
            self._kept[key] = found = make()
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found
