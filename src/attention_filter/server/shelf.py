"""The standings of those who read now, in memory, and the wish for a new one when the one shown is stale."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from attention_filter import standing
from attention_filter.server.preferences import preferences
from attention_filter.server.table import Table
from attention_filter.settings import Settings
from attention_filter.standing import Head, Standing
from attention_filter.store.glances import Mark
from attention_filter.store.store import Store

MOST = 128  # standings in memory, of as many readers; one of 50,000 items takes 2.5 MB
UNRANKED = timedelta(seconds=10)  # that a list without a ranking is shown before what came is looked for


class Shelf:
    """The latest standing of each reader, read from the store when another process has made a new one."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime], renew: Callable[[Store], object]) -> None:
        """`renew` makes a new standing of a store's reader, or asks somebody to."""
        self._settings, self._clock, self.renew = settings, clock, renew
        self._tables: OrderedDict[str, tuple[Mark, Table]] = OrderedDict()
        self._lock = Lock()

    def look(self, store: Store) -> Standing:
        """The reader's latest standing. When it is stale, a new one is asked for, and this one is shown meanwhile."""
        return self.spread(store).standing

    def spread(self, store: Store) -> Table:
        """The same without what the reader has done something with by now."""
        with store.snapshot() as now:
            head, settings = standing.kept_head(now), preferences(now).tuned(self._settings)
            stale = standing.is_stale(now, settings, head, self._clock())
            if not stale:
                return self._table(now, head)
        self.renew(store)
        with store.snapshot() as now:
            return self._table(now, standing.kept_head(now))

    def latest(self, store: Store) -> Standing:
        """The reader's latest standing; the newest first as long as nothing was ranked."""
        return self.table(store).standing

    def table(self, store: Store) -> Table:
        """The same without what the reader has done something with by now. No new one is asked for."""
        return self._table(store, standing.kept_head(store))

    def _table(self, store: Store, head: Head | None) -> Table:
        mark = store.acted_mark()
        with self._lock:
            known = self._tables.get(store.reader)
            if known is not None:
                self._tables.move_to_end(store.reader)
        shown = known[1].standing if known is not None and self._holds(known[1].standing, head) else None
        if known is not None and shown is not None and known[0] == mark:
            return known[1]
        if shown is None:
            shown = (standing.kept(store) if head else None) or standing.unranked(store, self._clock())
        made = Table(shown, store.acts())
        with self._lock:
            self._tables[store.reader] = mark, made
            while len(self._tables) > MOST:
                self._tables.popitem(last=False)
        return made

    def _holds(self, known: Standing, head: Head | None) -> bool:
        """Whether a standing in memory is still the one to show."""
        return known.head.id == head.id if head is not None else self._clock() - known.head.at < UNRANKED
