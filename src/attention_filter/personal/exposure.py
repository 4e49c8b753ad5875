"""What clicks say of the items alone: apart from who was shown them, and from where on the page they stood.

`Popularity` counts forward in time, so nobody's click can explain itself. `propensities` and `inverse_weights`
are for logs that keep the place of each item.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np

from attention_filter.personal.features import Floats, Ints

UNCERTAIN = 0.4  # variance of an item's popularity, in logits, before anyone has seen it
STEPS = 100  # of EM; it settles in a few dozen
CLIP = 10.0  # largest weight of one click; a larger one costs more in variance than it gains in bias


class Popularity:
    """How much more each of n items was clicked so far than the interests of those who saw it explain.

    An impression is a choice among what it shows, P(i) = softmax(offset_i + b_i). Each b_i ~ N(0, UNCERTAIN) at
    first; an impression moves it by one Newton step on its own diagonal (an extended Kalman filter; Elo's rating
    with a step that shrinks as evidence grows):

        precision_i += c P(i)(1 − P(i)),    b_i += (clicks_i − c P(i)) / precision_i,    c = the sum of the clicks

    >>> popularity = Popularity(3)
    >>> popularity.learn(np.array([0, 1]), np.array([1.0, 0.0]), np.zeros(2), datetime(2026, 1, 1))
    >>> popularity.logits(np.array([0, 1, 2])).round(2).tolist()
    [0.18, -0.18, 0.0]
    """

    def __init__(self, n: int) -> None:
        self._logits = np.zeros(n)
        self._precision = np.full(n, 1 / UNCERTAIN)
        self._first_shown = np.full(n, np.inf)  # in seconds

    def logits(self, rows: Ints) -> np.ndarray:
        """b of these items; 0 for what nobody saw."""
        return np.asarray(self._logits[rows])

    def days_since_shown(self, rows: Ints, time: datetime) -> np.ndarray:
        """Age by this log: days since the first impression with the item; 0 for what nobody saw."""
        first = self._first_shown[rows]
        return np.where(np.isfinite(first), np.maximum(time.timestamp() - first, 0) / 86_400, 0.0)

    def learn(self, rows: Ints, clicks: np.ndarray, offset: np.ndarray, time: datetime) -> None:
        """Count an impression: `clicks` (k,) may be weighted, `offset` (k,) is what this reader would choose by."""
        logits = offset + self._logits[rows]
        chance = np.exp(logits - logits.max())
        chance /= chance.sum()
        total = clicks.sum()
        self._precision[rows] += total * chance * (1 - chance)
        self._logits[rows] += (clicks - total * chance) / self._precision[rows]
        self._first_shown[rows] = np.minimum(self._first_shown[rows], time.timestamp())


def propensities(positions: Ints, items: Ints, clicks: np.ndarray) -> Floats:
    """How likely each place is looked at, relative to the best: (largest position,), by EM.

    The position-based model, P(click) = look[position] × worth[item] (Wang et al. 2018, "Position Bias Estimation
    for Unbiased Learning to Rank in Personal Search", sec. 4). All inputs are (n,), one row for each item shown;
    positions start at 1. It can only tell the two apart when items were shown in more than one place.
    """
    place, item = positions - 1, np.unique(items, return_inverse=True)[1]
    shown_there, shown = np.bincount(place), np.bincount(item)
    look = np.full(len(shown_there), 0.5)
    worth = np.full(len(shown), 0.5)
    clicked = clicks.astype(np.float64)
    for _ in range(STEPS):
        a, b = look[place], worth[item]
        neither = np.maximum(1 - a * b, 1e-9)
        looked = clicked + (1 - clicked) * a * (1 - b) / neither
        wanted = clicked + (1 - clicked) * b * (1 - a) / neither
        look = np.bincount(place, looked, len(look)) / np.maximum(shown_there, 1)
        worth = (np.bincount(item, wanted) + 1) / (shown + 2)  # one look at each outcome, so that none is certain
    look = np.clip(look, 1e-6, None)
    return np.asarray(look / look.max(), np.float32)


def inverse_weights(positions: Ints, look: Floats, clip: float = CLIP) -> np.ndarray:
    """What a click at each place counts: 1 / propensity, at most `clip`; an unknown place counts like the last.

    >>> inverse_weights(np.array([1, 2, 9]), np.array([1, 0.5, 0.01], np.float32)).tolist()
    [1.0, 2.0, 10.0]
    """
    place = np.minimum(positions, len(look)) - 1
    return np.asarray(np.minimum(1 / look[place].astype(np.float64), clip))
