"""What each interest has learned and claims, how it would split, what is liked beside all of them, and the picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import numpy as np

from attention_filter.errors import UsageError
from attention_filter.listing import stream
from attention_filter.personal.features import Features, Floats, stack
from attention_filter.personal.grouping import halves, telling_words, themes
from attention_filter.personal.interests import claims, matrices
from attention_filter.reading import Reading, Selection
from attention_filter.repeats import said
from attention_filter.store.batches import Batch, join
from attention_filter.types import Interest, Item, Sign

LATELY = timedelta(days=7)
NEWEST = 500  # items that are looked at, at most
FEWEST_TO_SPLIT = 6  # items
SHOWN = 5  # past items, sources

Which = Literal["acts", "stream"]


@dataclass(frozen=True)
class Past:
    """A past item that an interest claimed, what was done with it, and the share of it that is the interest's."""

    item: Item
    sign: Sign
    share: float


@dataclass(frozen=True)
class Learned:
    """An interest and what the history has added to it: words, past items (`claimed` in all), sources (title, items).

    `lately` is how many of the `recent` newest items it claims (an unwanted one: pushes away).
    """

    interest: Interest
    words: tuple[str, ...]
    items: tuple[Past, ...]
    claimed: int
    sources: tuple[tuple[str, int], ...]
    lately: int
    recent: int


@dataclass(frozen=True)
class Theme:
    """Items that belong together, the most typical first, and the words that tell them from others."""

    words: tuple[str, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Picture:
    """The matrices A and H (K, n) over K interests and n items. A's columns sum to one, and so do H's rows.

    Items stand in the order of `owner` (n,), the interest with the largest A, then of that A.
    """

    interests: tuple[Interest, ...]
    items: tuple[Item, ...]
    a: Floats
    h: Floats
    owner: tuple[int, ...]


def learned(reading: Reading) -> list[Learned]:
    """What each interest has learned, in the order they were said."""
    interests = reading.store.interests()
    history = reading.profile.history
    acts = {act.item: act for act in reading.store.feedback()}
    items = {item.id: item for item in reading.store.items(list(acts))}
    batch = _newest(reading)
    rows = _stated(reading)
    lately = _claims(reading, reading.features_of(batch))
    before = _claims(reading, history.features)
    usual = reading.profile.background.sample.words
    a = reading.profile.heads[0].a if len(rows) else np.zeros((0, len(history)), np.float32)
    out = []
    for number, interest in enumerate(interests):
        own = np.flatnonzero((before == rows[number]) & ~history.statement)
        worth = a[number, own] * history.weight[own]
        past = [items[history.keys[row]] for row in own]
        best = np.argsort(-np.abs(worth), kind="stable")[:SHOWN]
        wanted = worth * np.sign(interest.weight)  # of what is not wanted, the words that it learned to push away
        out.append(
            Learned(
                interest,
                telling_words(history.features.words[own], wanted, _texts(past), others=usual),
                tuple(Past(past[i], acts[past[i].id].sign, float(a[number, own[i]])) for i in best),
                len(own),
                tuple(Counter(item.source_title for item in past).most_common(SHOWN)),
                int((lately == rows[number]).sum()),
                len(batch),
            )
        )
    return out


def split(reading: Reading, interest: int) -> tuple[Theme, Theme]:
    """The two halves of what an interest claims: liked items and new ones. UsageError when those are too few."""
    row = _row(reading, interest)
    history = reading.profile.history
    liked = np.flatnonzero((_claims(reading, history.features) == row) & ~history.statement & (history.weight > 0))
    batch = _newest(reading)
    features = reading.features_of(batch)
    new = np.flatnonzero(_claims(reading, features) == row)
    ids = [*(history.keys[i] for i in liked), *batch.ids[new].tolist()]
    once = np.array([ids.index(one) == i for i, one in enumerate(ids)], bool)  # an item may be liked and new
    both = stack([history.features[liked], features[new]])[once]
    if len(both) < FEWEST_TO_SPLIT:
        raise UsageError(
            f"interest {interest} claims {len(both)} items; from {FEWEST_TO_SPLIT} on one can see what its halves are"
        )
    kept = [one for one, first in zip(ids, once.tolist(), strict=True) if first]
    second = halves(both)
    return _theme(reading, kept, both, ~second), _theme(reading, kept, both, second)


def beside(reading: Reading) -> list[Theme]:
    """What was liked but is claimed by no interest, by theme; the largest first."""
    history = reading.profile.history
    liked = np.flatnonzero(~history.statement & (history.weight > 0))
    free = liked[_claims(reading, history.features[liked]) < 0]
    features = history.features[free]
    background = reading.profile.background
    keys = [history.keys[row] for row in free]
    found = themes(features, background.sample, background.word_weight)
    return [_theme(reading, keys, features, np.isin(np.arange(len(free)), rows)) for rows in found]


def picture(reading: Reading, which: Which, most: int = 40) -> Picture:
    """A and H over the interests and the latest acts or the top of the stream."""
    if which == "acts":
        ids = [act.item for act in reading.store.feedback()[-most:]]
    else:
        ids = [one.item.id for one in stream(reading, Selection(), most, reading.settings.variety)]
    interests = tuple(reading.store.interests())
    if not ids or not interests:
        none = np.zeros((len(interests), 0), np.float32)
        return Picture(interests, (), none, none, ())
    a, h = matrices(reading.profile, reading.features_of(reading.store.batch_of(ids, reading.model)))
    order = np.lexsort((-a.max(0), a.argmax(0)))
    items = reading.store.items([ids[row] for row in order])
    return Picture(interests, tuple(items), a[:, order], h[:, order], tuple(a.argmax(0)[order].tolist()))


def _theme(reading: Reading, ids: Sequence[int], features: Features, chosen: np.ndarray) -> Theme:
    own = np.flatnonzero(chosen)
    middle = features.meaning[own].mean(0)
    order = own[np.argsort(-(features.meaning[own] @ middle), kind="stable")]
    items = reading.store.items([ids[row] for row in order])
    others = features.words[np.flatnonzero(~chosen)]
    others = others if others.shape[0] else reading.profile.background.sample.words
    return Theme(telling_words(features.words[own], np.ones(len(own)), _texts(items), others=others), tuple(items))


def _newest(reading: Reading) -> Batch:
    """The newest items of the last days, read or not; when there were none, the newest of all."""
    for since in (reading.now - LATELY, None):
        parts = list(reading.store.batches(reading.model, since=since, seen=True, now=reading.now))
        if parts:
            whole = join(parts)
            return whole[np.lexsort((-whole.ids, -whole.dates))[:NEWEST]]
    return reading.store.batch_of([], reading.model)


def _claims(reading: Reading, features: Features) -> np.ndarray:
    """As `interests.claims`, but what is not wanted claims, too."""
    history = reading.profile.history
    bold = replace(history, weight=np.where(history.statement, np.abs(history.weight), history.weight))
    return claims(replace(reading.profile, history=bold), features)


def _stated(reading: Reading) -> np.ndarray:
    """Rows of the history that are interests, in the order of `store.interests()`."""
    return np.flatnonzero(reading.profile.history.statement)


def _row(reading: Reading, interest: int) -> int:
    """Its row of the history; UsageError when there is none with this id."""
    row = {key: row for row, key in enumerate(reading.profile.history.keys)}.get(-interest)
    if interest <= 0 or row is None:
        raise UsageError(f"interest {interest}: you have no such interest; `attention interests` shows the ids")
    return row


def _texts(items: Sequence[Item]) -> list[str]:
    return [f"{item.entry.title} {said(item.entry.text, item.left_out)}" for item in items]
