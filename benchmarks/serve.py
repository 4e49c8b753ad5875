"""What the page costs under load: 100 people read at once, on 50,000 items, while feeds are fetched and ranked.

    python benchmarks/serve.py [--items 50000] [--readers 100] [--seconds 60] [--follow 0.25] [--seed 0] [--json FILE]

A database is filled with invented texts in English and Chinese and drawn vectors (a vector is its topic's, its language's
and its own direction, so that topics can be told apart). Then the real server runs as a process of its own, with its
worker, and each client signs on as one reader and reads as people do: it opens the stream, scrolls on, opens an item,
acts on it, and thinks in between. Meanwhile local feeds bring new items. Last comes a closed loop without thinking.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from attention_filter import learned
from attention_filter.store.store import Store, open_store
from attention_filter.types import Entry, Sign, SourceKind

MODEL, DIM, TOPICS, SOURCES, LIKES = "drawn", 384, 40, 250, 60
HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3_000)]


class World:
    """What the invented feeds write about: each topic has its own words in two languages, and a direction."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")])
        drawn = self.rng.choice(syllables, (12_000, 3))
        self.english = np.array(["".join(row) for row in drawn])
        self.chinese = np.array(["".join(row) for row in self.rng.choice(HAN, (12_000, 2))])
        self.own = self.rng.integers(0, 12_000, (TOPICS, 80))  # places of a topic's own words
        self.direction = self.rng.normal(size=(TOPICS, DIM)).astype(np.float32)
        self.language = self.rng.normal(size=(2, DIM)).astype(np.float32)
        self.topics_of = self.rng.integers(0, TOPICS, (SOURCES, 3))  # what a source writes about

    def entry(self, number: int, source: int, now: datetime) -> tuple[Entry, int]:
        topic = int(self.rng.choice(self.topics_of[source]))
        chinese = source % 3 == 0
        words = (self.chinese if chinese else self.english)[
            np.concatenate([self.rng.choice(self.own[topic], 30), self.rng.zipf(1.3, 90) % 12_000])
        ]
        self.rng.shuffle(words)
        text = "".join(words) if chinese else " ".join(words)
        title = "".join(words[:8]) if chinese else " ".join(words[:8])
        published = now - timedelta(minutes=3 * number)
        html = f"<p>{text}</p>"
        return (
            Entry(
                f"g{number}",
                title,
                f"https://s{source}.example/{number}",
                html,
                html,
                text,
                "zh" if chinese else "en",
                published,
                authors=(f"author {number % 97}",),
            ),
            topic,
        )

    def vectors(self, topics: np.ndarray, chinese: np.ndarray) -> np.ndarray:
        rows = self.direction[topics] + self.language[chinese.astype(int)]
        rows = rows + 1.5 * self.rng.normal(size=rows.shape).astype(np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def fill(url: str, items: int, readers: int, follow: float, seed: int, feeds: str = "https://s{}.example/feed") -> None:
    """The database: items of all sources, and readers who follow `follow` of them, popular sources more often."""
    world = World(seed)
    now = datetime.now(UTC)
    with open_store(url, "everybody") as store:
        source_of = _add_items(store, world, items, now, feeds)
        popularity = 1 / np.sqrt(np.arange(1, SOURCES + 1))
        count = max(int(follow * SOURCES), 1)
        learned.refresh_background(store, MODEL)
        for number in range(readers):
            mine = store.for_reader(f"reader{number}")
            chosen = np.argsort(-popularity * world.rng.random(SOURCES))[:count]
            _add_reader(mine, store, world, chosen, source_of, now)
        store.delete_reader()


def _add_items(store: Store, world: World, items: int, now: datetime, feeds: str) -> np.ndarray:
    """Ids of all items by source, as a row of (id, source number, topic)."""
    topics: dict[str, tuple[int, bool]] = {}
    rows = []
    for number in range(SOURCES):
        source = store.add_source(feeds.format(number), SourceKind.FEED, title=f"Source {number}", now=now)
        made = [world.entry(i, number, now) for i in range(number, items, SOURCES)]
        added = store.add_entries(source.id, [entry for entry, _ in made], now)
        rows += [(id_, number, topic) for id_, (_, topic) in zip(added.new, made, strict=True)]
        topics |= {entry.title: (topic, number % 3 == 0) for entry, topic in made}
        store.record_success(source.id, now=now, next_try=now + timedelta(days=1))
    missing = store.missing_vectors(MODEL)
    told = np.array([topics[title] for _, title, _ in missing])
    store.put_vectors(MODEL, [key for key, _, _ in missing], world.vectors(told[:, 0], told[:, 1]))
    return np.array(rows)


def _add_reader(mine: Store, everybody: Store, world: World, chosen: np.ndarray, rows: np.ndarray, now: datetime) -> None:
    sources = {source.url: source for source in everybody.sources()}
    named = list(sources.values())
    for number in chosen.tolist():
        mine.add_source(named[number].url, SourceKind.FEED, title=f"Source {number}", now=now)
    liked = world.rng.choice(TOPICS, 3, replace=False)
    texts = [" ".join(world.english[world.own[topic][:4]]) for topic in liked.tolist()]
    for text in texts:
        mine.add_interest(text, 1.0, now)
    mine.put_text_vectors(MODEL, texts, world.vectors(liked, np.zeros(3, bool)))
    visible = rows[np.isin(rows[:, 1], chosen)]
    good = visible[np.isin(visible[:, 2], liked)]
    for item in world.rng.choice(good[:, 0], min(LIKES, len(good)), replace=False).tolist():
        mine.add_feedback(item, Sign.LIKE, now)
    for item in world.rng.choice(visible[:, 0], min(LIKES, len(visible)), replace=False).tolist():
        mine.add_feedback(item, Sign.SKIP, now)
    mine.put_states({name: everybody.get_state(name) or b"" for name in (learned.MODEL, learned.BACKGROUND)})
    learned.freeze_scale(mine, now)
