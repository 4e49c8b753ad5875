"""What is remembered for a while only, in bounded memory: how often somebody tried, what was asked of a browser."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

MOST = 10_000  # entries; the one that was touched longest ago makes room

T = TypeVar("T")


class RateLimit:
    """A token bucket for each key: `burst` tries at once, then one every `every` seconds.

    >>> limit, now = RateLimit(burst=2, every=30), datetime(2026, 1, 1)
    >>> [limit.wait("anna", now) for _ in range(3)], limit.wait("ben", now)
    ([0.0, 0.0, 30.0], 0.0)
    >>> limit.wait("anna", now + timedelta(seconds=30))
    0.0
    """

    def __init__(self, burst: int, every: float, most: int = MOST) -> None:
        self._burst, self._every, self._most = burst, every, most
        self._buckets: OrderedDict[str, tuple[float, datetime]] = OrderedDict()  # tokens left, at that time
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, key: str, now: datetime) -> float:
        """Seconds until the key may try again; 0.0 when it may now, which takes one try."""
        with self._lock:
            tokens, then = self._buckets.pop(key, (float(self._burst), now))
            passed = max(0.0, (now - then).total_seconds())
            tokens = min(float(self._burst), tokens + passed / self._every)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - allowed, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
            return 0.0 if allowed else (1 - tokens) * self._every

    def forget(self, key: str) -> None:
        """The key has proved to be who it says."""
        with self._lock:
            self._buckets.pop(key, None)


class Pending(Generic[T]):
    """Values that wait for one answer: each can be taken once, within `lifetime`.

    >>> pending, now = Pending[str](), datetime(2026, 1, 1)
    >>> pending.put("state", "value", now)
    >>> pending.take("state", now), pending.take("state", now)
    ('value', None)
    """

    def __init__(self, lifetime: timedelta = timedelta(minutes=5), most: int = MOST) -> None:
        self._lifetime, self._most = lifetime, most
        self._values: OrderedDict[str, tuple[T, datetime]] = OrderedDict()
        self._lock = Lock()

    def put(self, key: str, value: T, now: datetime) -> None:
        with self._lock:
            self._values[key] = (value, now + self._lifetime)
            if len(self._values) > self._most:
                self._values.popitem(last=False)

    def take(self, key: str, now: datetime) -> T | None:
        with self._lock:
            value, expires = self._values.pop(key, (None, now))
        return value if now < expires else None
