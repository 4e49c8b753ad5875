"""A reader's first week with the filter, simulated, and what every day showed.

In the morning the day's items are fetched and what is shown is measured. Then the reader looks: at place r (from 0)
of today's page with probability 1 / (1 + GLANCE · r). Of what was looked at, wanted items are opened, some then liked
or saved; some unwanted ones are opened by mistake, skipped or disliked. `Habits` has the probabilities. A story that
was opened once is wanted no more, in whatever feed its copy stands. Before and after each like the chances shown for
the other unread items about the same interest are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import peers_islands
from messy_feeds import FeedServer, Post, Press
from week_readers import Reader

from attention_filter import evaluation
from attention_filter.app import Filter
from attention_filter.encodings import TextEncoder
from attention_filter.logs import LogItem
from attention_filter.personal import baselines
from attention_filter.personal.background import make_background
from attention_filter.personal.evaluate import auc, ndcg
from attention_filter.personal.features import stack
from attention_filter.personal.feedback import STATEMENT, History, act_weight
from attention_filter.types import Entry, Ranked, Sign

FIRST_BATCH = 1.8  # of a usual day's items, on the first day
PAGE = 0.25  # of the day's items: the first places of the stream count as today's page where there is no such page
FALL = 0.005  # of the mean chance of a kind after a like, from which on it counts


@dataclass(frozen=True)
class Habits:
    """Probabilities of what the simulated reader does with an item that was looked at."""

    glance: float = 0.05
    opens: float = 0.8  # a wanted one
    likes: float = 0.35  # a wanted one, once opened
    saves: float = 0.08
    slips: float = 0.03  # opens an unwanted one
    skips: float = 0.08
    dislikes: float = 0.03

    def looks(self, place: int, rng: np.random.Generator) -> bool:
        return bool(rng.random() < 1 / (1 + self.glance * place))

    def acts(self, wanted: bool, rng: np.random.Generator) -> list[Sign]:
        """What is done with an item, in order; three draws whatever comes of them."""
        first, second, third = rng.random(3)
        if wanted:
            if first >= self.opens:
                return []
            more = Sign.LIKE if second < self.likes else Sign.SAVE if third < self.saves else None
            return [Sign.READ] + ([more] if more else [])
        if first < self.slips:
            return [Sign.READ]
        if second < self.skips:
            return [Sign.SKIP]
        return [Sign.DISLIKE] if third < self.dislikes else []


@dataclass(frozen=True)
class Shown:
    """What stands before the reader: today's page, then the rest of the stream, then the tray."""

    page: Sequence[Ranked]
    rest: Sequence[Ranked]
    tray: Sequence[Ranked]

    @property
    def stream(self) -> list[Ranked]:
        return [*self.page, *self.rest]


@dataclass
class World:
    """What the simulation knows and the filter does not. `item_of` {id: (row, is a copy)}."""

    posts: Sequence[Post]
    wanted: Mapping[int, bool]  # {row of the set: whether the reader wants it}
    about: Mapping[int, int]
    item_of: dict[int, tuple[int, bool]] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    acted: dict[int, tuple[Sign, int]] = field(default_factory=dict)  # {id: (the last act, its day)}
    opened: set[int] = field(default_factory=set)  # rows of stories that were opened
    deep: set[int] = field(default_factory=set)  # ids that were opened and wanted: read to the end

    def learn(self, shown: Shown, filter: Filter) -> None:
        """Which stored item is which post, by its guid."""
        listed = {one.item.id: one.item.entry for one in (*shown.stream, *shown.tray)}
        folded = [other for one in (*shown.stream, *shown.tray) for other in one.story]
        listed |= {id: filter.item(id).entry for id in folded if id not in listed}
        of_guid = {post.guid: (post.item, post.copy) for post in self.posts}
        for id, entry in listed.items():
            self.item_of[id], self.entries[id] = of_guid[entry.guid], entry

    def in_order(self, ids: Iterable[int]) -> list[int]:
        """The ids in an order that does not depend on which feed answered first."""
        return sorted(ids, key=lambda id: self.item_of[id])

    def is_new_and_wanted(self, id: int) -> bool:
        row, _ = self.item_of[id]
        return self.wanted[row] and row not in self.opened


