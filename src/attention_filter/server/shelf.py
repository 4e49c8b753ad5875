"""The standings of those who read now, in memory, and the wish for a new one when the one shown is stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from attention_filter import standing
from attention_filter.server.preferences import preferences
from attention_filter.settings import Settings
from attention_filter.standing import Standing
from attention_filter.store.store import Store

MOST = 128  # standings in memory, of as many readers; one of 50,000 items takes 2.5 MB
UNRANKED = timedelta(seconds=10)  # that a list without a ranking is shown before what came is looked for


class Shelf:
    """The latest standing of each reader, read from the store when another process has made a new one."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], renew: Callable[[Store], object]) -> None:
        """`renew` makes a new standing of a store's reader, or asks somebody to."""
        self._settings, self._clock, self.renew = settings, clock, renew
        self._standings: OrderedDict[str, Standing] = OrderedDict()
        self._lock = Lock()

    def look(self, store: Store) -> Standing:
        """The reader's latest standing. When it is stale, a new one is asked for, and this one is shown meanwhile."""
        settings = preferences(store).tuned(self._settings)
        if standing.is_stale(store, settings, standing.kept_head(store), self._clock()):
            self.renew(store)
        return self.latest(store)

    def latest(self, store: Store) -> Standing:
        """The reader's latest standing; the newest first as long as nothing was ranked."""
        head = standing.kept_head(store)
        with self._lock:
            known = self._standings.get(store.reader)
            if known is not None:
                self._standings.move_to_end(store.reader)
        if known is not None and head is not None and known.head.id == head.id:
            return known
        if known is not None and head is None and self._clock() - known.head.at < UNRANKED:
            return known
        made = (standing.kept(store) if head else None) or standing.unranked(store, self._clock())
        with self._lock:
            self._standings[store.reader] = made
            while len(self._standings) > MOST:
                self._standings.popitem(last=False)
        return made
