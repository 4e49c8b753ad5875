"""What the server does by itself: the kinds of jobs, each a function of a `Work`.

    load (the model, before it is needed)
    fetch ──each source──► understand (encode, learn what is usual) ──► rank ──many new acts──► reconsider
    digest (a letter whose time has come)

A job only says what is to be done; what there is to do is read from the store when it runs. So running one twice, or
half and then again after a kill, ends in the same state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attention_filter import learned, standing
from attention_filter.app import Filter
from attention_filter.errors import UsageError
from attention_filter.server import daily, post
from attention_filter.server.preferences import preferences
from attention_filter.settings import Settings
from attention_filter.store.jobs import Job
from attention_filter.store.store import Store

if TYPE_CHECKING:
    from attention_filter.intake import Fetched
    from attention_filter.models.encoder import Encoder

PART = 64  # texts encoded before what came meanwhile is looked for; twice as many each time
BY_WORDS = timedelta(seconds=3)  # that a first list waits for the model; then it is ranked by words alone
SOON = timedelta(seconds=0.7)  # acts that follow one another are ranked together
GATHER = timedelta(seconds=10)  # new items of that time are encoded and ranked together when nobody waits for them
AHEAD = timedelta(minutes=10)  # new items are ranked for somebody who is not looking
MODEL_SETTING = "model setting"  # the state that says which model a reader's items were last encoded for


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


def load(work: Work) -> None:
    """Have the model ready by the time that there is something to read."""
    work.progress("Loading the model", 0, 1)
    work.encoder()


def fetch(work: Work) -> None:
    """Read each source that is due, once for all who follow it; what one brings is handed on at once.

    For a reader who asked for it, the `sources` of the payload, or else all of theirs that are not muted.
    """
    from attention_filter import intake

    now, reader = work.clock(), work.job.reader
    if reader is not None:
        ask(work.store, "load", reader, now)
        wanted, followed = work.job.payload.get("sources"), work.store.for_reader(reader).sources()
        chosen = [one for one in followed if (one.id in wanted if wanted is not None else not one.muted)]
        due = [(reader, source.id) for source in chosen]
    else:
        due = work.store.due_everywhere(now)

    def hand_on(fetched: Fetched) -> None:
        if not fetched.new and not fetched.changed:
            return
        for name in work.store.followers([fetched.source.id]):
            if name != reader:
                ask(work.store, "understand", name, work.clock(), GATHER)
                continue
            ask(work.store, "understand", name, work.clock(), payload={"awaited": True})
            if standing.kept_head(work.store.for_reader(name)) is None:
                ask(work.store, "first look", name, work.clock(), BY_WORDS)

    sources = [work.store.for_reader(name).source(id_) for name, id_ in due]
    followed_by = {id_: name for name, id_ in due}
    intake.fetch(
        work.store, work.settings, sources, now, work.progress, int(now.timestamp()), followed_by, stored=hand_on
    )


def understand(work: Work) -> None:
    """Encode what is new for the reader, learn what is usual, and have it ranked: by the titles first, then with the
    texts, the newest first. What comes meanwhile has its turn in between."""
    mine, size = work.filter(), PART
    soon = work.job.payload.get("awaited", False) or not learned.model_of(mine.store)

    def have_ranked() -> None:
        # Other vectors of the same items make another ranking, though nothing else has changed.
        wait = timedelta(0) if soon else AHEAD
        ask(work.store, "rank", work.job.reader, work.clock(), wait, payload={"anew": True})

    while True:
        if mine.skim(progress=work.progress):
            have_ranked()
        encoded = mine.understand(progress=work.progress, limit=size)
        have_ranked()
        if encoded < size:
            break
        size *= 2
    mine.store.put_state(MODEL_SETTING, work.settings.model.encode())


def rank(work: Work) -> None:
    """Make the reader's standing anew, unless it would be the same (never with `anew` in the payload)."""
    mine, now = work.filter(), work.clock()
    stale = standing.is_stale(mine.store, mine.settings, standing.kept_head(mine.store), now)
    if not stale and not work.job.payload.get("anew"):
        return
    work.progress("Ranking", 0, 1)
    made = standing.refresh(mine.store, mine.settings, now)
    daily.refresh(mine, made.head.newest)
    if learned.is_due(mine.store):
        ask(work.store, "reconsider", work.job.reader, work.clock(), AHEAD)


def first_look(work: Work) -> None:
    """Rank by words alone what there is, if the model still keeps the reader waiting for a first list."""
    if standing.kept_head(work.store.for_reader(str(work.job.reader))) is None:
        rank(work)


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
    "load": Kind(load, "learning"),
    "fetch": Kind(fetch, "network"),
    "understand": Kind(understand, "learning"),
    "reconsider": Kind(reconsider, "learning"),
    "measure": Kind(measure, "learning"),
    "rank": Kind(rank, "ranking"),
    "first look": Kind(first_look, "ranking"),
    "digest": Kind(digest, "post"),
}


def plan(store: Store, settings: Settings, now: datetime) -> None:
    """Ask for what is due by the clock: sources to fetch, letters to send."""
    if store.due_everywhere(now):
        ask(store, "fetch", None, now)
    for name in post.waiting(store, settings, now):
        ask(store, "digest", name, now)
