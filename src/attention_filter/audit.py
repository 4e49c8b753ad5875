"""The random audit of the tray: a few items a week, drawn without favour, tell whether the promise is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import numpy as np

from attention_filter.errors import UsageError
from attention_filter.listing import rank_items
from attention_filter.personal import tray
from attention_filter.personal.feedback import act_weight
from attention_filter.personal.replay import lines as lines_of
from attention_filter.personal.tray import Interval
from attention_filter.reading import Reading, Selection, place
from attention_filter.store.store import Store
from attention_filter.types import Ranked

AUDIT = "audit"  # name of the state: {ISO week: {items, looked, found}}
OFFER_DAYS = 14  # that tell what a promise would show
WEEKS = 12  # that count: the line moves as the filter learns


@dataclass(frozen=True)
class Promise:
    """What may be said of the promise to keep the share `keep` of what would be read.

    Of `looked` random items of the tray (of `tray` items below the line) `found` should have been shown. `away` is
    the share of the tray that should have been, `kept` the share of all that would be read that stays in the stream,
    where `wanted` are (to be) read. `proven` is None while it may be either; `more` is how many more items without a
    find would prove it, None when no audit can.
    """

    keep: float
    looked: int
    found: int
    tray: int
    wanted: float
    away: Interval
    kept: Interval
    proven: bool | None
    more: int | None


@dataclass(frozen=True)
class Audit:
    """This week's random items: those still `to_look` at, how many were looked at, which of these were found wrong."""

    week: str
    to_look: tuple[Ranked, ...]
    looked: int
    found: tuple[int, ...]
    last: int | None = None  # the item that was looked at last


def draw(reading: Reading, count: int) -> Audit:
    """At least `count` random items of the tray for this week; the same ones however often it is asked."""
    week = week_of(reading.now)
    record = _records(reading.store).get(week, {"items": [], "looked": [], "found": []})
    below, _ = _sides(reading)
    rest = [item for item in below.tolist() if item not in record["items"]]
    lots = sorted(rest, key=lambda item: sha256(f"{reading.store.reader}/{week}/{item}".encode()).digest())
    record["items"] += lots[: max(count - len(record["items"]), 0)]
    _keep(reading.store, week, record)
    waiting = [item for item in record["items"] if item not in record["looked"]]
    looked = record["looked"]
    last = looked[-1] if looked else None
    return Audit(week, tuple(rank_items(reading, waiting)), len(looked), tuple(record["found"]), last)


def judge(store: Store, found: Sequence[int], now: datetime) -> None:
    """The reader has looked at this week's items, and these should have been shown."""
    week = week_of(now)
    record = _records(store).get(week, {"items": [], "looked": [], "found": []})
    if not record["items"]:
        raise UsageError("no audit is open; attention tray audit draws this week's items")
    for item in found:
        if item not in record["items"]:
            raise UsageError(f"item {item} is not in this week's audit; attention tray audit shows which are")
    record |= {"looked": record["items"], "found": sorted({*record["found"], *found})}
    _keep(store, week, record)


def answer(store: Store, item: int, wrong: bool | None, now: datetime) -> bool:
    """The reader has looked at one of this week's items; None takes the answer back. UsageError for any other item.

    Returns whether it was found wrong before.
    """
    week = week_of(now)
    record = _records(store).get(week, {"items": [], "looked": [], "found": []})
    if item not in record["items"]:
        raise UsageError(f"item {item} is not in this week's audit; attention tray audit shows which are")
    was_found = item in record["found"]
    looked, found = ([one for one in record[name] if one != item] for name in ("looked", "found"))
    record |= {
        "looked": looked if wrong is None else [*looked, item],
        "found": sorted([*found, item]) if wrong else found,
    }
    _keep(store, week, record)
    return was_found


@dataclass(frozen=True)
class Offer:
    """What a promise would mean: of `a_day` new items as many as `shown` on an average day."""

    keep: float
    shown: float
    a_day: float


def offers(reading: Reading, keeps: Sequence[float]) -> list[Offer]:
    """What each promise would show of the last OFFER_DAYS, also of what the reader acted on meanwhile."""
    since = reading.now - timedelta(days=OFFER_DAYS)
    _, lines = lines_of(reading.profile, keeps, looked=reading.looked)
    counts = np.zeros(len(lines))
    items, oldest = 0, reading.now.timestamp()
    for batch in reading.store.batches(reading.model, since=since, seen=True, now=reading.now):
        _, interest, decisions = reading.scores(batch)
        pinned = np.array([one.pinned is not None for one in decisions], bool)
        blocked = np.array([one.blocked is not None for one in decisions], bool)
        counts += [float((pinned | (~blocked & (interest >= line))).sum()) for line in lines]
        items, oldest = items + len(batch), min(oldest, float(batch.dates.min()))
    days = max((reading.now.timestamp() - oldest) / 86_400, 1.0)
    return [Offer(keep, count / days, items / days) for keep, count in zip(keeps, counts.tolist(), strict=True)]


def state_of(reading: Reading) -> Promise:
    """What the audits of the last WEEKS say of the promise."""
    oldest = week_of(reading.now - timedelta(weeks=WEEKS))
    records = [record for week, record in _records(reading.store).items() if week > oldest]
    liked = {act.item for act in reading.store.feedback() if act_weight(act.sign) > 0}
    looked = {item for record in records for item in record["looked"]}
    found = liked & {item for record in records for item in record["found"]}  # an undo takes a find back
    below, wanted_unread = _sides(reading)
    wanted = len(liked - found) + wanted_unread
    away = tray.exact_interval(len(found), len(looked))
    kept = tray.kept(away, len(below), wanted)
    proven = True if kept.low >= reading.keep else False if kept.high < reading.keep else None
    more = tray.still_to_look(len(below), wanted, reading.keep, len(looked)) if proven is None else None
    return Promise(reading.keep, len(looked), len(found), len(below), wanted, away, kept, proven, more)


def week_of(now: datetime) -> str:
    """The ISO week.

    >>> week_of(datetime(2026, 11, 22)), week_of(datetime(2027, 1, 3))
    ('2026-W47', '2026-W53')
    """
    return f"{now:%G-W%V}"


def _sides(reading: Reading) -> tuple[np.ndarray, float]:
    """The items below the line (those that a rule blocks are the reader's own wish), and how many above it would be
    read, as the probabilities say."""
    placed = place(reading, Selection())
    shown = placed.pinned | (placed.interest >= reading.line)
    chances = reading.curve.probability(placed.interest) if reading.curve else np.zeros(len(placed.ids))
    return placed.ids[~shown & ~placed.blocked], float(chances[shown & ~placed.blocked].sum())


def _records(store: Store) -> dict[str, dict[str, list[int]]]:
    return dict(json.loads(store.get_state(AUDIT) or b"{}"))


def _keep(store: Store, week: str, record: dict[str, list[int]]) -> None:
    records = _records(store) | {week: record}
    store.put_state(AUDIT, json.dumps(dict(sorted(records.items())[-2 * WEEKS :])).encode())
