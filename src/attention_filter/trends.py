"""Topics and feelings over time: how many items of each, day by day or week by week. Pure, but for `of_interest`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from attention_filter.errors import UsageError
from attention_filter.personal import interests
from attention_filter.personal.rules import SENTIMENTS
from attention_filter.reading import Reading
from attention_filter.store.labels import Labelled
from attention_filter.store.schema import seconds

DAILY = 35  # days up to which a bar is a day; above, it is a week
LONGEST = 3_660  # days
AT_ONCE = 4_096  # items whose claims are looked at together


@dataclass(frozen=True)
class Line:
    """One topic: how many items in each period (B,), and the mean polarity of all of them, None without any."""

    name: str
    counts: tuple[int, ...]
    polarity: float | None

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class Trends:
    """B periods of `days` each, the first begins at starts[0]. Of each: all items, those of each feeling (of which it
    is clear), the mean polarity (None without any); topics, the most frequent first."""

    starts: tuple[datetime, ...]
    days: int
    items: tuple[int, ...]
    feelings: dict[str, tuple[int, ...]]
    polarity: tuple[float | None, ...]
    topics: tuple[Line, ...]

    @property
    def total(self) -> int:
        return sum(self.items)


def periods(now: datetime, days: int) -> tuple[tuple[datetime, ...], int]:
    """When each period of the last `days` begins, and how many days it has. The last one ends with today, in UTC.

    >>> starts, days = periods(datetime(2026, 11, 25, 20, tzinfo=UTC), 3)
    >>> [f"{start:%m-%d}" for start in starts], days
    (['11-23', '11-24', '11-25'], 1)
    """
    if not 1 <= days <= LONGEST:
        raise UsageError(f"{days} days: give a number between 1 and {LONGEST}")
    step = 1 if days <= DAILY else 7
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    count = -(-days // step)
    return tuple(end - timedelta(days=step * (count - number)) for number in range(count)), step


def count(found: Labelled, starts: Sequence[datetime], days: int, wanted: np.ndarray | None = None) -> Trends:
    """The trends of items in these periods, or of those `wanted`, bool (n,)."""
    period = np.floor((found.dates - seconds(starts[0])) / (86_400 * days)).astype(np.int64)
    inside = (period >= 0) & (period < len(starts)) & (wanted if wanted is not None else True)
    period, topics, feelings = period[inside], found.topics[inside], found.feelings[inside]
    polarities = found.polarities[inside]

    def counts(rows: np.ndarray) -> tuple[int, ...]:
        return tuple(np.bincount(period[rows], minlength=len(starts)).tolist())

    names = [name for name, _ in Counter(topics.tolist()).most_common() if name]
    return Trends(
        tuple(starts),
        days,
        counts(np.ones(len(period), bool)),
        {feeling: counts(feelings == feeling) for feeling in SENTIMENTS},
        tuple(_mean(polarities[period == number]) for number in range(len(starts))),
        tuple(Line(name, counts(topics == name), _mean(polarities[topics == name])) for name in names),
    )


def of_interest(reading: Reading, found: Labelled, interest: int) -> np.ndarray:
    """Which of the items this interest claims, bool (n,)."""
    keys = np.array([*reading.profile.history.keys, 0], np.int64)  # -1, nobody's, is the last
    parts = [np.zeros(0, np.int64)]
    for start in range(0, len(found.ids), AT_ONCE):
        rows = reading.features_of(reading.batch_of(found.ids[start : start + AT_ONCE].tolist()))
        parts.append(keys[interests.claims(reading.profile, rows)])
    return np.asarray(np.concatenate(parts) == -interest)


def _mean(polarities: np.ndarray) -> float | None:
    told = polarities[~np.isnan(polarities)]
    return float(told.mean()) if len(told) else None
