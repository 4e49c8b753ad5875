"""What is filtered away: where the line lies below which an item goes to the tray, and what an audit can promise."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, log1p

import numpy as np

KEEP = 0.95  # the promise: this share of what the reader would want stays in the stream
GUESSED = 10  # likes that the guess from probabilities is worth, beside the reader's own
SURE = 0.95  # of the audit's intervals


def line(ordinary: np.ndarray, chances: np.ndarray, liked: np.ndarray, keep: float = KEEP) -> float:
    """The score below which an item goes to the tray; −inf while nothing is known of the reader.

    `ordinary` (n,) are scores of background items and `chances` (n,) how likely each would be read, up to a factor;
    `liked` are scores of liked items, each held out of its own history. What would be read is taken to be spread as
    the likes are, mixed with GUESSED likes that are spread as the probabilities say; the line is the highest score
    that leaves no more than 1 − `keep` of that below. So nothing is filtered by a rule of thumb at first, and after
    many likes they alone decide.

    >>> line(np.arange(100.0), np.full(100, 0.1), np.array([]))
    4.5
    >>> line(np.arange(100.0), np.full(100, 0.1), np.array([3.0, 60.0]))
    2.5
    """
    if not len(ordinary) or np.ptp(ordinary) == 0:
        return float("-inf")
    scores = np.concatenate([ordinary, liked])
    worth = np.concatenate([GUESSED * chances / chances.sum(), np.ones(len(liked))])
    order = np.argsort(scores, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(worth[order])[:-1]]) / worth.sum()  # lost if the line were at this score
    lowest = scores[order][np.flatnonzero(below <= 1 - keep + 1e-9)[-1]]
    # Halfway to the next lower score: an item's score, computed among others, may differ in the last bit.
    lower = scores[scores < lowest]
    return float((lowest + (lower.max() if len(lower) else lowest - 1)) / 2)


@dataclass(frozen=True)
class Interval:
    """A share, and between what it lies with certainty `SURE`."""

    share: float
    low: float
    high: float


def exact_interval(found: int, looked: int) -> Interval:
    """The share of the whole tray when `found` of `looked` random items were (Clopper & Pearson 1934).

    >>> two = exact_interval(2, 60)
    >>> f"{two.low:.1%} {two.high:.1%}"
    '0.4% 11.5%'
    """
    if not looked:
        return Interval(float("nan"), 0.0, 1.0)
    from scipy.stats import beta  # here, so that commands that audit nothing start without it

    tail = (1 - SURE) / 2
    low = float(beta.ppf(tail, found, looked - found + 1)) if found else 0.0
    high = float(beta.ppf(1 - tail, found + 1, looked - found)) if found < looked else 1.0
    return Interval(found / looked, low, high)


def kept(wrongly_away: Interval, tray: int, wanted_in_stream: float) -> Interval:
    """The share of all that would be read that stays in the stream.

    `wrongly_away` is the share of the `tray` items that should have been shown; `wanted_in_stream` is how many would
    be read of what was not filtered away.

    >>> kept(Interval(0.02, 0.0, 0.1), tray=100, wanted_in_stream=38.0)
    Interval(share=0.95, low=0.7916666666666666, high=1.0)
    """

    def share(of_tray: float) -> float:
        wanted = wanted_in_stream + of_tray * tray
        return wanted_in_stream / wanted if wanted else 1.0

    return Interval(share(wrongly_away.share), share(wrongly_away.high), share(wrongly_away.low))


def still_to_look(tray: int, wanted_in_stream: float, keep: float, looked: int) -> int | None:
    """How many more items, none of them wrongly away, would prove the promise; None when no audit of this tray could.

    >>> still_to_look(tray=1_000, wanted_in_stream=500.0, keep=0.95, looked=60)
    79
    """
    most = wanted_in_stream * (1 - keep) / (keep * tray) if tray else 1.0  # share of the tray that may be wrong
    if most <= 0:
        return None
    needed = 0 if most >= 1 else ceil(log((1 - SURE) / 2) / log1p(-most))
    return max(needed - looked, 0) if needed <= tray else None
