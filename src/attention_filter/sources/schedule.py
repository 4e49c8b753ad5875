"""When a source is asked again: often enough to be fresh, never more often than its server wants."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from attention_filter.errors import SourceError
from attention_filter.types import Source

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0  # seconds
INTERVAL = HOUR  # after a success
FIRST_RETRY = 15 * MINUTE  # after a first failure; doubles with every further one
LONGEST = DAY  # for a back-off and for what Cache-Control may ask
LONGEST_RETRY_AFTER = 7 * DAY
JITTER = 0.1  # of the wait, so that sources added together do not stay together


def next_try(
    source: Source,
    now: datetime,
    *,
    error: SourceError | None,
    retry_after: float | None,
    max_age: float | None,
    jitter: Random,
) -> datetime:
    """The time of the next request, given how the one at `now` ended; `source` is as it was before it.

    `error` is None after a success. `retry_after` and `max_age` are what the server said, in seconds; an
    error's own retry_after counts too. What the server said is a floor: the jitter only ever adds to it.

    >>> from attention_filter.types import SourceKind
    >>> asked = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
    >>> feed = Source(1, "https://example.org/feed", SourceKind.FEED, failures=2)
    >>> failed = SourceError("example.org: timed out after 30 s")
    >>> wait = next_try(feed, asked, error=failed, retry_after=None, max_age=None, jitter=Random(0)) - asked
    >>> 54 <= wait.total_seconds() / 60 <= 66  # the third failure in a row: 15 min × 2²
    True
    """
    if error is None:
        wait = INTERVAL
    else:
        wait = min(FIRST_RETRY * 2.0 ** min(source.failures, 20), LONGEST)  # 20: far beyond LONGEST
        retry_after = error.retry_after if retry_after is None else retry_after
    floor = max(_capped(max_age, LONGEST) if error is None else 0.0, _capped(retry_after, LONGEST_RETRY_AFTER))
    wait *= jitter.uniform(1 - JITTER, 1 + JITTER)
    floor *= jitter.uniform(1, 1 + JITTER)
    return now + timedelta(seconds=max(wait, floor))


def _capped(seconds: float | None, most: float) -> float:
    return 0.0 if seconds is None else min(max(seconds, 0.0), most)
