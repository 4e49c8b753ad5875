"""A reader's ranking as it was last computed, kept in the store, so that a list can be shown without ranking.

`refresh` makes and keeps one; `kept` reads it back, and every selection of it is answered from arrays in milliseconds.
What a reader has acted on since is left out when a page is made, so an old standing is never wrong about that.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np

from attention_filter import concepts, learned, listing, quotas, reading
from attention_filter.listing import Place
from attention_filter.personal import interests, ranking
from attention_filter.personal.rules import SENTIMENTS
from attention_filter.reading import Reading, Scored, Selection
from attention_filter.settings import Settings
from attention_filter.store import contexts, tellers
from attention_filter.store.glances import Basis
from attention_filter.store.schema import moment, seconds
from attention_filter.store.store import Store

STANDING, HEAD = "standing", "standing head"  # names of the state they are kept in
LISTED = 300  # places that are arranged as a list; below them stands what is left, by its score
NEWEST = 1_000  # items that are shown by their time alone before there is a ranking
FRESH_FOR = timedelta(minutes=30)  # freshness decays: a standing older than this is made anew when somebody looks
TERMS = tuple(ranking.LABELS)
Column = Literal["sources", "langs", "claimed", "topics", "feelings"]
FEELINGS = ("", *SENTIMENTS)
DEPENDS_ON = (
    contexts.NAME,
    learned.SCALE,
    learned.PROMISE,
    learned.FALLBACK,
    quotas.QUOTAS,
    concepts.STATE,
    tellers.NAME,
)


@dataclass(frozen=True)
class Head:
    """Which standing it is: `stamp` is a digest of what it was computed from, `newest` the newest item of all then."""

    id: str
    at: datetime
    stamp: str
    newest: int


@dataclass(frozen=True)
class Standing:
    """n items in the order of their scores, pinned ones first. All arrays are (n,).

    ids int64 · sources int32 · scores, interest (the part that decides over stream or tray), chance (of being wanted;
    NaN while nothing is known) float32 · repeats int64, the item acted on whose story it repeats, 0 for none · pinned,
    blocked, away (in the tray) bool · dates float64, in seconds · langs str · claimed int32, the history's key of the
    interest that claims the item, 0 for none · reason uint8, the place in TERMS of the term that speaks most for it,
    and `worth` float32, what that term adds.
    """

    head: Head
    listed: tuple[Place, ...]
    ids: np.ndarray
    scores: np.ndarray
    interest: np.ndarray
    chance: np.ndarray
    repeats: np.ndarray
    pinned: np.ndarray
    blocked: np.ndarray
    away: np.ndarray
    sources: np.ndarray
    langs: np.ndarray
    dates: np.ndarray
    claimed: np.ndarray
    reason: np.ndarray
    worth: np.ndarray
    topics: np.ndarray
    topic_names: np.ndarray
    feelings: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def by_rank(self) -> np.ndarray:
        """All rows as a reader meets them: the list, what else is above the line, the tray, the blocked (n,)."""
        first = self.rows_of([place.item for place in self.listed])
        kind = self.away.astype(np.int8) + (self.away & self.blocked)
        kind[first] = -1
        rest = np.argsort(kind, kind="stable")
        return np.concatenate([first, rest[len(first) :]]).astype(np.int32)

    @cached_property
    def by_time(self) -> np.ndarray:
        """All rows, the newest item first (n,)."""
        return np.lexsort((-self.ids, -self.dates)).astype(np.int32)

    @cached_property
    def place_of(self) -> dict[int, Place]:
        return {place.item: place for place in self.listed}

    @cached_property
    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows that are folded under another, and those others (m,)."""
        stories = [(self.rows_of(place.story), self.rows_of([place.item])) for place in self.listed if place.story]
        under = [np.zeros(0, np.int64), *(rows for rows, _ in stories)]
        leads = [np.zeros(0, np.int64), *(np.repeat(lead, len(rows)) for rows, lead in stories)]
        return np.concatenate(under), np.concatenate(leads)

    def coded(self, column: Column) -> tuple[list[Any], np.ndarray]:
        """The values that a column has, sorted, and the place of each row's value among them (n,)."""
        return self._codes[column]

    def has(self, column: Column, value: Any) -> np.ndarray:
        """Which rows have this value in the column, bool (n,)."""
        values, place = self.coded(column)
        return np.asarray(place == values.index(value)) if value in values else np.zeros(len(self), bool)

    @cached_property
    def _codes(self) -> dict[str, tuple[list[Any], np.ndarray]]:
        out = {"topics": (self.topic_names.tolist(), self.topics), "feelings": (list(FEELINGS), self.feelings)}
        for column in ("sources", "langs", "claimed"):
            values, place = np.unique(getattr(self, column), return_inverse=True)
            out[column] = values.tolist(), place.astype(np.int32)
        return out

    @cached_property
    def _by_id(self) -> np.ndarray:
        return np.argsort(self.ids).astype(np.int32)

    def rows_of(self, ids: Collection[int]) -> np.ndarray:
        """The rows of those of the items that stand here."""
        if not len(self) or not len(ids):
            return np.zeros(0, np.int64)
        asked = np.fromiter(ids, np.int64, len(ids))
        at = np.minimum(np.searchsorted(self.ids, asked, sorter=self._by_id), len(self) - 1)
        rows = self._by_id[at]
        return np.asarray(rows[self.ids[rows] == asked])

    def share(self, row: int) -> float:
        """How far a score reaches from what is usual to the best, in [0, 1], for a bar."""
        low, high = self._span
        return float(np.clip((self.scores[row] - low) / (high - low), 0, 1)) if high > low else 0.0

    @cached_property
    def _span(self) -> tuple[float, float]:
        free = self.scores[~self.pinned & ~self.blocked]
        return (float(np.quantile(free, 0.05)), float(free.max())) if len(free) else (0.0, 0.0)