def page_of(filter: Filter, stream: Sequence[Ranked], of_the_day: int) -> list[Ranked]:
    """Today's page, or the first quarter of a day's items where the filter has no such page."""
    if hasattr(filter, "today"):
        return list(filter.today().page)
    return list(stream[: ceil(PAGE * of_the_day)])


def show(filter: Filter, most: int, of_the_day: int) -> Shown:
    stream = filter.stream(limit=most)
    page = page_of(filter, stream, of_the_day)
    on_page = {one.item.id for one in page}
    rest = [one for one in stream if one.item.id not in on_page]
    return Shown(page, rest, filter.tray(limit=most)[0])


def places_of(shown: Shown) -> dict[int, int]:
    """{item id: place, from 0}; a folded one right behind the first of its story."""
    order = [id for one in (*shown.stream, *shown.tray) for id in (one.item.id, *one.story)]
    return {id: place for place, id in reversed(list(enumerate(order)))}


def contradictions(stream: Sequence[Ranked]) -> tuple[int, int]:
    """(neighbours whose shown chances are out of order, neighbours compared); labelled places are not compared."""
    pairs = [
        (one.probability, other.probability)
        for one, other in pairwise(stream)
        if not (one.moved or other.moved or one.pinned or other.pinned)
    ]
    known = [(first, second) for first, second in pairs if first is not None and second is not None]
    return sum(second > first + 1e-9 for first, second in known), len(known)


def level_of(ranked: Ranked) -> float | None:
    """The level as a number, the higher the better; None while items have none. Levels stand best first."""
    level = getattr(ranked, "level", None)
    return None if level is None else -float(list(type(level)).index(level))


@dataclass(frozen=True)
class Kind:
    """What is shown of the unread items of a kind: their mean chance, the median of their levels."""

    chance: float
    level: float | None

    def fell(self, after: Kind) -> bool:
        lower = self.level is not None and after.level is not None and after.level < self.level
        return lower or after.chance < self.chance - FALL


def kind_of(ranked: Sequence[Ranked]) -> Kind:
    levels = [level for one in ranked if (level := level_of(one)) is not None]
    return Kind(
        float(np.mean([one.probability or 0.0 for one in ranked])), float(np.median(levels)) if levels else None
    )


def precision(ids: Sequence[int], world: World, places: int) -> float:
    """New wanted stories, each once, in the first places, as a share of the most there could be."""
    there = {row for id, (row, _) in world.item_of.items() if id not in world.acted and world.is_new_and_wanted(id)}
    found = {world.item_of[id][0] for id in ids[:places] if world.is_new_and_wanted(id)}
    return len(found) / min(places, len(there)) if there else float("nan")


def day_of_each(rows: int, days: int) -> np.ndarray:
    """On which day (n,) each of so many items comes: more on the first one, then equally many.

    >>> np.bincount(day_of_each(88, 7)).tolist()
    [20, 12, 12, 11, 11, 11, 11]
    """
    first = round(rows * FIRST_BATCH / (FIRST_BATCH + days - 1))
    return np.concatenate([np.zeros(first, np.int64), np.sort(np.arange(rows - first) % max(days - 1, 1)) + 1])


