"""What a log of clicks tells of its items, at a time: click rates so far, and who clicked on what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from scipy import sparse

from attention_filter.logs import ClickLog, Impression
from attention_filter.personal.features import Ints

PRIOR = 20  # impressions at the overall click rate that each item is taken to have had


def clicks_before(log: ClickLog) -> sparse.csr_array:
    """Who clicked on what, (readers, items) of 0 and 1, in training impressions before the first test impression."""
    first = min(one.time for one in log.test)
    past = [one for one in log.train if one.time < first]
    readers = {user: row for row, user in enumerate(dict.fromkeys(one.user for one in past))}
    clicked = [np.concatenate([one.history, one.candidates[one.labels]]) for one in past]
    rows = np.repeat([readers[one.user] for one in past], [len(items) for items in clicked]).astype(np.int64)
    columns = np.concatenate([*clicked, np.zeros(0, np.int64)]).astype(np.int64)
    pairs = np.unique(np.stack([rows, columns]), axis=1)
    return sparse.csr_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), (len(readers), len(log.items)))


class Clicks:
    """What a log of `impressions`, in time order, has shown of n items up to a time that only moves forward."""

    def __init__(self, impressions: Sequence[Impression], n: int) -> None:
        self._coming = list(reversed(impressions))
        self._shown, self._clicked = np.zeros(n), np.zeros(n)
        self._popularity: np.ndarray | None = None
        self.first_seen = np.full(n, np.inf)  # in seconds; what was never seen is the newest

    def count_until(self, time: datetime) -> None:
        """Count the impressions before this time."""
        while self._coming and self._coming[-1].time < time:
            impression = self._coming.pop()
            np.add.at(self._shown, impression.candidates, 1)
            np.add.at(self._clicked, impression.candidates, impression.labels)
            for rows in (impression.candidates, impression.history):
                self.first_seen[rows] = np.minimum(self.first_seen[rows], impression.time.timestamp())
            self._popularity = None

    def popularity(self, background: Ints) -> np.ndarray:
        """The logarithm of the smoothed click rate, standardised over the background (n,)."""
        if self._popularity is None:
            overall = max(self._clicked.sum(), 1) / max(self._shown.sum(), 1)
            rate = np.log((self._clicked + PRIOR * overall) / (self._shown + PRIOR))
            known = rate[background]
            self._popularity = (rate - known.mean()) / (known.std() or 1.0)
        return self._popularity