@dataclass(frozen=True)
class View:
    """Which part of a standing is wanted, and in what order. `claimed` is a key as `Standing.claimed` has it."""

    lane: Literal["for you", "rest"] = "for you"
    order: Literal["rank", "time"] = "rank"
    sources: frozenset[int] | None = None  # of a source, or of a folder's sources
    lang: str | None = None
    claimed: int | None = None
    topic: str | None = None
    feeling: str | None = None
    since: datetime | None = None
    unread: bool = True


def order_of(standing: Standing, view: View) -> np.ndarray:
    """All rows in the order of the view (n,)."""
    return standing.by_rank if view.order == "rank" else standing.by_time


def wanted_in(standing: Standing, view: View) -> np.ndarray:
    """Which rows the view wants, read or not, bool (n,).

    Near-duplicates stand under the item that leads their story, as long as that is of the view too.
    """
    wanted = standing.away == (view.lane == "rest")
    if view.sources is not None:
        wanted &= np.isin(standing.sources, list(view.sources))
    if view.lang is not None:
        wanted &= standing.langs == view.lang
    if view.claimed is not None:
        wanted &= standing.claimed == view.claimed
    if view.topic is not None:
        wanted &= standing.has("topics", view.topic)
    if view.feeling is not None:
        wanted &= standing.has("feelings", view.feeling)
    if view.since is not None:
        wanted &= standing.dates >= seconds(view.since)
    under, leads = standing.folded
    wanted[under] &= ~wanted[leads]
    return np.asarray(wanted)