class Clock:
    """A clock that the simulation sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Setting:
    """What a simulated week takes place in."""

    press: Press
    server: FeedServer
    encoder: TextEncoder
    start: datetime
    days: int
    seed: int
    habits: Habits = field(default_factory=Habits)


def live(
    setting: Setting, reader: Reader, make_filter: Callable[[Clock], AbstractContextManager[Filter]]
) -> list[dict[str, Any]]:
    """One record of measures a day."""
    rng = np.random.default_rng([setting.seed, len(reader.rows), *reader.rows[:3].tolist()])
    posts = publish_times(setting, reader, rng)
    world = World(
        posts,
        dict(zip(reader.rows.tolist(), reader.wanted.tolist(), strict=True)),
        dict(zip(reader.rows.tolist(), reader.about.tolist(), strict=True)),
    )
    clock = Clock(setting.start)
    days: list[dict[str, Any]] = []
    islands: list[peers_islands.Island] = []
    with make_filter(clock) as filter:
        urls = setting.server.publish(setting.press.sources, [p for p in posts if p.published <= setting.start])
        for url in urls:
            filter.add(url)
        for interest in reader.interests:
            filter.add_interest(interest)
        for day in range(setting.days):
            clock.now = now = setting.start + timedelta(days=day)
            out = [post for post in posts if post.published <= now]
            setting.server.publish(setting.press.sources, [p for p in out if p.published > now - timedelta(days=2)])
            filter.fetch(every=True)
            new = [p for p in out if p.published > now - timedelta(days=1) or day == 0]
            shown = show(filter, len(out), len(new))
            world.learn(shown, filter)
            scores, islands = rivals(setting, reader, world, islands, day)
            record = measure(world, filter, shown, {post.guid for post in new}, scores)
            acts = look(setting.habits, world, filter, shown, day, clock, rng)
            days.append({"day": day + 1, **record, **acts})
    return days


def publish_times(setting: Setting, reader: Reader, rng: np.random.Generator) -> list[Post]:
    """All posts of the week with the times at which they come out, in the last 23 hours before the reader looks (on
    the first day, in the last two days)."""
    arrives = day_of_each(len(reader.rows), setting.days)
    hours = rng.uniform(1, 23, len(arrives)) + np.where(arrives == 0, rng.uniform(0, 24, len(arrives)), 0)
    late = rng.uniform(-1, 36, len(arrives))  # hours until another source has its copy
    posts = []
    for row, day, before, after in zip(reader.rows.tolist(), arrives.tolist(), hours, late, strict=True):
        published = setting.start + timedelta(days=day, hours=-before)
        posts += setting.press.posts(row, published, published + timedelta(hours=max(after, 0.2)))
    return posts


def measure(
    world: World, filter: Filter, shown: Shown, new: Set[str], simpler: Mapping[str, Mapping[int, float]]
) -> dict[str, Any]:
    """What the morning's list is worth, beside the scores of `simpler` rankings; `new` are the guids of what came
    since yesterday."""
    places = places_of(shown)
    ids = [id for id in world.in_order(places) if world.entries[id].guid in new]
    wanted = [id for id in ids if not world.item_of[id][1] and world.is_new_and_wanted(id)]
    listed = [one.item.id for one in (*shown.stream, *shown.tray)]
    out_of_order, compared = np.add(contradictions(shown.page), contradictions(shown.rest)).tolist()
    on_page = {world.item_of[id][0] for one in shown.page for id in (one.item.id, *one.story)}
    away = {one.item.id for one in shown.tray}
    copies = [id for id in places if world.item_of[id][0] in world.opened]
    return {
        "items": len(new),
        "wanted": len(wanted),
        "page": len(shown.page),
        "page share": len(shown.page) / max(len(new), 1),
        "on page": share([world.item_of[id][0] in on_page for id in wanted]),
        "kept": share([id not in away for id in wanted]),
        "above": len(shown.stream) / max(len(listed), 1),
        "p@20": precision(listed, world, 20),
        "out of order": out_of_order,
        "neighbours": compared,
        "repeats": sum(world.item_of[one.item.id][0] in world.opened for one in shown.page),
        "copies of read": len(copies),
        "first repeat": min((places[id] for id in copies), default=None),
        "chances": [
            (one.probability or 0.0, world.is_new_and_wanted(one.item.id)) for one in (filter.rank(ids) if ids else [])
        ],
        "methods": {
            "filter": worth(world, ids, {id: -place for id, place in places.items()}, listed),
            **{
                name: worth(world, ids, of, sorted(places, key=lambda id: (-of[id], world.item_of[id])))
                for name, of in simpler.items()
            },
        },
    }


def worth(world: World, ids: Sequence[int], scores: Mapping[int, float], listed: Sequence[int]) -> dict[str, float]:
    """AUC and nDCG@10 of the originals among the day's items `ids`, and the precision of the first 10 of all unread."""
    originals = [id for id in ids if not world.item_of[id][1]]
    labels = np.array([world.is_new_and_wanted(id) for id in originals], bool)
    found = marks(labels, np.array([scores[id] for id in originals], np.float64))
    return {**found, "p@10": precision(listed, world, 10)}


def share(holds: Sequence[bool]) -> float:
    return float(np.mean(holds)) if holds else float("nan")


