"""What the server does by itself: the kinds of jobs, each a function of a `Work`.

    fetch ──new items──► understand (encode, learn what is usual) ──► rank ──many new acts──► reconsider
    digest (a letter whose time has come)

A job only says what is to be done; what there is to do is read from the store when it runs. So running one twice, or
half and then again after a kill, ends in the same state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from attention_filter import learned, standing
from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.server import post
from attention_filter.server.preferences import preferences
from attention_filter.settings import Settings
from attention_filter.store.jobs import Job
from attention_filter.store.store import Store

if TYPE_CHECKING:
    from attention_filter.models.encoder import Encoder

FEW, AT_ONCE = 4, 16  # sources fetched before what they brought is handed on: few at first, so that it comes soon
FIRST = 512  # items encoded before a first ranking is made, while the rest is still being read
SOON = timedelta(seconds=0.7)  # acts that follow one another are ranked together
AHEAD = timedelta(minutes=10)  # new items are ranked for somebody who is not looking
MODEL_SETTING = "model setting"  # the state that says which model a reader's items were last encoded for

T = TypeVar("T")


@dataclass(frozen=True)
class Work:
    """A job and all it may use. `progress` says how far it is, and ends the job when the worker is to stop."""

    job: Job
    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    encoder: Callable[[], Encoder]
    progress: Callable[[str, int, int], None]

    def filter(self) -> Filter:
        """The filter of the job's reader, with their own preferences."""
        if self.job.reader is None:
            raise UsageError(f"job {self.job.id}: {self.job.kind} is done for one reader")
        store = self.store.for_reader(self.job.reader)
        return Filter(store, preferences(store).tuned(self.settings), self.clock, self.encoder)


@dataclass(frozen=True)
class Kind:
    """How one kind of job is done. Jobs of one lane wait for one another, those of different lanes do not."""

    run: Callable[[Work], None]
    lane: str


def ask(
    store: Store,
    kind: str,
    reader: str | None,
    now: datetime,
    after: timedelta = timedelta(0),
    *,
    payload: Mapping[str, Any] | None = None,
) -> int:
    """Have this done for the reader (None: for everybody), in the background; returns the job's id.

    It is done once, however often it is asked for while it waits; with another payload it is another wish.
    """
    key = f"{kind} {reader or ''} {json.dumps(payload, sort_keys=True) if payload else ''}".strip()
    return store.jobs.enqueue(kind, now, reader=reader, payload=payload, key=key, run_at=now + after)


def parts(sources: Sequence[T], few: int = FEW, most: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """A small part first, so that there is something to read soon; each is twice as large as the one before.

    >>> [len(part) for part in parts(range(40), 4, 16)]
    [4, 8, 16, 12]
    """
    start, size = 0, few
    while start < len(sources):
        yield sources[start : start + size]
        start, size = start + size, min(2 * size, most)


def fetch(work: Work) -> None:
    """Read each source that is due, once for all who follow it.

    For a reader who asked for it, the `sources` of the payload, or else all of theirs that are not muted.
    """
    from attention_filter import intake

    now, reader = work.clock(), work.job.reader
    if reader is not None:
        wanted, followed = work.job.payload.get("sources"), work.store.for_reader(reader).sources()
        chosen = [one for one in followed if (one.id in wanted if wanted is not None else not one.muted)]
        due = [(reader, source.id) for source in chosen]
    else:
        due = work.store.due_everywhere(now)
    before = 0
    for part in parts(due):
        sources = [work.store.for_reader(name).source(id_) for name, id_ in part]
        followed_by = {id_: name for name, id_ in part}

        def step(what: str, done: int, total: int, before: int = before) -> None:
            work.progress(what, before + done, len(due))

        seed = int(now.timestamp()) + before
        read = intake.fetch(work.store, work.settings, sources, now, step, seed, followed_by)
        changed = [one.source.id for one in read if one.new or one.changed]
        for name in work.store.followers(changed):
            payload = {"awaited": True} if name == reader else None
            ask(work.store, "understand", name, work.clock(), payload=payload)
        before += len(part)


def understand(work: Work) -> None:
    """Encode what is new for the reader, learn what is usual, and have it ranked."""
    mine = work.filter()
    if not learned.model_of(mine.store):
        mine.understand(progress=work.progress, limit=FIRST)
        ask(work.store, "rank", work.job.reader, work.clock())
    mine.understand(progress=work.progress)
    mine.store.put_state(MODEL_SETTING, work.settings.model.encode())
    awaited = work.job.payload.get("awaited", False)
    ask(work.store, "rank", work.job.reader, work.clock(), timedelta(0) if awaited else AHEAD)


def rank(work: Work) -> None:
    """Make the reader's standing anew, unless it is what it would be."""
    mine, now = work.filter(), work.clock()
    if not standing.is_stale(mine.store, mine.settings, standing.kept_head(mine.store), now):
        return
    work.progress("Ranking", 0, 1)
    standing.refresh(mine.store, mine.settings, now)
    if learned.is_due(mine.store):
        ask(work.store, "reconsider", work.job.reader, work.clock(), AHEAD)


def reconsider(work: Work) -> None:
    """Does a simple ranking know the reader better by now, or the filter again?"""
    from attention_filter import insight, reading

    mine, now = work.filter(), work.clock()
    if learned.is_due(mine.store):
        insight.reconsider(reading.open_reading(mine.store, mine.settings, now), work.progress)
        ask(work.store, "rank", work.job.reader, now)


def catch_up(work: Work) -> None:
    """Ask for what was left when the last process ended: items not yet encoded or, in a database of an older version,
    not told topics and feelings of, or a model that was changed since."""
    names = work.store.readers()
    for done, name in enumerate(names):
        work.progress("Looking for what was left", done, len(names))
        mine = work.store.for_reader(name)
        other = (mine.get_state(MODEL_SETTING) or b"").decode() != work.settings.model
        untold = not mine.tellers() and mine.count_items() > 0
        if untold or mine.missing_vectors("" if other else learned.model_of(mine), limit=1):
            ask(work.store, "understand", name, work.clock())


def measure(work: Work) -> None:
    """How well does the filter know the reader? That may change who orders the stream."""
    work.filter().know_me(progress=work.progress)
    ask(work.store, "rank", work.job.reader, work.clock())


def digest(work: Work) -> None:
    """Send the reader's letter whose time has come; what was handed over before a kill is not sent again."""
    post.send_due(work.filter())


KINDS: Mapping[str, Kind] = {
    "catch up": Kind(catch_up, "learning"),
    "fetch": Kind(fetch, "network"),
    "understand": Kind(understand, "learning"),
    "reconsider": Kind(reconsider, "learning"),
    "measure": Kind(measure, "learning"),
    "rank": Kind(rank, "ranking"),
    "digest": Kind(digest, "post"),
}


def plan(store: Store, settings: Settings, now: datetime) -> None:
    """Ask for what is due by the clock: sources to fetch, letters to send."""
    if store.due_everywhere(now):
        ask(store, "fetch", None, now)
    for name in post.waiting(store, settings, now):
        ask(store, "digest", name, now)