def rows_in(standing: Standing, view: View, acted: Collection[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """All rows in the order of the view (n,), and which of them are wanted and not `acted` on, bool (n,)."""
    wanted, order = wanted_in(standing, view), order_of(standing, view)
    if view.unread:
        wanted[done(standing, acted)] = False
    return order, wanted[order]


def done(standing: Standing, acted: Collection[int]) -> np.ndarray:
    """The rows of what was acted on and of its copies, bool (n,)."""
    found = np.isin(standing.repeats, list(acted)) & (standing.repeats != 0)
    found[standing.rows_of(acted)] = True
    under, leads = standing.folded
    found[leads[found[under]]] = True
    found[under] |= found[leads]
    return np.asarray(found)


def make(now: Reading, variety: float, basis: Basis) -> Standing:
    """Score the reader's whole stream, read or not, and arrange the unread as `listing.stream` would.

    `basis` was read before `now` was, so that what happened in between makes the standing stale.
    """
    parts = [(reading.part_of(one), _more(now, one)) for one in reading.scored(now, Selection(), seen=True)]
    placed = reading.placed([part for part, _ in parts])
    unread = ~np.isin(placed.ids, list(now.store.acts())) & (placed.repeats == 0)
    listed = listing.arranged(now, placed[unread], LISTED, variety)
    order = listing.best_first(placed)
    whole = placed[order]
    more = {name: np.concatenate([own[name] for _, own in parts])[order] for name in parts[0][1]} if parts else _none(0)
    return Standing(
        _head(now.store.reader, now.now, stamp_of(basis, now.settings, variety), basis.newest),
        tuple(listed),
        ids=whole.ids,
        scores=whole.scores.astype(np.float32),
        interest=whole.interest.astype(np.float32),
        chance=now.chances(whole.scores).astype(np.float32),
        repeats=whole.repeats,
        pinned=whole.pinned,
        blocked=whole.blocked,
        away=~listing.is_shown(now, whole),
        sources=whole.sources.astype(np.int32),
        langs=whole.langs,
        dates=whole.dates,
        **more | _coded(more["topics"]),
    )


def _more(now: Reading, one: Scored) -> dict[str, np.ndarray]:
    """Of a batch, what a list shows beside the score."""
    keys = np.array([*now.profile.history.keys, 0], np.int64)  # -1, nobody's, is the last
    names = list(one.scores.terms)
    terms = np.stack([one.scores.terms[name] for name in names]) if names else np.zeros((1, len(one.batch)))
    most = terms.argmax(0)
    codes = np.array([TERMS.index(name) for name in names] or [0], np.uint8)
    return {
        "claimed": keys[interests.claims(now.profile, one.rows)].astype(np.int32),
        "reason": codes[most],
        "worth": terms[most, np.arange(len(one.batch))].astype(np.float32),
        **_told(now.store, one.batch.ids.tolist()),
    }


def _told(store: Store, ids: Sequence[int]) -> dict[str, np.ndarray]:
    """What the items are about, by name, and how they feel."""
    known = store.told(ids)
    both = [known.get(id_, ("", "")) for id_ in ids]
    feelings = np.array([FEELINGS.index(feeling) for _, feeling in both], np.uint8)
    return {"topics": np.array([topic for topic, _ in both], str), "feelings": feelings}


def _coded(topics: np.ndarray) -> dict[str, np.ndarray]:
    """Topics by name (n,) as a place in a list of names, whose first is ""."""
    names, place = np.unique(np.append(topics, ""), return_inverse=True)
    return {"topics": place[:-1].astype(np.uint8), "topic_names": names}


def _none(n: int) -> dict[str, np.ndarray]:
    """The same for items of which nothing is known."""
    return {
        "claimed": np.zeros(n, np.int32),
        "reason": np.zeros(n, np.uint8),
        "worth": np.zeros(n, np.float32),
        "topics": np.zeros(n, str),
        "feelings": np.zeros(n, np.uint8),
    }


def unranked(store: Store, now: datetime) -> Standing:
    """The NEWEST first, for as long as nothing was ranked; always stale."""
    found = store.outline(NEWEST)
    n = len(found.ids)
    zero, no = np.zeros(n, np.float32), np.zeros(n, bool)
    head = _head(store.reader, now, "", 0)
    rest = _none(n) | _told(store, found.ids.tolist())
    return Standing(
        head,
        (),
        ids=found.ids,
        scores=zero,
        interest=zero,
        chance=np.full(n, np.nan, np.float32),
        repeats=np.zeros(n, np.int64),
        pinned=no,
        blocked=no,
        away=no,
        sources=found.sources,
        langs=found.langs,
        dates=found.dates,
        **rest | _coded(rest["topics"]),
    )


def refresh(store: Store, settings: Settings, now: datetime) -> Standing:
    """Rank the reader's stream now and keep the outcome."""
    basis = store.basis(DEPENDS_ON)
    made = make(reading.open_reading(store, settings, now), settings.variety, basis)
    keep(store, made)
    return made


def stamp_of(basis: Basis, settings: Settings, variety: float) -> str:
    """What of the reader and the settings a standing depends on, beside the items and the time of day."""
    parts = (basis.act, basis.kept, settings.half_life_days, settings.exploration, variety)
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


def is_stale(store: Store, settings: Settings, head: Head | None, now: datetime) -> bool:
    """Whether ranking now would give another standing: after an act, a change of wishes, new items, or FRESH_FOR."""
    if head is None or now - head.at >= FRESH_FOR or now < head.at:
        return True
    basis = store.basis(DEPENDS_ON)
    if head.stamp != stamp_of(basis, settings, settings.variety):
        return True
    return basis.newest > head.newest and store.newer(head.newest) > 0


def keep(store: Store, standing: Standing) -> None:
    """Keep it in place of the one before; after a kill, either the old or the new one is there, whole."""
    file = io.BytesIO()
    arrays = {name: getattr(standing, name) for name in _ARRAYS}
    listed = json.dumps([asdict(place) for place in standing.listed]).encode()
    head = _packed(standing.head)
    np.savez(file, head=np.frombuffer(head, np.uint8), listed=np.frombuffer(listed, np.uint8), **arrays)
    store.put_states({STANDING: file.getvalue(), HEAD: head})


def kept(store: Store) -> Standing | None:
    """The standing that was kept last; None when there is none, or it is not readable by this version."""
    stored = store.get_state(STANDING)
    if stored is None:
        return None
    try:
        with np.load(io.BytesIO(stored), allow_pickle=False) as file:
            places = json.loads(file["listed"].tobytes())
            listed = tuple(Place(one["item"], tuple(one["story"]), one["moved"], one["held_back"]) for one in places)
            return Standing(unpacked(file["head"].tobytes()), listed, **{name: file[name] for name in _ARRAYS})
    except (KeyError, ValueError, TypeError, EOFError, BadZipFile):
        return None  # it can be made again


def kept_head(store: Store) -> Head | None:
    """Which standing is kept, without reading it."""
    stored = store.get_state(HEAD)
    return unpacked(stored) if stored else None


_ARRAYS = tuple(field.name for field in fields(Standing) if field.name not in ("head", "listed"))


def _head(reader: str, at: datetime, stamp: str, newest: int) -> Head:
    id_ = blake2b(f"{reader}\n{at.isoformat()}\n{stamp}\n{newest}".encode(), digest_size=8).hexdigest()
    return Head(id_, at, stamp, newest)


def _packed(head: Head) -> bytes:
    return json.dumps([head.id, seconds(head.at), head.stamp, head.newest]).encode()


def unpacked(data: bytes) -> Head:
    """The head as it is kept under HEAD."""
    id_, at, stamp, newest = json.loads(data)
    return Head(id_, moment(at), stamp, newest)