def marks(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {"auc": auc(labels, scores), "ndcg@10": ndcg(labels, scores, 10)}


def rivals(
    setting: Setting, reader: Reader, world: World, islands: Sequence[peers_islands.Island], day: int
) -> tuple[dict[str, dict[int, float]], list[peers_islands.Island]]:
    """{method: {id: score}} of all items so far, by what was done before today, on the filter's texts and vectors."""
    ids = world.in_order(world.entries)
    entries = [LogItem(str(id), (one := world.entries[id]).title, one.text, one.lang) for id in ids]
    texts = evaluation.encode_items(entries, setting.encoder, None)
    said = evaluation.encode_statements(reader.interests, texts, setting.encoder)
    background = make_background("", texts.vectors, texts.counts, texts.langs, np.zeros(len(ids), np.int64))
    alone = background.alone(texts.vectors, texts.counts, texts.langs)
    stated = background.alone(said.vectors, said.counts, said.langs)
    place = {id: row for row, id in enumerate(ids)}
    acts = [(place[id], *act) for id, act in world.acted.items()]
    past = np.array([row for row, _, _ in acts], np.int64)
    weights = [act_weight(sign, day - then) for _, sign, then in acts] + [STATEMENT] * len(stated)
    history = History(
        stack([alone[past], stated]),
        np.array(weights, np.float32),
        np.arange(len(weights)) >= len(acts),
        (*[ids[row] for row in past.tolist()], *range(-1, -1 - len(stated), -1)),
    )
    others = np.setdiff1d(np.arange(len(ids)), past)
    evidence = np.array([deed(world, ids[row], sign) for row, sign, _ in acts] + [peers_islands.LIKE] * len(stated))
    ages = np.array([day - then for _, _, then in acts] + [day] * len(stated), np.float64)
    islands = peers_islands.calibrate(islands, history.features.meaning, peers_islands.fade(evidence, ages))
    given = {
        "BM25 of the statements": baselines.bm25(baselines.make_bm25(texts.counts), said.counts, texts.counts),
        "mean of likes": baselines.mean_of_likes(history, alone),
        "TF-IDF + linear SVM": baselines.linear_svm(history, alone[others], alone),
        "keyword rules": baselines.keyword_rules(said.counts, texts.counts),
        "Interest Islands": peers_islands.score(islands, alone.meaning),
    }
    made = {name: dict(zip(ids, of.tolist(), strict=True)) for name, of in given.items() if of is not None}
    return made, islands


def deed(world: World, id: int, sign: Sign) -> float:
    """The evidence that Interest Islands would see: reading to the end adds to the click."""
    if sign in (Sign.DISLIKE, Sign.HIDE):
        return peers_islands.DISLIKE
    if sign is Sign.SKIP:
        return 0.0
    read = peers_islands.CLICK + (peers_islands.READ if id in world.deep else 0.0)
    return read + (peers_islands.LIKE if sign in (Sign.LIKE, Sign.SAVE) else 0.0)


def look(
    habits: Habits, world: World, filter: Filter, shown: Shown, day: int, clock: Clock, rng: np.random.Generator
) -> dict[str, Any]:
    """The reader looks through today's page and acts; returns what each like did to its kind."""
    likes, flips, worst, acts = 0, 0, 0.0, 0
    listed = {id for one in (*shown.stream, *shown.tray) for id in (one.item.id, *one.story)}
    for place, one in enumerate(shown.page):
        id, (row, _) = one.item.id, world.item_of[one.item.id]
        if not habits.looks(place, rng):
            continue
        clock.now += timedelta(seconds=40)
        wanted = world.is_new_and_wanted(id)
        for sign in habits.acts(wanted, rng):
            kin = [
                other
                for other in world.in_order(listed)
                if other != id
                and other not in world.acted
                and world.is_new_and_wanted(other)
                and world.item_of[other][0] != row
                and world.about[world.item_of[other][0]] == world.about[row]
            ]
            liked = sign is Sign.LIKE and bool(kin)
            before = kind_of(filter.rank(kin)) if liked else None
            filter.act([id], sign)
            acts += 1
            world.acted[id] = sign, day
            if sign is Sign.READ and wanted:
                world.deep.add(id)
            if before:
                after = kind_of(filter.rank(kin))
                likes, flips, worst = likes + 1, flips + before.fell(after), min(worst, after.chance - before.chance)
        if id in world.acted and world.acted[id][0] in (Sign.READ, Sign.LIKE, Sign.SAVE):
            world.opened.add(row)
    return {"acts": acts, "likes": likes, "flips": flips, "worst fall": worst}
